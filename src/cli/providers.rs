//! `providers`: manages the providers in the database, and checks the documents of the providers in the configuration.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::exchange::{Help, ObjectCommand};
use super::failure::Failure;
use super::installation::Installation;
use super::output;
use crate::config::Flags;
use crate::exchange::Section;
use crate::verifier::{Provider, Survey, SystemResolver};

const HELP: Help = Help {
    command: "providers",
    article: "a",
    noun: "stored provider",
    plural: "providers, including those that `config apply` stored",
    example: "partner-ci",
    note: "\n\nThe provider `self`, this server's own issuer, is built in and not stored: `config show` prints issuer.url.",
    object: "name = \"partner-ci\"
  provider = \"generic\"
  issuer = \"https://ci.partner.example\"",
};

/// Commands on providers.
#[derive(Debug, Subcommand)]
#[command(mut_subcommands = HELP.describe())]
pub(super) enum Providers {
    #[command(flatten)]
    Stored(ObjectCommand),
    Check(Check),
}

/// Fetch the discovery document and the key set of each configured provider, and report faults
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass providers check --config buildpass.toml

The exit code is 1 if a provider has a fault, and 3 if the keys of a provider cannot be fetched.")]
pub(super) struct Check {
    /// Providers to check, by their names in [oidc.NAME] [default: all providers of the configuration]
    names: Vec<String>,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

impl Providers {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        match self {
            Self::Check(check) => check.run(installation).await,
            Self::Stored(command) => command.run(Section::Providers, installation).await,
        }
    }
}

impl Check {
    async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let providers = installation.config(Flags::default())?.providers;
        if let Some(unknown) = self.names.iter().find(|name| !providers.iter().any(|provider| provider.name() == *name))
        {
            return Err(Failure::usage(format!("the configuration has no provider {unknown:?}")));
        }
        if providers.is_empty() {
            output::note("The configuration has no provider [oidc.NAME].");
        }
        let (mut wrong, mut unreachable) = (0, 0);
        let chosen =
            |provider: &&Provider| self.names.is_empty() || self.names.iter().any(|name| name == provider.name());
        for provider in providers.iter().filter(chosen) {
            let survey = Survey::of(provider, Arc::new(SystemResolver)).await;
            match &survey {
                Ok(survey) => wrong += usize::from(!survey.findings.is_empty()),
                Err(_) => unreachable += 1,
            }
            if self.json {
                let error = survey.as_ref().err().map(ToString::to_string);
                output::json_lines([json!({
                    "name": provider.name(), "kind": provider.kind(), "issuer": provider.issuer(),
                    "survey": survey.as_ref().ok(), "error": error,
                })])?;
            } else {
                print(provider, survey)?;
            }
        }
        match (unreachable, wrong) {
            (0, 0) => Ok(()),
            (0, _) => Err(Failure::refused("a provider has a fault")),
            (_, _) => Err(Failure::unreachable("could not fetch the keys of a provider")),
        }
    }
}

fn print(provider: &Provider, survey: Result<Survey, crate::verifier::FetchError>) -> Result<(), Failure> {
    output::heading(&format!("{} ({})  {}", provider.name(), provider.kind(), output::visible(provider.issuer())))?;
    match survey {
        Err(error) => output::line(&format!("  unusable: {}", output::visible(&error.to_string())))?,
        Ok(survey) => {
            output::line(&format!("  {} keys at {}", survey.keys.len(), output::visible(&survey.keys_at)))?;
            for (kid, algorithms) in &survey.keys {
                output::line(&format!("    {}  {}", output::visible(kid), algorithms.join(", ")))?;
            }
            for finding in &survey.findings {
                output::line(&format!("  fault: {}", output::visible(finding)))?;
            }
            if survey.findings.is_empty() {
                output::line("  no faults")?;
            }
        }
    }
    Ok(())
}
