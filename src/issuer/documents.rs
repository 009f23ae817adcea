//! The public documents as prepared bytes. Rendered when the key set changes, never per request.

use bytes::Bytes;
use serde::Serialize;

use super::paths::Paths;
use super::settings::IssuerSettings;
use crate::base::{Moment, Sha256};
use crate::claims::claims_supported;
use crate::jose::{Algorithm, JwkSet};
use crate::keyring::KeyView;

/// One document, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The JSON text.
    pub bytes: Bytes,
    /// Its strong entity tag (RFC 9110 §8.8.3), quotes included.
    pub etag: String,
}

/// Discovery and key set at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    /// `.well-known/openid-configuration`, and its RFC 8414 alias.
    pub discovery: Document,
    /// `.well-known/jwks`.
    pub jwks: Document,
}

/// OpenID Connect Discovery 1.0 §3: what this issuer can do, and nothing that it can't.
#[derive(Serialize)]
struct Discovery<'a> {
    issuer: &'a str,
    /// Required by Discovery, and by one widely used client; it answers that there is no interactive login.
    authorization_endpoint: String,
    jwks_uri: String,
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: Vec<Algorithm>,
    scopes_supported: [&'static str; 1],
    claims_supported: Vec<String>,
    #[serde(flatten)]
    exchange: Option<Exchange>,
}

/// RFC 8414 §2: where the exchange answers, while it is open.
#[derive(Serialize)]
struct Exchange {
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    grant_types_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 1],
}

impl Exchange {
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
    /// Renders both documents from the keys that may be met now.
    #[must_use]
    pub fn render(paths: &Paths, settings: &IssuerSettings, keys: &KeyView, now: Moment) -> Self {
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
            exchange: settings.exchange.then(|| Exchange::at(paths)),
        };
        let keys = JwkSet { keys: published.into_iter().cloned().collect() };
        Self { discovery: Document::of(&discovery), jwks: Document::of(&keys) }
    }
}

impl Document {
    fn of<T: Serialize>(value: &T) -> Self {
        // Serialising our own structs to memory can't fail; an empty document would be refused by every verifier.
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        let etag = format!("\"{}\"", Sha256::of(&bytes));
        Self { bytes: bytes.into(), etag }
    }
}
