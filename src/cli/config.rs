//! `config`: checks, prints and applies the configuration. Secrets are never printed.

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::failure::Failure;
use super::installation::{self, Installation, now};
use super::keyring::attach;
use super::open_files::OpenFiles;
use super::output::{self, change_word};
use crate::app;
use crate::config::{self, Flags};
use crate::exchange::{Change, check_audiences};
use crate::jose::Algorithm;
use crate::store::{ClientChange, ClientChangeKind};

/// Commands on the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    Check(Check),
    Show(Show),
    Reference(Reference),
    Apply(Apply),
}

/// Check the configuration and report each fault with key, file and line
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass config check --config /etc/buildpass/buildpass.toml")]
pub(super) struct Check {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Show the effective configuration and the source of each value
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass config show")]
pub(super) struct Show {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Print every configuration key with its meaning, type and default
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass config reference > buildpass.toml")]
pub(super) struct Reference {
    /// Format of the output: `toml` for a configuration file with all defaults, `markdown` for the page of the manual
    #[arg(long, value_enum, default_value_t)]
    format: ReferenceFormat,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ReferenceFormat {
    #[default]
    Toml,
    Markdown,
}

/// Store in the database the configured settings that all servers share; idempotent
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass config apply --dry-run

Shared settings are keys.algorithms, [clients.*] and [oidc.*]. With SQLite `serve` applies them at each start. With \
PostgreSQL `serve` applies them at the very first start only, so that a server of the old release that restarts during \
an update does not undo them. Run this command once per release.")]
pub(super) struct Apply {
    /// Print the changes without applying them
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl ConfigCommand {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        match self {
            Self::Apply(apply) => apply.run(installation).await,
            Self::Check(check) => check.run(installation),
            Self::Show(show) => show.run(installation),
            Self::Reference(reference) => reference.run(),
        }
    }
}

impl Check {
    fn run(self, installation: &Installation) -> Result<(), Failure> {
        let checked = installation.config(Flags::default()).and_then(|config| {
            let paths = app::paths(&config, config.server.listen)?;
            let settings = app::exchange_settings(&config, &paths);
            check_audiences(&settings, &config.providers).map_err(Failure::refused)?;
            Ok(config)
        });
        if let Ok(config) = &checked
            && let Some(shortage) = OpenFiles::reachable().shortage(config.server.max_connections)
        {
            output::note(&format!("note: here {shortage}"));
        }
        if !self.json {
            checked?;
            return Ok(output::line("the configuration is valid")?);
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
    fn run(self, installation: &Installation) -> Result<(), Failure> {
        let shown = installation.config(Flags::default())?.show();
        if !self.json {
            return Ok(output::bytes(shown.as_bytes())?);
        }
        let table: toml::Table = toml::from_str(&shown).map_err(Failure::refused)?;
        Ok(output::document(&table)?)
    }
}

impl Reference {
    fn run(&self) -> Result<(), Failure> {
        let text = match self.format {
            ReferenceFormat::Toml => config::reference(),
            ReferenceFormat::Markdown => config::markdown_reference(),
        };
        Ok(output::bytes(text.as_bytes())?)
    }
}

impl Apply {
    async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let config = installation.config(Flags::default())?;
        let store = installation.store().await?;
        let applied = async {
            let keyring = attach(&config, Arc::clone(&store)).await?;
            let editor = installation::rules_editor(&config, &store)?;
            Ok::<_, Failure>(app::apply(&config, &editor, &keyring, now(), self.dry_run).await?)
        }
        .await;
        store.close().await;
        let changes = applied?;
        if self.json {
            let algorithms =
                changes.algorithms.as_ref().map(|(before, after)| json!({"before": before, "after": after}));
            return Ok(output::document(&json!({
                "dry_run": self.dry_run, "algorithms": algorithms, "clients": changes.clients,
                "providers": changes.providers,
            }))?);
        }
        if let Some((before, after)) = &changes.algorithms {
            let named = |list: &[Algorithm]| list.iter().map(|alg| alg.name()).collect::<Vec<_>>().join(", ");
            output::line(&format!("keys.algorithms  {} -> {}", named(before), named(after)))?;
        }
        for ClientChange { name, change } in &changes.clients {
            let how = match change {
                ClientChangeKind::Added => "added",
                ClientChangeKind::Changed => "changed",
                ClientChangeKind::Disabled => "disabled: no longer declared",
            };
            output::line(&format!("clients.{name}  {how}"))?;
        }
        for Change { name, change, .. } in &changes.providers {
            output::line(&format!("oidc.{name}  {}", change_word(*change)))?;
        }
        if changes.is_empty() {
            output::line("nothing changes")?;
        }
        Ok(())
    }
}
