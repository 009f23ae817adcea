//! `exchange apply`: applies a rules file to the database. An error anywhere in the file must change nothing.

use std::path::PathBuf;

use clap::Args;

use super::super::failure::Failure;
use super::super::installation::Installation;
use super::super::output;
use super::changes;
use crate::exchange::{Prune, read_rules_file};

/// Apply a rules file of the exchange to the database; idempotent
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass exchange apply rules.toml --dry-run
  buildpass exchange apply rules.toml --prune

A rules file holds users, providers, roles, trusted publishers, trust policies and grants. It is applied as a whole: an
error anywhere changes nothing. A role that is changed keeps its token. Credentials issued under an
object that is changed or deleted are revoked at once.")]
pub(in crate::cli) struct Apply {
    /// The rules file in TOML, or - for standard input
    file: PathBuf,
    /// Print the changes without applying them
    #[arg(long)]
    dry_run: bool,
    /// Delete every object that the file does not list, except the providers of the configuration
    #[arg(long)]
    prune: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Apply {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let file = read_rules_file(&changes::read(&self.file)?)
            .map_err(|error| Failure::refused(format!("{}: {error}", self.file.display())))?;
        if self.prune && file.is_empty() {
            let problem = "the file is empty, and --prune would delete everything; delete single objects by `delete`";
            return Err(Failure::refused(format!("{}: {problem}", self.file.display())));
        }
        let prune = if self.prune { Prune::All } else { Prune::Nothing };
        let report = changes::apply(installation, file, None, prune, self.dry_run).await?;
        if self.json {
            return Ok(output::document(&report.document(self.dry_run))?);
        }
        report.print(false)
    }
}
