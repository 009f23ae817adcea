//! Creates verifiers for the providers of a configuration and for this installation's own issuer. `./buildpass.toml` is
//! never read unless the user names the file, because a checkout must not choose which issuers to trust.

use std::sync::Arc;

use super::failure::Failure;
use super::installation::Installation;
use super::keyring;
use crate::base::SystemClock;
use crate::config::{Config, Flags};
use crate::jose::JwkSet;
use crate::verifier::{FixedKeys, Provider, Verifier, Verifiers};

/// A configuration, and verifiers for its providers and for this installation's own issuer.
pub(super) struct Trusted {
    pub(super) config: Config,
    pub(super) verifiers: Verifiers,
}

/// Reads the configuration that `--config` or `$BUILDPASS_CONFIG` names. The verifiers fetch no keys yet.
pub(super) async fn read(installation: &Installation) -> Result<Trusted, Failure> {
    let config = installation.named_config(Flags::default())?;
    let clock = Arc::new(SystemClock::new());
    let mut verifiers: Verifiers = Verifiers::of(config.providers.clone(), clock.clone()).map_err(Failure::refused)?;
    if let Some((issuer, keys)) = own_keys(&config).await? {
        let provider = Provider::own_issuer(&issuer, config.keys.clock_skew, config.tokens.max_lifetime);
        let keys = FixedKeys::read(&serde_json::to_vec(&keys).map_err(Failure::refused)?);
        if let Ok(keys) = keys {
            verifiers = verifiers.and(Verifier::new(provider, Arc::new(keys), clock));
        }
    }
    Ok(Trusted { config, verifiers })
}

/// Returns the URL and the published keys of this installation's own issuer, or `None` if the URL is not configured or
/// no keys exist.
async fn own_keys(config: &Config) -> Result<Option<(String, JwkSet)>, Failure> {
    let Some(issuer) = &config.issuer.url else { return Ok(None) };
    Ok(keyring::published(config).await?.map(|keys| (issuer.as_str().to_owned(), keys)))
}
