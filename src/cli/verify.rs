//! `verify`: is this token one that we would take? Reads no configuration but the one that is named, so that a checkout
//! can't choose whom we trust.

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

Reads --config or $BUILDPASS_CONFIG, and never ./buildpass.toml: a checkout must not choose whom you trust.
`self` is our own issuer; the other names are those of [oidc.NAME].")]
pub(super) struct Verify {
    /// Whose token it must be: a name of [oidc.NAME], or self
    #[arg(long, value_name = "NAME")]
    provider: String,
    /// For whom it must be, its only audience; without it, and without required_audience, it is not compared
    #[arg(long, value_name = "A")]
    audience: Option<String>,
    /// Take a token of several audiences, if the right one is among them
    #[arg(long)]
    several: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// The token, or - to read it from standard input, where other processes can't see it
    token: String,
}

impl Verify {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let token = input::token(&self.token)?;
        let Trusted { verifiers, .. } = trusted::read(installation).await?;
        let verifier = verifiers.named(&self.provider).ok_or_else(|| {
            let names: Vec<&str> = verifiers.names().collect();
            Failure::usage(format!("there is no provider {:?}; there are {}", self.provider, names.join(", ")))
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

/// Exit code 3 where the token was not judged for want of keys, else 1.
pub(super) fn refused(refusal: &TokenRefusal) -> Failure {
    if let TokenRefusal::KeysUnavailable { reason, .. } = refusal {
        return Failure::unreachable(format!("the provider's keys can't be had: {reason}"));
    }
    Failure::refused(format!("refused: {refusal}"))
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
