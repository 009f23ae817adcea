//! `exchange apply`: applies a rules file to the database. An error anywhere in the file must change nothing.

use std::path::PathBuf;

use clap::Args;

use super::super::failure::Failure;
use super::super::installation::Installation;
use super::super::output;
use super::changes::{self, Report};
use crate::exchange::{ApplyRulesError, ChangeSet, Prune, RuleErrors, RulesEditor, RulesFault, RulesFaults, RulesText};

/// Apply a rules file of the exchange to the database; idempotent
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass exchange apply rules.toml --dry-run
  buildpass exchange apply rules.toml --prune

A rules file holds users, providers, roles, trusted publishers, trust policies and grants. It is applied as a whole: \
an error anywhere changes nothing. A role that is changed keeps its token. Credentials issued under an object that is \
changed or deleted are revoked at once.")]
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
        let text = changes::read(&self.file)?;
        let rules = RulesText::parse(&text).map_err(|faults| self.refused(&faults))?;
        if self.prune && rules.file().is_empty() && rules.faults(&[]).0.is_empty() {
            let problem = "the file is empty, and --prune would delete everything; delete single objects by `delete`";
            return Err(Failure::refused(format!("{}: {problem}", self.file.display())));
        }
        let prune = if self.prune { Prune::All } else { Prune::Nothing };
        let report = changes::with_editor(installation, async |editor| self.apply(&rules, prune, editor).await).await?;
        if self.json {
            return Ok(output::document(&report.document(self.dry_run))?);
        }
        report.print(false)
    }

    /// Applies the rules in the file. If the file has a fault, tries the other rules without writing them, so that the
    /// error names the faults of all objects.
    async fn apply(&self, rules: &RulesText, prune: Prune, editor: &RulesEditor) -> Result<Report, Failure> {
        let is_faulty = !rules.faults(&[]).0.is_empty();
        let set = ChangeSet { file: rules.file().clone(), prune, ..ChangeSet::default() };
        match editor.apply(&set, changes::BY, self.dry_run || is_faulty).await {
            Err(ApplyRulesError::Rule(RuleErrors(found))) => Err(self.refused(&rules.faults(&found))),
            Ok(_) | Err(ApplyRulesError::Audience(_)) if is_faulty => Err(self.refused(&rules.faults(&[]))),
            applied => Ok(Report(applied?.0)),
        }
    }

    fn refused(&self, faults: &RulesFaults) -> Failure {
        let file = self.file.display();
        let line = |fault: &RulesFault| match fault.line {
            Some(line) => format!("{file}:{line}: {}", fault.problem),
            None => format!("{file}: {}", fault.problem),
        };
        Failure::refused(faults.0.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}
