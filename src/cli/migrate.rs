//! `migrate`: the schema, brought up to date before a server of a new version starts.

use super::failure::Failure;
use super::installation::Place;
use super::output;
use crate::config::Flags;

/// Update the database schema
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  buildpass migrate

`serve` does the same when it starts.")]
pub(super) struct Migrate {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        let config = place.config(Flags::default())?;
        let report = config.store.place.migrate().await?;
        if self.json {
            return Ok(output::document(&serde_json::json!({
                "before": report.before, "after": report.after, "applied": report.applied,
            }))?);
        }
        for name in &report.applied {
            output::line(&format!("applied  {name}"))?;
        }
        Ok(output::line(&format!("the schema stands at version {}", report.after))?)
    }
}
