//! `keys list` and `keys export`: print signing keys. Neither command ever creates a key or prints a private key.

use clap::Args;

use super::super::failure::Failure;
use super::super::installation::{Installation, now};
use super::super::keyring::{published, view};
use super::super::output::{self, Table, cell};
use crate::config::Flags;

/// List signing keys: the state of each key, and the times at which it is announced, signs and is forgotten
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys list --json | jq -r 'select(.state == \"signing\").kid'")]
pub(in crate::cli) struct List {
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Print the key set that the issuer publishes (JWKS)
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys export > jwks.json")]
pub(in crate::cli) struct Export {
    /// No effect: the output is always one JSON document
    #[arg(long)]
    json: bool,
}

fn no_keys() {
    output::note("There are no keys yet; the first `buildpass serve` creates them.");
}

impl List {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let Some(view) = view(&installation.config(Flags::default())?).await? else {
            no_keys();
            return Ok(());
        };
        let rows = view.list(now());
        if self.json {
            return Ok(output::json_lines(rows)?);
        }
        let mut table = Table::new(&["KID", "ALG", "STATE", "ANNOUNCED AT", "SIGNS FROM", "SIGNS UNTIL", "FORGET AT"]);
        for row in rows {
            table.row([
                row.kid.clone(),
                cell(row.alg),
                row.state.to_string(),
                cell(row.announced_at),
                cell(row.signs_from),
                cell(row.signs_until),
                cell(row.forget_at),
            ]);
        }
        Ok(table.print()?)
    }
}

impl Export {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let published = published(&installation.config(Flags::default())?).await?;
        if published.is_none() {
            no_keys();
        }
        Ok(output::document(&published.unwrap_or_default())?)
    }
}
