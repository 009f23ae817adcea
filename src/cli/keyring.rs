//! Opens the signing keys of an installation, even while a server is running. A command that only reads must never
//! create keys.

use std::sync::Arc;

use super::failure::Failure;
use super::installation::{self, Installation, now};
use crate::base::{IssuerId, SystemClock, SystemEntropy};
use crate::config::{Config, Flags};
use crate::jose::JwkSet;
use crate::keyring::{ActError, KeyRefusal, KeyView, Keyring, KeyringParts};
use crate::store::Store;

/// Opens the keyring with the signing keys in `store`.
pub(super) async fn attach(config: &Config, store: Arc<dyn Store>) -> Result<Keyring, Failure> {
    let parts = KeyringParts {
        store,
        issuer: IssuerId::main(),
        settings: config.keyring(),
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(SystemEntropy),
    };
    Ok(Keyring::attach(parts, &config.keys.kek_source()).await.map_err(ActError::from)?)
}

/// Runs `act` on the keyring, which must have keys, and closes the store afterwards.
pub(super) async fn with_keyring<T>(
    installation: &Installation,
    act: impl AsyncFnOnce(&Keyring) -> Result<T, ActError>,
) -> Result<T, Failure> {
    let config = installation.config(Flags::default())?;
    let store = installation.required_store().await?;
    let done = async {
        if !has_keys(&*store).await? {
            return Err(ActError::from(KeyRefusal::NotBegun).into());
        }
        let keyring = attach(&config, Arc::clone(&store)).await?;
        Ok(act(&keyring).await?)
    }
    .await;
    store.close().await;
    done
}

/// Returns the current keys, or `None` if no keys have been created yet.
pub(super) async fn view(config: &Config) -> Result<Option<Arc<KeyView>>, Failure> {
    let Some(store) = installation::existing(config).await? else { return Ok(None) };
    let read = async {
        if !has_keys(&*store).await? {
            return Ok(None);
        }
        let keyring = attach(config, Arc::clone(&store)).await?;
        Ok(Some(keyring.view()))
    }
    .await;
    store.close().await;
    read
}

/// Returns the published key set, or `None` if no keys have been created yet.
pub(super) async fn published(config: &Config) -> Result<Option<JwkSet>, Failure> {
    let set = |view: Arc<KeyView>| JwkSet { keys: view.published(now()).into_iter().cloned().collect() };
    Ok(view(config).await?.map(set))
}

async fn has_keys(store: &dyn Store) -> Result<bool, Failure> {
    Ok(!store.read_keys(&IssuerId::main()).await?.rows.is_empty())
}
