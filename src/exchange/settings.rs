//! Settings of the exchange, with the audiences of its flows.

use std::sync::Arc;

use crate::base::{IssuerUrl, Seconds};
use crate::policy::RepositoryPolicies;

/// Settings of one issuer's exchange.
#[derive(Debug, Clone)]
pub struct ExchangeSettings {
    /// Whether the exchange is enabled.
    pub enabled: bool,
    /// URL of the issuer: the `iss` of access tokens.
    pub issuer: String,
    /// Audience of tokens that clients without a secret authenticate with.
    pub api_audience: String,
    /// Audience of RubyGems' flows, unless a role's statement names another.
    pub rubygems_host: String,
    /// Audience of NuGet's flow.
    pub nuget_audience: String,
    /// Audience of registry tokens, and of subject tokens whose provider requires no other.
    pub registry_audience: String,
    /// Maximum lifetime of access tokens.
    pub max_lifetime: Seconds,
    /// Access policies of the registry's repositories.
    pub repositories: Arc<RepositoryPolicies>,
}

/// Default audiences of the flows, derived from the issuer's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultAudiences {
    /// Host of the issuer, without a port.
    pub rubygems_host: String,
    /// Origin of the issuer.
    pub nuget_audience: String,
    /// Host of the issuer with `:registry`.
    pub registry_audience: String,
}

impl DefaultAudiences {
    /// Default audiences of this issuer.
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
