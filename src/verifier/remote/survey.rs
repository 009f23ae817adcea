//! What a stranger would find wrong with a provider: its documents fetched once and looked at. Keeps nothing.

use std::sync::Arc;

use serde_json::Value;

use super::source::{Brought, Source};
use super::{Discovery, FetchError, Resolver};
use crate::jose::{KeySet, SignatureAlgorithm};
use crate::verifier::Provider;

/// What was found of a provider.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Survey {
    /// Where its keys are.
    pub keys_at: String,
    /// The names of the keys that can be used, each with what it checks.
    pub keys: Vec<(String, Vec<&'static str>)>,
    /// What is wrong, a sentence each; nothing hinders a token of the provider that is not among them.
    pub findings: Vec<String>,
}

impl Survey {
    /// Fetches a provider's documents and looks at them.
    ///
    /// # Errors
    /// [`FetchError`] where they can't be had, so that no token of the provider can be verified.
    pub async fn of(provider: &Provider, resolver: Arc<dyn Resolver>) -> Result<Self, FetchError> {
        let Brought { place, discovery, keys, .. } = Source::of(provider, resolver)?.bring().await?;
        let mut findings = Vec::new();
        if let Some(discovery) = &discovery {
            judge_discovery(provider, discovery, &mut findings);
        }
        judge_keys(provider, &keys, &mut findings);
        let named = |kid: &str| {
            let algorithms = keys.find(kid).map(|key| key.algorithms().iter().map(|alg| alg.name()).collect());
            (kid.to_owned(), algorithms.unwrap_or_default())
        };
        Ok(Self { keys_at: place, keys: keys.kids().map(named).collect(), findings })
    }
}

/// What OpenID Connect Discovery 1.0 §3 demands, and what would make our own settings useless.
fn judge_discovery(provider: &Provider, discovery: &Discovery, findings: &mut Vec<String>) {
    let listed = |name: &str| discovery.members.get(name).and_then(Value::as_array);
    for name in ["response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported"] {
        if listed(name).is_none_or(Vec::is_empty) {
            findings.push(format!("the discovery document has no {name}; strict clients refuse it"));
        }
    }
    if let Some(algorithms) = listed("id_token_signing_alg_values_supported")
        && !provider.algorithms.iter().any(|allowed| algorithms.iter().any(|told| told == allowed.name()))
    {
        findings.push("it says that it signs with none of allowed_algorithms".to_owned());
    }
    if let Some(claims) = listed("claims_supported") {
        for claim in provider.required_claims.iter().filter(|claim| !claims.iter().any(|told| told == claim.as_str())) {
            findings.push(format!("required_claims has {claim}, which claims_supported does not list"));
        }
    }
}

fn judge_keys(provider: &Provider, keys: &KeySet, findings: &mut Vec<String>) {
    for key in keys.unusable() {
        findings.push(format!("key {} is passed over: {}", key.index + 1, key.reason));
    }
    let allowed = |algorithms: &[SignatureAlgorithm]| algorithms.iter().any(|one| provider.algorithms.contains(one));
    let useless = keys.kids().filter(|kid| keys.find(kid).is_some_and(|key| !allowed(key.algorithms())));
    findings.extend(useless.map(|kid| format!("key {kid} checks none of allowed_algorithms")));
}
