//! `access-policy check`: verifies a token and evaluates an access policy for the token. The policies and providers
//! come from the configuration file that the user names, never from another file.

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

/// Evaluate the access policy of a repository for a token, condition by condition
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass access-policy check buildpass.toml --token - --repository myapp \\
    --request '{\"action\":\"put-manifest\"}' < token

The token is verified first, as a registry would. The exit code is 1 if the token is rejected or the policy denies the \
request.")]
pub(super) struct Check {
    /// Configuration file with the providers and the access policies
    file: PathBuf,
    /// The token; or a file with the token, or - for standard input, where other processes cannot see the token
    #[arg(long)]
    token: String,
    /// Repository that the request is for
    #[arg(long, value_name = "NAME")]
    repository: String,
    /// Request to evaluate, as JSON, such as {"action":"pull"}
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
            .map_err(|error| Failure::usage(format!("--request: {error}; must be like {{\"action\": \"pull\"}}")))?;
        let token = input::token_or_file(&self.token)?;
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
                evaluate(policy, verified, &request.action, &self.repository, &mut explanation)
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

/// Returns the audience that a token must have for access to the container registry. Applies only to tokens whose
/// provider requires no audience.
fn registry_audience(config: &Config) -> Option<String> {
    let by_issuer = || config.issuer.url.as_ref().map(|url| DefaultAudiences::of(url).registry_audience);
    config.exchange.registry_audience.clone().or_else(by_issuer)
}

/// Evaluates `policy` and adds each step to `explanation`. Returns the reason if the policy denies the request.
fn evaluate(
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
        explanation.step(Checked::Policy, false, "an access policy for the repository".to_owned(), denied.clone());
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
