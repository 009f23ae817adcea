//! `keys`: the signing keys' life, their public halves, and key-encryption keys. No private half is ever printed.

mod adopt;
mod change;
mod list;

use std::sync::Arc;

use clap::Subcommand;

pub(super) use self::list::published;
use super::failure::Failure;
use super::installation::Place;
use crate::base::{IssuerId, SystemClock, SystemEntropy};
use crate::config::{Config, Flags};
use crate::keyring::{ActError, Keyring, KeyringParts};
use crate::store::Store;

/// The signing keys
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    List(list::List),
    Init(adopt::Init),
    Rotate(change::Rotate),
    Revoke(change::Revoke),
    Reseal(change::Reseal),
    Export(list::Export),
    NewKek(change::NewKek),
    Clock(change::Clock),
}

impl Keys {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(place).await,
            Self::Init(init) => init.run(place).await,
            Self::Rotate(rotate) => rotate.run(place).await,
            Self::Revoke(revoke) => revoke.run(place).await,
            Self::Reseal(reseal) => reseal.run(place).await,
            Self::Export(export) => export.run(place).await,
            Self::NewKek(new) => new.run(),
            Self::Clock(clock) => clock.run(place).await,
        }
    }
}

/// The keyring of this installation, with the store that it reads.
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

/// Opens the keys of an installation that has some, and closes the store when `act` is done.
async fn with_keys<T>(place: &Place, act: impl AsyncFnOnce(&Keyring) -> Result<T, ActError>) -> Result<T, Failure> {
    let config = place.config(Flags::default())?;
    let store = place.required_store().await?;
    let done = async {
        if store.read_keys(&IssuerId::main()).await?.rows.is_empty() {
            return Err(ActError::from(crate::keyring::KeyRefusal::NotBegun).into());
        }
        let keyring = attach(&config, Arc::clone(&store)).await?;
        Ok(act(&keyring).await?)
    }
    .await;
    store.close().await;
    done
}
