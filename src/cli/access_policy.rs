//! `access-policy check`: would this token be let in by the policies of this file? Decides nothing by itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::failure::Failure;
use super::installation::Installation;
use super::output;
use super::trusted::{self, Trusted};
use super::{input, verify};
use crate::config::Config;
use crate::exchange::DefaultAudiences;
use crate::policy::{AccessPolicy, AccessRequest};
use crate::verifier::{Check as Checked, Explanation, Requirements, VerifiedToken};

/// Commands on access policies.
#[derive(Debug, Subcommand)]
pub(super) enum AccessPolicyCommand {
    Check(Check),
}

/// Check a token against the access policies of a configuration, part by part
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass access-policy check buildpass.toml --token - --repository myapp --request '{\"action\":\"put-manifest\"}' < token

The token is verified first, as the registry would. Ends with 1 where it is refused.")]
pub(super) struct Check {
    /// The configuration that holds the providers and the policies
    file: PathBuf,
    /// The token, or - to read it from standard input, where other processes can't see it
    #[arg(long)]
    token: String,
    /// The repository that is asked for
    #[arg(long, value_name = "N")]
    repository: String,
    /// What is asked for, as JSON; without it nothing is, and the rules say what they lack
    #[arg(long, value_name = "JSON", default_value = r#"{"action":""}"#)]
    request: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    action: String,
}

impl AccessPolicyCommand {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Check(check) => check.run().await,
        }
    }
}

impl Check {
    async fn run(self) -> Result<(), Failure> {
        let request: Request = serde_json::from_str(&self.request)
            .map_err(|error| Failure::usage(format!("--request: {error}; it is {{\"action\": \"…\"}}")))?;
        let token = input::token(&self.token)?;
        let Trusted { config, verifiers } = trusted::read(&Installation::new(Some(self.file.clone()))).await?;
        let (mut verdict, mut explanation) = verifiers.explain(&token, &Requirements::default()).await;
        let audience = registry_audience(&config);
        let none_required = |verified: &VerifiedToken| verified.provider().required_audience().is_none();
        if verdict.as_ref().is_ok_and(none_required) && audience.is_some() {
            let requirements = Requirements { audience: audience.as_deref(), ..Requirements::default() };
            (verdict, explanation) = verifiers.explain(&token, &requirements).await;
        }
        let denied = match &verdict {
            Err(_) => None,
            Ok(verified) => {
                let policy = config.repositories.of(&self.repository);
                judge(policy, verified, &request.action, &self.repository, &mut explanation)
            }
        };
        if self.json {
            let (refusal, provider) = (verdict.as_ref().err(), verdict.as_ref().ok().map(VerifiedToken::provider_name));
            output::document(&json!({
                "allowed": explanation.accepted(),
                "provider": provider,
                "refusal": refusal.map(ToString::to_string).or(denied.clone()),
                "steps": explanation.steps,
            }))?;
        } else {
            output::steps(&explanation)?;
        }
        match (verdict, denied) {
            (Err(refusal), _) => Err(verify::refused(&refusal)),
            (Ok(_), Some(denied)) => Err(Failure::refused(format!("denied: {denied}"))),
            (Ok(_), None) if self.json => Ok(()),
            (Ok(_), None) => Ok(output::line("allowed")?),
        }
    }
}

/// What the registry's door asks of a token whose provider requires nothing, where the configuration says it.
fn registry_audience(config: &Config) -> Option<String> {
    let by_issuer = || config.issuer.url.as_ref().map(|url| DefaultAudiences::of(url).registry_audience);
    config.exchange.registry_audience.clone().or_else(by_issuer)
}

/// Adds the policy's steps; tells why it denies, if it does.
fn judge(
    policy: Option<&AccessPolicy>,
    verified: &VerifiedToken,
    action: &str,
    repository: &str,
    explanation: &mut Explanation,
) -> Option<String> {
    let request = AccessRequest {
        provider: verified.provider_name(),
        claims: verified.claims().all(),
        untrusted: verified.is_untrusted_build(),
        action,
        repository,
    };
    let Some(policy) = policy else {
        let denied = crate::policy::AccessDenied::NoPolicy.to_string();
        explanation.step(Checked::Policy, false, "a policy for the repository".to_owned(), denied.clone());
        return Some(denied);
    };
    let verdict = policy.decide(&request);
    for part in policy.explain(&request) {
        explanation.step(Checked::Policy, part.answer == Ok(true), part.of_rule(), part.found());
    }
    let (passed, found) = match &verdict {
        Ok(()) => (true, "allowed".to_owned()),
        Err(denied) => (false, denied.to_string()),
    };
    explanation.step(Checked::Policy, passed, format!("{action} in {repository} to be allowed"), found);
    verdict.err().map(|denied| denied.to_string())
}
