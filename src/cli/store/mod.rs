//! `store`: updates the schema of the database, and moves an installation to another database.

mod copy;
mod migrate;

use clap::Subcommand;

use super::failure::Failure;
use super::installation::Installation;

/// Commands on the database.
#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    Migrate(migrate::Migrate),
    Copy(copy::Copy),
}

impl StoreCommand {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        match self {
            Self::Migrate(migrate) => migrate.run(installation).await,
            Self::Copy(copy) => copy.run().await,
        }
    }
}
