//! `config`: what the configuration says, and whether it can work. Secrets are never shown.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::installation::Place;
use super::output;
use crate::config::{self, Flags};

/// The configuration
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the configuration; exit 1 says what is wrong, with key, file and line
    Check(Check),
    /// Show the configuration in force and where each value comes from
    Show(Show),
    /// Print every key with its meaning and default, as a file to start from
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
pub(super) struct Show {}

/// Print every key with its meaning and default, as a file to start from
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass config reference > buildpass.toml")]
pub(super) struct Reference {}

impl ConfigCommand {
    pub(super) fn run(self, place: &Place) -> Result<(), Failure> {
        match self {
            Self::Check(check) => check.run(place),
            Self::Show(Show {}) => Ok(output::bytes(place.config(Flags::default())?.show().as_bytes())?),
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
