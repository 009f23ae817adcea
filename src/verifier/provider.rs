//! One provider of tokens as an operator configures it, checked. Holds no keys and judges no token.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use super::providers::ProviderKind;
use super::{AllowedAddress, FixedKeys, MAX_TOLERANCE, NetworkAccess};
use crate::base::{FieldError, Seconds};
use crate::jose::SignatureAlgorithm;

/// The tolerance between clocks where none is configured.
const DEFAULT_TOLERANCE: Seconds = Seconds::new(60);
/// How old a key set may grow before it is fetched again, where nothing is configured.
const DEFAULT_REFRESH: Seconds = Seconds::new(3_600);
/// How old a key set may be at all, where nothing is configured.
const DEFAULT_HARD_STOP: Seconds = Seconds::new(24 * 3_600);
/// The longest that a foreign token may ever live.
const LONGEST_LIFETIME: Seconds = Seconds::new(30 * 24 * 3_600);

/// A provider as it is written: what is `None` comes from its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSpec {
    /// The kind's name: `generic`, `github`, …
    #[serde(rename = "provider")]
    pub kind: String,
    /// `iss` of its tokens, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The URL of its key set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Its key set, written down.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "document")]
    pub jwks: Option<String>,
    /// A file that holds its key set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// The one audience of its tokens, where the door has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_audience: Option<String>,
    /// Between clocks; at most 300 s.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub clock_skew_tolerance: Option<Seconds>,
    /// How old a key set may grow before it is fetched again.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub jwks_refresh_interval: Option<Seconds>,
    /// How old a key set may be at all.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub jwks_hard_stop: Option<Seconds>,
    /// Claims that must be there and not null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_claims: Option<Vec<String>>,
    /// Algorithms that it may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_algorithms: Option<Vec<SignatureAlgorithm>>,
    /// The longest that its tokens may live.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub max_token_lifetime: Option<Seconds>,
    /// Hosts other than the issuer's that may serve its keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_hosts: Option<Vec<String>>,
    /// Private addresses and names that may be dialled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_private: Vec<String>,
    /// Certificates (PEM) that its server's must lead to, instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_ca_bundle: Option<PathBuf>,
    /// Our certificate for its server, with its chain (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_bundle: Option<PathBuf>,
    /// The key of that certificate (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_private_key_file: Option<PathBuf>,
    /// A file that holds a bearer token for the issuer's origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token_file: Option<PathBuf>,
    /// May the holder of a good token of this provider read which claim failed?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explain_to_holders: bool,
}

impl ProviderSpec {
    /// Does it name files, which are of one machine?
    #[must_use]
    pub const fn names_files(&self) -> bool {
        self.jwks_file.is_some()
            || self.server_ca_bundle.is_some()
            || self.client_certificate_bundle.is_some()
            || self.client_private_key_file.is_some()
            || self.bearer_token_file.is_some()
    }
}

/// A JSON document that is kept as its text.
mod document {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
        let value = text.as_deref().map(serde_json::from_str::<Value>).transpose();
        value.map_err(serde::ser::Error::custom)?.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
        let value = serde_json::Map::deserialize(deserializer)?;
        serde_json::to_string(&value).map(Some).map_err(serde::de::Error::custom)
    }
}

/// Where a provider's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOrigin {
    /// Its discovery document (OpenID Connect Discovery 1.0 §4).
    Discovery,
    /// This URL.
    Uri(Url),
    /// Written down.
    Inline(String),
    /// This file.
    File(PathBuf),
    /// Our own keyring.
    Own,
}

/// A provider, checked.
#[derive(Debug, Clone)]
pub struct Provider {
    spec: ProviderSpec,
    pub(super) name: Arc<str>,
    pub(super) kind: &'static ProviderKind,
    pub(super) issuer: String,
    pub(super) keys: KeyOrigin,
    pub(super) required_audience: Option<String>,
    pub(super) required_claims: Vec<String>,
    pub(super) algorithms: Vec<SignatureAlgorithm>,
    pub(super) tolerance: Seconds,
    pub(super) max_lifetime: Seconds,
    pub(super) refresh_interval: Seconds,
    pub(super) hard_stop: Seconds,
    pub(super) explain_to_holders: bool,
    pub(super) network: NetworkAccess,
}

impl Provider {
    /// Checks a provider. `name` is what policies, refusals and logs call it.
    ///
    /// # Errors
    /// [`FieldError`] names the field, what is wrong with it and what would be right.
    pub fn new(name: &str, spec: ProviderSpec) -> Result<Self, FieldError> {
        let written = spec.clone();
        let fault = |field: &str, problem: String| FieldError::new(field, problem);
        let printable = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(printable) || name == ProviderKind::own_issuer().name
        {
            let problem = "must be 1 to 64 letters, digits, dots, hyphens and underscores, and not self";
            return Err(fault("name", problem.to_owned()));
        }
        let kind = ProviderKind::named(&spec.kind).ok_or_else(|| {
            fault("provider", format!("must be {}, not {:?}", ProviderKind::names().join(", "), spec.kind))
        })?;
        let issuer = match (spec.issuer, kind.issuer) {
            (Some(issuer), _) => issuer,
            (None, Some(issuer)) => issuer.to_owned(),
            (None, None) => return Err(fault("issuer", format!("is missing; {} has no issuer of its own", kind.name))),
        };
        let allowed = spec.allow_private.iter().map(|text| AllowedAddress::parse(text));
        let allowed = allowed.collect::<Result<Vec<_>, _>>().map_err(|problem| fault("allow_private", problem))?;
        let issuer_url = Url::parse(&issuer).map_err(|_| fault("issuer", "is not a URL".to_owned()))?;
        let hosts = spec.jwks_hosts.unwrap_or_else(|| kind.key_hosts.iter().map(|host| (*host).to_owned()).collect());
        let network = NetworkAccess {
            key_hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            allowed,
            server_ca_bundle: spec.server_ca_bundle,
            client_identity: match (spec.client_certificate_bundle, spec.client_private_key_file) {
                (Some(certificate), Some(key)) => Some((certificate, key)),
                (None, None) => None,
                (Some(_), None) => {
                    return Err(fault("client_private_key_file", "is missing beside the certificate".to_owned()));
                }
                (None, Some(_)) => {
                    return Err(fault("client_certificate_bundle", "is missing beside the private key".to_owned()));
                }
            },
            bearer_token_file: spec.bearer_token_file,
        };
        if issuer_url.query().is_some() || issuer_url.fragment().is_some() {
            return Err(fault("issuer", "must have no query and no fragment".to_owned()));
        }
        (kind.issuer_form)(&issuer).map_err(|problem| fault("issuer", problem.to_owned()))?;
        let keys = match (spec.jwks_uri, spec.jwks, spec.jwks_file) {
            (None, None, None) => {
                network.check_url(&issuer_url).map_err(|problem| fault("issuer", problem.to_string()))?;
                KeyOrigin::Discovery
            }
            (Some(uri), None, None) => {
                let uri = Url::parse(&uri).map_err(|_| fault("jwks_uri", "is not a URL".to_owned()))?;
                network.check_url(&uri).map_err(|problem| fault("jwks_uri", problem.to_string()))?;
                KeyOrigin::Uri(uri)
            }
            (None, Some(document), None) => {
                FixedKeys::read(document.as_bytes()).map_err(|error| fault("jwks", error.to_string()))?;
                KeyOrigin::Inline(document)
            }
            (None, None, Some(file)) => KeyOrigin::File(file),
            _ => return Err(fault("jwks", "give one of jwks_uri, jwks and jwks_file alone".to_owned())),
        };
        let tolerance = spec.clock_skew_tolerance.unwrap_or(DEFAULT_TOLERANCE);
        if tolerance > MAX_TOLERANCE {
            return Err(fault("clock_skew_tolerance", format!("must be at most {MAX_TOLERANCE}")));
        }
        let algorithms = spec.allowed_algorithms.unwrap_or_else(|| kind.algorithms.to_vec());
        if algorithms.is_empty() {
            return Err(fault("allowed_algorithms", "must hold at least one algorithm".to_owned()));
        }
        let max_lifetime = spec.max_token_lifetime.unwrap_or(kind.max_lifetime);
        if max_lifetime == Seconds::ZERO || max_lifetime > LONGEST_LIFETIME {
            return Err(fault("max_token_lifetime", "must be from 1s to 30d".to_owned()));
        }
        let refresh_interval = spec.jwks_refresh_interval.unwrap_or(DEFAULT_REFRESH);
        let hard_stop = spec.jwks_hard_stop.unwrap_or_else(|| DEFAULT_HARD_STOP.max(refresh_interval));
        if refresh_interval == Seconds::ZERO || hard_stop < refresh_interval {
            let problem = "must be at least 1s, and at most jwks_hard_stop".to_owned();
            return Err(fault("jwks_refresh_interval", problem));
        }
        let blank = |text: &String| text.is_empty() || text.chars().any(char::is_control);
        if spec.required_audience.as_ref().is_some_and(blank) {
            return Err(fault("required_audience", "must not be empty, nor hold control characters".to_owned()));
        }
        let required = spec
            .required_claims
            .unwrap_or_else(|| kind.required_claims.iter().map(|claim| (*claim).to_owned()).collect());
        if required.iter().any(blank) {
            return Err(fault("required_claims", "must hold names of claims".to_owned()));
        }
        Ok(Self {
            spec: written,
            name: name.into(),
            kind,
            issuer,
            keys,
            required_audience: spec.required_audience,
            required_claims: required,
            algorithms,
            tolerance,
            max_lifetime,
            refresh_interval,
            hard_stop,
            explain_to_holders: spec.explain_to_holders,
            network,
        })
    }

    /// Do these entries go together? `own` is our own issuer's URL, where there is one.
    ///
    /// # Errors
    /// [`FieldError`] where a name stands twice, where one names our own issuer, and where one token could be good for
    /// two: entries of one issuer must each have a `required_audience`, and differ in it.
    pub fn check_all<'a>(providers: impl IntoIterator<Item = &'a Self>, own: Option<&str>) -> Result<(), FieldError> {
        let mut seen: Vec<&Self> = Vec::new();
        for provider in providers {
            let fault = |problem: String| Err(FieldError::new(format!("oidc.{}", provider.name), problem));
            if own == Some(provider.issuer()) {
                return fault("has our own issuer, which is always there under the name self".to_owned());
            }
            for other in &seen {
                if other.name == provider.name {
                    return fault("stands twice".to_owned());
                }
                let (here, there) = (provider.required_audience(), other.required_audience());
                if other.issuer == provider.issuer && (here.is_none() || there.is_none() || here == there) {
                    let other = &other.name;
                    return fault(format!(
                        "has the issuer of {other}; two entries of one issuer each need a required_audience, and not \
                         the same"
                    ));
                }
            }
            seen.push(provider);
        }
        Ok(())
    }

    /// Our own issuer: always there, never configured. Its keys come from whoever holds them.
    #[must_use]
    pub fn own_issuer(issuer: &str, tolerance: Seconds, max_lifetime: Seconds) -> Self {
        let kind = ProviderKind::own_issuer();
        Self {
            spec: ProviderSpec::default(),
            name: kind.name.into(),
            kind,
            issuer: issuer.to_owned(),
            keys: KeyOrigin::Own,
            required_audience: None,
            required_claims: kind.required_claims.iter().map(|claim| (*claim).to_owned()).collect(),
            algorithms: kind.algorithms.to_vec(),
            tolerance,
            max_lifetime,
            refresh_interval: DEFAULT_REFRESH,
            hard_stop: DEFAULT_HARD_STOP,
            explain_to_holders: true,
            network: NetworkAccess::default(),
        }
    }

    /// As it was written.
    #[must_use]
    pub const fn spec(&self) -> &ProviderSpec {
        &self.spec
    }

    /// Does it decide about every token as `other` does? Where its keys are fetched counts, and not how often.
    #[must_use]
    pub fn decides_like(&self, other: &Self) -> bool {
        let decisive = |provider: &Self| {
            (
                provider.kind.name,
                provider.issuer.clone(),
                provider.keys.clone(),
                provider.required_audience.clone(),
                provider.required_claims.clone(),
                provider.algorithms.clone(),
                (provider.tolerance, provider.max_lifetime),
            )
        };
        decisive(self) == decisive(other)
    }

    /// The longest that its tokens live.
    #[must_use]
    pub const fn max_lifetime(&self) -> Seconds {
        self.max_lifetime
    }

    /// The claim that no two of its tokens share.
    #[must_use]
    pub const fn token_id(&self) -> &'static str {
        self.kind.token_id
    }

    /// Is it our own issuer?
    #[must_use]
    pub fn is_own_issuer(&self) -> bool {
        self.keys == KeyOrigin::Own
    }

    /// What policies, refusals and logs call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind's name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind.name
    }

    /// `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The one audience of its tokens, where the door has none of its own.
    #[must_use]
    pub fn required_audience(&self) -> Option<&str> {
        self.required_audience.as_deref()
    }

    /// Where its keys come from.
    #[must_use]
    pub const fn keys(&self) -> &KeyOrigin {
        &self.keys
    }

    /// May the holder of a good token of this provider read which claim failed?
    #[must_use]
    pub const fn explains_to_holders(&self) -> bool {
        self.explain_to_holders
    }
}
