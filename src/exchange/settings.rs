//! What an operator decided about the exchange, and the audiences of its doors.

use std::sync::Arc;

use crate::base::{IssuerUrl, Seconds};
use crate::policy::RepositoryPolicies;

/// The settings of an issuer's exchange.
#[derive(Debug, Clone)]
pub struct ExchangeSettings {
    /// Is it open at all?
    pub enabled: bool,
    /// The issuer's URL: `iss` of what we sign.
    pub issuer: String,
    /// The audience of tokens by which clients without a secret call the API.
    pub api_audience: String,
    /// The audience of RubyGems' doors, where a role's statements name none.
    pub rubygems_host: String,
    /// The audience of NuGet's door.
    pub nuget_audience: String,
    /// The audience of the registry's door, where the provider requires none; also of what it gives.
    pub registry_audience: String,
    /// The longest that anything lives that our keys sign.
    pub max_lifetime: Seconds,
    /// Who may do what in a registry.
    pub repositories: Arc<RepositoryPolicies>,
}

/// The audiences of the three doors where nothing is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultAudiences {
    /// The issuer's host, without a port.
    pub rubygems_host: String,
    /// The issuer's origin.
    pub nuget_audience: String,
    /// The issuer's host with `:registry`.
    pub registry_audience: String,
}

impl DefaultAudiences {
    /// Those of this issuer.
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
