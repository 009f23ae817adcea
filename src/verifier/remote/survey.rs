//! Checks a provider for operators: fetches the provider's documents once and reports what is wrong with the documents.
//! Never caches a document.

use std::sync::Arc;

use serde_json::Value;

use super::source::{FetchedKeys, Source};
use super::{Discovery, FetchError, Resolver};
use crate::jose::{KeySet, SignatureAlgorithm};
use crate::verifier::Provider;

/// Report on a provider's key set and discovery document, for operators.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Survey {
    /// URL or file of the provider's key set.
    pub keys_at: String,
    /// `kid` of each usable key in the key set, with the key's algorithms.
    pub keys: Vec<(String, Vec<&'static str>)>,
    /// Problems of the provider's documents, one sentence each. Empty if no problem was found.
    pub findings: Vec<String>,
}

impl Survey {
    /// Fetches and checks a provider's documents.
    ///
    /// # Errors
    /// [`FetchError`] if the documents cannot be fetched, so that no token of the provider can be verified.
    pub async fn of(provider: &Provider, resolver: Arc<dyn Resolver>) -> Result<Self, FetchError> {
        let FetchedKeys { place, discovery, keys, .. } = Source::of(provider, resolver)?.fetch().await?;
        let mut findings = Vec::new();
        if let Some(discovery) = &discovery {
            check_discovery(provider, discovery, &mut findings);
        }
        check_keys(provider, &keys, &mut findings);
        let named = |kid: &str| {
            let algorithms = keys.find(kid).map(|key| key.algorithms().iter().map(|alg| alg.name()).collect());
            (kid.to_owned(), algorithms.unwrap_or_default())
        };
        Ok(Self { keys_at: place, keys: keys.kids().map(named).collect(), findings })
    }
}

/// Reports members of the discovery document that OpenID Connect Discovery 1.0 §3 requires and that are missing, and
/// members that contradict the provider's configuration.
fn check_discovery(provider: &Provider, discovery: &Discovery, findings: &mut Vec<String>) {
    let listed = |name: &str| discovery.members.get(name).and_then(Value::as_array);
    for name in ["response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported"] {
        if listed(name).is_none_or(Vec::is_empty) {
            findings.push(format!("the discovery document has no {name}: strict clients reject it"));
        }
    }
    if let Some(algorithms) = listed("id_token_signing_alg_values_supported")
        && !provider.algorithms.iter().any(|allowed| algorithms.iter().any(|listed| listed == allowed.name()))
    {
        findings.push("the discovery document lists none of allowed_algorithms".to_owned());
    }
    if let Some(claims) = listed("claims_supported") {
        for claim in
            provider.required_claims.iter().filter(|claim| !claims.iter().any(|listed| listed == claim.as_str()))
        {
            findings.push(format!(
                "required_claims has {claim}, which claims_supported of the discovery document does not list"
            ));
        }
    }
}

fn check_keys(provider: &Provider, keys: &KeySet, findings: &mut Vec<String>) {
    for key in keys.unusable() {
        findings.push(format!("key {} is unusable: {}", key.index + 1, key.reason));
    }
    let allowed = |algorithms: &[SignatureAlgorithm]| algorithms.iter().any(|one| provider.algorithms.contains(one));
    let unusable = keys.kids().filter(|kid| keys.find(kid).is_some_and(|key| !allowed(key.algorithms())));
    findings.extend(unusable.map(|kid| format!("key {kid} fits none of allowed_algorithms")));
}
