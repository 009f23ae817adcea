//! `verify`: verifies a token against a provider. The command reads only a configuration that the user names, because a
//! checkout must not choose which issuers to trust.

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::input;
use super::installation::Installation;
use super::output;
use super::trusted::{self, Trusted};
use crate::verifier::{Explanation, Requirements, TokenRefusal, VerifiedToken};

/// Verify a token against a provider, and explain a rejection
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass verify --config buildpass.toml --provider github-actions --audience artefacts.example.com - < token
  buildpass verify --config buildpass.toml --provider self \"$TOKEN\"

The command reads the file of --config or $BUILDPASS_CONFIG, and never ./buildpass.toml: a checkout must not choose \
which issuers to trust. The provider `self` is this installation's own issuer; all others are named by [oidc.NAME].")]
pub(super) struct Verify {
    /// Provider that must have issued the token: a name of [oidc.NAME], or self for this installation's own issuer
    #[arg(long, value_name = "NAME")]
    provider: String,
    /// Audience that the token must have [default: required_audience of the provider; if absent, any audience is
    /// accepted]
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// Accept a token with several audiences if the required audience is among them
    #[arg(long)]
    several: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// The token; or a file with the token, or - for standard input, where other processes cannot see the token
    token: String,
}

impl Verify {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let token = input::token_or_file(&self.token)?;
        let Trusted { verifiers, .. } = trusted::read(installation).await?;
        let verifier = verifiers.named(&self.provider).ok_or_else(|| {
            let names: Vec<&str> = verifiers.names().collect();
            Failure::usage(format!("there is no provider {:?}; known providers: {}", self.provider, names.join(", ")))
        })?;
        let requirements = Requirements {
            audience: self.audience.as_deref(),
            several_audiences: self.several,
            ..Requirements::default()
        };
        let (verdict, explanation) = verifier.explain(&token, &requirements).await;
        if self.json {
            output::document(&document(&self.provider, &verdict, &explanation))?;
        } else {
            output::steps(&explanation)?;
        }
        match verdict {
            Ok(_) if self.json => Ok(()),
            Ok(verified) => {
                output::line("accepted")?;
                Ok(output::document(verified.claims().all())?)
            }
            Err(refusal) => Err(refused(&refusal)),
        }
    }
}

/// Returns the failure for a rejected token: exit code 3 if the provider's keys were unavailable, else exit code 1.
pub(super) fn refused(refusal: &TokenRefusal) -> Failure {
    if let TokenRefusal::KeysUnavailable { reason, .. } = refusal {
        return Failure::unreachable(format!("could not fetch the keys of the provider: {reason}"));
    }
    Failure::refused(format!("rejected: {refusal}"))
}

fn document(
    provider: &str,
    verdict: &Result<VerifiedToken, TokenRefusal>,
    explanation: &Explanation,
) -> serde_json::Value {
    let refusal = verdict.as_ref().err().map(
        |refusal| json!({ "reason": refusal.reason(), "expected": refusal.expected(), "actual": refusal.actual() }),
    );
    json!({
        "accepted": verdict.is_ok(),
        "provider": provider,
        "claims": verdict.as_ref().ok().map(|verified| verified.claims().all()),
        "refusal": refusal,
        "steps": explanation.steps,
    })
}
