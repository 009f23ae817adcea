//! The discovery document and the key set as bytes that are ready to send. The documents are rendered when the key set
//! changes, never per request.

use bytes::Bytes;
use serde::Serialize;

use super::paths::Paths;
use super::settings::IssuerSettings;
use crate::base::{Moment, Sha256};
use crate::claims::claims_supported;
use crate::jose::{Algorithm, JwkSet};
use crate::keyring::KeyView;

/// A public JSON document, ready to send, with the value of the `ETag` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    /// Text of the document as JSON.
    pub(crate) bytes: Bytes,
    /// Strong entity tag of the document (RFC 9110 §8.8.3), quotes included.
    pub(crate) etag: String,
}

/// Discovery document and key set, rendered at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Documents {
    /// Body of `.well-known/openid-configuration` and of `.well-known/oauth-authorization-server` (RFC 8414).
    pub(crate) discovery: Document,
    /// Body of `.well-known/jwks`.
    pub(crate) jwks: Document,
}

/// Discovery document: provider metadata of OpenID Connect Discovery 1.0 §3. The document lists only what this issuer
/// supports.
#[derive(Serialize)]
struct Discovery<'a> {
    issuer: &'a str,
    /// URL that OpenID Connect Discovery and one widely used client require. The endpoint answers that there is no
    /// interactive login.
    authorization_endpoint: String,
    jwks_uri: String,
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: Vec<Algorithm>,
    scopes_supported: [&'static str; 1],
    claims_supported: Vec<String>,
    #[serde(flatten)]
    exchange: Option<ExchangeEndpoints>,
}

/// Endpoints of the exchange (RFC 8414 §2), listed if the exchange is enabled.
#[derive(Serialize)]
struct ExchangeEndpoints {
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    grant_types_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 1],
}

impl ExchangeEndpoints {
    fn at(paths: &Paths) -> Self {
        Self {
            token_endpoint: paths.api("/oauth/token"),
            introspection_endpoint: paths.api("/oauth/introspect"),
            revocation_endpoint: paths.api("/oauth/revoke"),
            grant_types_supported: ["urn:ietf:params:oauth:grant-type:token-exchange"],
            token_endpoint_auth_methods_supported: ["none"],
        }
    }
}

impl Documents {
    /// Renders the discovery document and the key set, with the public keys that verifiers may need at `now`.
    #[must_use]
    pub(crate) fn render(paths: &Paths, settings: &IssuerSettings, keys: &KeyView, now: Moment) -> Self {
        let published = keys.published(now);
        let mut algorithms: Vec<_> =
            Algorithm::ALL.into_iter().filter(|alg| published.iter().any(|jwk| jwk.algorithm() == *alg)).collect();
        algorithms.sort_by_key(|alg| {
            let listed = keys.algorithms().iter().position(|listed| listed == alg);
            listed.unwrap_or(usize::MAX)
        });
        let discovery = Discovery {
            issuer: paths.issuer().as_str(),
            authorization_endpoint: paths.authorize(),
            jwks_uri: paths.jwks(),
            response_types_supported: ["id_token"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: algorithms,
            scopes_supported: ["openid"],
            claims_supported: claims_supported(&settings.presets, &settings.extra),
            exchange: settings.exchange.then(|| ExchangeEndpoints::at(paths)),
        };
        let keys = JwkSet { keys: published.into_iter().cloned().collect() };
        Self { discovery: Document::of(&discovery), jwks: Document::of(&keys) }
    }
}

impl Document {
    fn of<T: Serialize>(value: &T) -> Self {
        // Serialising these structs to memory cannot fail. If it did, the document would be empty, and every verifier
        // would reject it.
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        let etag = format!("\"{}\"", Sha256::of(&bytes));
        Self { bytes: bytes.into(), etag }
    }
}
