//! Settings of an issuer's exchange, which include the audiences that the flows require.

use std::sync::Arc;

use crate::base::{IssuerUrl, Seconds};
use crate::policy::RepositoryPolicies;

/// Settings of one issuer's exchange.
#[derive(Debug, Clone)]
pub struct ExchangeSettings {
    /// Whether the exchange is enabled.
    pub enabled: bool,
    /// URL of the issuer, which is the `iss` of access tokens.
    pub issuer: String,
    /// Audience of the ID tokens with which clients without a secret authenticate at our API.
    pub api_audience: String,
    /// Audience that RubyGems' flows require, unless a role's statement names another audience.
    pub rubygems_host: String,
    /// Audience that NuGet's flow requires.
    pub nuget_audience: String,
    /// Audience of the access tokens for container registries. The registry's flow requires the same audience of
    /// subject tokens, unless the provider requires another audience.
    pub registry_audience: String,
    /// Maximum lifetime of the access tokens that the exchange issues.
    pub max_lifetime: Seconds,
    /// Access policies for the repositories of container registries.
    pub repositories: Arc<RepositoryPolicies>,
}

/// Audiences that the flows require by default, derived from the issuer's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultAudiences {
    /// Default audience of RubyGems' flows: the host of the issuer's URL, without a port.
    pub rubygems_host: String,
    /// Default audience of NuGet's flow: the origin of the issuer's URL.
    pub nuget_audience: String,
    /// Default audience of the registry's flow: the host of the issuer's URL, followed by `:registry`.
    pub registry_audience: String,
}

impl DefaultAudiences {
    /// Returns the default audiences for the issuer with this URL.
    #[must_use]
    pub fn of(issuer: &IssuerUrl) -> Self {
        let host = issuer.host();
        Self {
            rubygems_host: host.clone(),
            nuget_audience: issuer.origin().to_owned(),
            registry_audience: format!("{host}:registry"),
        }
    }
}
