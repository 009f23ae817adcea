//! `keys`: manages signing keys and key-encryption keys. A private key is never printed.

mod adopt;
mod change;
mod list;

use clap::Subcommand;

use super::failure::Failure;
use super::installation::Installation;

/// Commands on signing keys.
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
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(installation).await,
            Self::Init(init) => init.run(installation).await,
            Self::Rotate(rotate) => rotate.run(installation).await,
            Self::Revoke(revoke) => revoke.run(installation).await,
            Self::Reseal(reseal) => reseal.run(installation).await,
            Self::Export(export) => export.run(installation).await,
            Self::NewKek(new) => new.run(),
            Self::Clock(clock) => clock.run(installation).await,
        }
    }
}
