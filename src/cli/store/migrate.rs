//! `store migrate`: updates the schema before a server of a new version starts.

use clap::Args;

use super::super::failure::Failure;
use super::super::installation::Installation;
use super::super::output;
use crate::config::Flags;

/// Update the database schema to this version of buildpass; idempotent
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass store migrate

`serve` updates the schema too when the server starts.")]
pub(in crate::cli) struct Migrate {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let config = installation.config(Flags::default())?;
        let report = config.store.place.migrate(config.store.waits).await?;
        if self.json {
            return Ok(output::document(&serde_json::json!({
                "before": report.before, "after": report.after, "applied": report.applied,
            }))?);
        }
        for name in &report.applied {
            output::line(&format!("applied  {name}"))?;
        }
        Ok(output::line(&format!("the schema is at version {}", report.after))?)
    }
}
