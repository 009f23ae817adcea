//! `config`: what the configuration says, and whether it can work. Secrets are never shown.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::installation::Place;
use super::output;
use crate::config::{self, Flags};

/// The configuration
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    Check(Check),
    Show(Show),
    Reference(Reference),
}

/// Check the configuration; exit 1 says what is wrong, with key, file and line
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass config check --config /etc/buildpass/buildpass.toml")]
pub(super) struct Check {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Show the configuration in force and where each value comes from
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass config show")]
pub(super) struct Show {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Print every key with its meaning and default, as a file to start from
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass config reference > buildpass.toml")]
pub(super) struct Reference {}

impl ConfigCommand {
    pub(super) fn run(self, place: &Place) -> Result<(), Failure> {
        match self {
            Self::Check(check) => check.run(place),
            Self::Show(show) => show.run(place),
            Self::Reference(Reference {}) => Ok(output::bytes(config::reference().as_bytes())?),
        }
    }
}

impl Check {
    fn run(self, place: &Place) -> Result<(), Failure> {
        let checked = place.config(Flags::default());
        if !self.json {
            checked?;
            return Ok(output::line("the configuration can work")?);
        }
        let problem = match &checked {
            Err(Failure::Refused(error)) => Some(error.to_string()),
            Err(_) => return checked.map(drop),
            Ok(_) => None,
        };
        output::document(&serde_json::json!({"ok": problem.is_none(), "problem": problem}))?;
        checked.map(drop)
    }
}

impl Show {
    fn run(self, place: &Place) -> Result<(), Failure> {
        let shown = place.config(Flags::default())?.show();
        if !self.json {
            return Ok(output::bytes(shown.as_bytes())?);
        }
        let table: toml::Table = toml::from_str(&shown).map_err(Failure::refused)?;
        Ok(output::document(&table)?)
    }
}
