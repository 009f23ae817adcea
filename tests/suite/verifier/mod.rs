//! The verifier as a library: accepted and rejected tokens, and sources of keys.

mod checks;
pub(crate) mod forge;
mod kinds;
pub(crate) mod remote;
mod require_token;
mod setup;
pub(crate) mod stranger;
mod strangers;
mod tls;
mod verdicts;

use std::sync::Arc;

use buildpass::base::FieldError;
use buildpass::verifier::{Provider, ProviderSpec, Requirements, TokenRefusal, VerifiedToken, Verifiers};

use self::forge::{AUDIENCE, Forge, ISSUER};
use crate::harness::{START, SettableClock};

/// Provider with an inline key set.
pub(crate) fn spec(forge: &Forge) -> ProviderSpec {
    ProviderSpec {
        kind: "generic".to_owned(),
        issuer: Some(ISSUER.to_owned()),
        jwks: Some(forge.jwks().to_string()),
        required_audience: Some(AUDIENCE.to_owned()),
        ..ProviderSpec::default()
    }
}

/// Verifiers of these providers, at the time of the valid tokens.
pub(crate) fn verifiers(specs: Vec<(&str, ProviderSpec)>) -> (Verifiers, Arc<SettableClock>) {
    let clock = Arc::new(SettableClock::at(START));
    let providers = specs.into_iter().map(|(name, spec)| Provider::new(name, spec)).collect::<Result<Vec<_>, _>>();
    (Verifiers::of(providers.unwrap(), clock.clone()).unwrap(), clock)
}

/// Verifies a token with one provider.
pub(crate) async fn verify_one(spec: ProviderSpec, token: &str) -> Result<VerifiedToken, TokenRefusal> {
    verifiers(vec![("forge", spec)]).0.verify(token, &Requirements::default()).await
}

pub(crate) fn refused(name: &str, spec: ProviderSpec) -> FieldError {
    Provider::new(name, spec).unwrap_err()
}
