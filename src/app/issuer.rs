//! Builds the issuer's URLs, settings and documents from the configuration.

use std::net::SocketAddr;

use super::error::StartError;
use crate::base::{IssuerUrl, Moment};
use crate::config::Config;
use crate::issuer::{Documents, IssuerSettings, Paths};
use crate::keyring::KeyView;
use crate::policy::IssuancePolicy;

/// Renders the discovery document and the key set for a command that exports them.
///
/// # Errors
/// [`StartError::Config`] if `issuer.url` is not set.
pub(crate) fn documents(config: &Config, view: &KeyView, now: Moment) -> Result<Documents, StartError> {
    let Some(url) = &config.issuer.url else {
        return Err(StartError::Config("issuer.url: must be set to export the documents of the issuer".to_owned()));
    };
    let paths = Paths::new(url.clone(), config.server.public_url.clone(), config.issuer.serve_at_root);
    let paths = paths.map_err(|problem| StartError::Config(problem.to_owned()))?;
    Ok(Documents::render(&paths, &issuer_settings(config)?, view, now))
}

/// Returns the URLs of a server that listens on `bound`.
///
/// # Errors
/// [`StartError::Config`] if `issuer.url` is not set and the address is not loopback.
pub(crate) fn paths(config: &Config, bound: SocketAddr) -> Result<Paths, StartError> {
    let config_error = |problem: &str| StartError::Config(problem.to_owned());
    let issuer = match &config.issuer.url {
        Some(url) => url.clone(),
        None => IssuerUrl::parse(&format!("http://{bound}")).map_err(|problem| {
            config_error(&format!("issuer.url: {problem}; it must be set if the server does not listen on loopback"))
        })?,
    };
    Paths::new(issuer, config.server.public_url.clone(), config.issuer.serve_at_root).map_err(config_error)
}

pub(super) fn issuer_settings(config: &Config) -> Result<IssuerSettings, StartError> {
    let tokens = &config.tokens;
    let policy = IssuancePolicy::new(config.issuance.default, config.issuance.rules.clone())
        .map_err(|error| StartError::Config(error.to_string()))?;
    Ok(IssuerSettings {
        default_lifetime: tokens.default_lifetime,
        max_lifetime: tokens.max_lifetime,
        max_build: tokens.max_build,
        tokens_per_build: Some(config.limits.tokens_per_build).filter(|limit| *limit > 0),
        step_tokens_per_build: Some(config.limits.step_tokens_per_build).filter(|limit| *limit > 0),
        subject: config.issuer.subject.clone(),
        presets: config.issuer.claims.clone(),
        extra: config.tokens.extra_claims.clone(),
        policy,
        exchange: config.exchange.enabled,
    })
}
