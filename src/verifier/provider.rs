//! The configuration of one provider, and the checks of the configuration. No code in this file fetches keys or
//! verifies a token.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use super::providers::ProviderKind;
use super::{AllowedAddress, FixedKeys, MAX_TOLERANCE, NetworkAccess};
use crate::base::{FieldError, Seconds};
use crate::jose::SignatureAlgorithm;

/// Default tolerance between the provider's clock and ours.
const DEFAULT_TOLERANCE: Seconds = Seconds::new(60);
/// Default age at which a provider's key set is fetched again.
const DEFAULT_REFRESH: Seconds = Seconds::new(3_600);
/// Default age at which a provider's key set is no longer used.
const DEFAULT_HARD_STOP: Seconds = Seconds::new(24 * 3_600);
/// Largest value that `max_token_lifetime` may have.
const LONGEST_LIFETIME: Seconds = Seconds::new(30 * 24 * 3_600);

/// Configuration of a provider as written, before any check. A field that is `None` gets the default of the provider's
/// kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSpec {
    /// Kind of the provider, such as `generic` or `github`.
    #[serde(rename = "provider")]
    pub kind: String,
    /// Issuer of the provider's tokens. `iss` is compared with this URL byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// URL of the provider's key set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The provider's key set as JSON; `None` if the keys are fetched or read from a file.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "document")]
    pub jwks: Option<String>,
    /// File that contains the provider's key set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// The only audience that the provider's tokens may have. The code that verifies a token may require another
    /// audience instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_audience: Option<String>,
    /// Tolerance between the provider's clock and ours, at most 300 s.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub clock_skew_tolerance: Option<Seconds>,
    /// Age at which the provider's key set is fetched again.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub jwks_refresh_interval: Option<Seconds>,
    /// Age at which the provider's key set is no longer used.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub jwks_hard_stop: Option<Seconds>,
    /// Names of the claims that each token must have with a value other than null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_claims: Option<Vec<String>>,
    /// Signature algorithms that the provider's tokens may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_algorithms: Option<Vec<SignatureAlgorithm>>,
    /// Maximum lifetime of the provider's tokens.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub max_token_lifetime: Option<Seconds>,
    /// Hosts, besides the issuer's host, that may serve the provider's key set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_hosts: Option<Vec<String>>,
    /// Private addresses that may be connected to, and host names that may have private addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_private: Vec<String>,
    /// File with the root certificates (PEM) for the provider's server, in place of the system's root certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_ca_bundle: Option<PathBuf>,
    /// File with our client certificate for the provider's server, and the certificate's chain (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_bundle: Option<PathBuf>,
    /// File with the private key of our client certificate (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_private_key_file: Option<PathBuf>,
    /// File with a bearer token that is sent to the issuer's origin only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token_file: Option<PathBuf>,
    /// Whether the response to a rejected token names the claim that failed. Applies only to tokens with a valid
    /// signature.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explain_to_holders: bool,
}

impl ProviderSpec {
    /// Returns whether the provider's configuration names files. Files exist on one machine only, so a provider with
    /// files must be declared in the configuration.
    #[must_use]
    pub const fn names_files(&self) -> bool {
        self.jwks_file.is_some()
            || self.server_ca_bundle.is_some()
            || self.client_certificate_bundle.is_some()
            || self.client_private_key_file.is_some()
            || self.bearer_token_file.is_some()
    }
}

/// Reads and writes a JSON document that is kept as text.
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

/// Place that a provider's key set comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOrigin {
    /// The key set is at the URL that the provider's discovery document names (OpenID Connect Discovery 1.0 §4).
    Discovery,
    /// The key set is at this URL.
    Uri(Url),
    /// The key set is this JSON, from the provider's configuration.
    Inline(String),
    /// The key set is in this file.
    File(PathBuf),
    /// The key set is the keyring of our own issuer.
    Own,
}

/// A provider: an issuer whose tokens are verified, with a checked configuration.
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
    /// Checks the configuration of a provider. Policies, refusals and logs refer to the provider by `name`.
    ///
    /// # Errors
    /// [`FieldError`] names the first invalid field, what is wrong and what would be right.
    pub fn new(name: &str, spec: ProviderSpec) -> Result<Self, FieldError> {
        let original = spec.clone();
        let fault = |field: &str, problem: String| FieldError::new(field, problem);
        let printable = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(printable) || name == ProviderKind::own_issuer().name
        {
            let problem = "must be 1 to 64 letters, digits, dots, hyphens and underscores, and must not be self";
            return Err(fault("name", problem.to_owned()));
        }
        let kind = ProviderKind::named(&spec.kind).ok_or_else(|| {
            let known = ProviderKind::names().join(", ");
            fault("provider", format!("unknown kind {:?}; must be one of {known}", spec.kind))
        })?;
        let issuer = match (spec.issuer, kind.issuer) {
            (Some(issuer), _) => issuer,
            (None, Some(issuer)) => issuer.to_owned(),
            (None, None) => {
                return Err(fault("issuer", format!("is missing: the kind {} has no default issuer", kind.name)));
            }
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
                    return Err(fault(
                        "client_private_key_file",
                        "is missing: client_certificate_bundle needs it".to_owned(),
                    ));
                }
                (None, Some(_)) => {
                    return Err(fault(
                        "client_certificate_bundle",
                        "is missing: client_private_key_file needs it".to_owned(),
                    ));
                }
            },
            bearer_token_file: spec.bearer_token_file,
        };
        if issuer_url.query().is_some() || issuer_url.fragment().is_some() {
            return Err(fault("issuer", "must not have a query or fragment".to_owned()));
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
            _ => return Err(fault("jwks", "set only one of jwks_uri, jwks and jwks_file".to_owned())),
        };
        let tolerance = spec.clock_skew_tolerance.unwrap_or(DEFAULT_TOLERANCE);
        if tolerance > MAX_TOLERANCE {
            return Err(fault("clock_skew_tolerance", format!("must be at most {MAX_TOLERANCE}")));
        }
        let algorithms = spec.allowed_algorithms.unwrap_or_else(|| kind.algorithms.to_vec());
        if algorithms.is_empty() {
            return Err(fault("allowed_algorithms", "must name at least one algorithm".to_owned()));
        }
        let max_lifetime = spec.max_token_lifetime.unwrap_or(kind.max_lifetime);
        if max_lifetime == Seconds::ZERO || max_lifetime > LONGEST_LIFETIME {
            return Err(fault("max_token_lifetime", "must be from 1s to 30d".to_owned()));
        }
        let refresh_interval = spec.jwks_refresh_interval.unwrap_or(DEFAULT_REFRESH);
        let hard_stop = spec.jwks_hard_stop.unwrap_or_else(|| DEFAULT_HARD_STOP.max(refresh_interval));
        if refresh_interval == Seconds::ZERO || hard_stop < refresh_interval {
            let problem = "must be at least 1s and at most jwks_hard_stop".to_owned();
            return Err(fault("jwks_refresh_interval", problem));
        }
        let blank = |text: &String| text.is_empty() || text.chars().any(char::is_control);
        if spec.required_audience.as_ref().is_some_and(blank) {
            return Err(fault("required_audience", "must not be empty or contain control characters".to_owned()));
        }
        let required = spec
            .required_claims
            .unwrap_or_else(|| kind.required_claims.iter().map(|claim| (*claim).to_owned()).collect());
        if required.iter().any(blank) {
            return Err(fault(
                "required_claims",
                "must be names of claims, not empty and without control characters".to_owned(),
            ));
        }
        Ok(Self {
            spec: original,
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

    /// Checks that no two of the providers conflict. `own` is the URL of our own issuer, if there is one.
    ///
    /// # Errors
    /// [`FieldError`] for a duplicate name, for a provider with the URL of our own issuer, and for two providers that
    /// could accept the same token: providers with the same issuer must each have a different `required_audience`.
    pub fn check_all<'a>(providers: impl IntoIterator<Item = &'a Self>, own: Option<&str>) -> Result<(), FieldError> {
        let mut seen: Vec<&Self> = Vec::new();
        for provider in providers {
            let fault = |problem: String| Err(FieldError::new(format!("oidc.{}", provider.name), problem));
            if own == Some(provider.issuer()) {
                return fault("has the URL of our own issuer, which is built in as the provider self".to_owned());
            }
            for other in &seen {
                if other.name == provider.name {
                    return fault("duplicate provider name".to_owned());
                }
                let (here, there) = (provider.required_audience(), other.required_audience());
                if other.issuer == provider.issuer && (here.is_none() || there.is_none() || here == there) {
                    let other = &other.name;
                    return fault(format!(
                        "has the same issuer as {other}: providers with one issuer must each have a different \
                         required_audience"
                    ));
                }
            }
            seen.push(provider);
        }
        Ok(())
    }

    /// Creates the provider that stands for our own issuer, which no configuration declares. The calling code supplies
    /// the keys.
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

    /// Returns the provider's configuration as written.
    #[must_use]
    pub const fn spec(&self) -> &ProviderSpec {
        &self.spec
    }

    /// Returns whether this provider and `other` accept the same tokens. Compares where the keys come from, but not how
    /// often the keys are fetched.
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

    /// Returns the maximum lifetime of the provider's tokens.
    #[must_use]
    pub const fn max_lifetime(&self) -> Seconds {
        self.max_lifetime
    }

    /// Returns the name of the claim that is unique to each of the provider's tokens.
    #[must_use]
    pub const fn token_id(&self) -> &'static str {
        self.kind.token_id
    }

    /// Returns whether the provider is our own issuer.
    #[must_use]
    pub fn is_own_issuer(&self) -> bool {
        self.keys == KeyOrigin::Own
    }

    /// Returns the provider's name, which policies, refusals and logs use.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of the provider's kind, such as `github`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind.name
    }

    /// Returns the issuer of the provider's tokens, which is the value of `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the only audience that the provider's tokens may have. The code that verifies a token may require
    /// another audience instead.
    #[must_use]
    pub fn required_audience(&self) -> Option<&str> {
        self.required_audience.as_deref()
    }

    /// Returns the place that the provider's key set comes from.
    #[must_use]
    pub const fn keys(&self) -> &KeyOrigin {
        &self.keys
    }

    /// Returns whether the response to a rejected token names the claim that failed. Applies only to tokens with a
    /// valid signature.
    #[must_use]
    pub const fn explains_to_holders(&self) -> bool {
        self.explain_to_holders
    }
}
