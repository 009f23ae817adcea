//! `keys`: the signing keys' life, their public halves, and a new key-encryption key. No private half is ever printed.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::installation::{Place, now, open};
use super::output::{self, Table, cell};
use crate::base::{IssuerId, SystemClock, SystemEntropy};
use crate::config::{Config, Flags};
use crate::jose::JwkSet;
use crate::keyring::{self, KeyView, Keyring};
use crate::store::Store;

/// The signing keys
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    List(List),
    Export(Export),
    NewKek(NewKek),
}

/// List the signing keys: which signs, which stands in reserve, until when
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys list --json | jq -r 'select(.state == \"signing\").kid'")]
pub(super) struct List {
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Print the public key set, as it is published
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys export > jwks.json")]
pub(super) struct Export {
    /// Print one JSON document, which is what is printed anyway
    #[arg(long)]
    json: bool,
}

/// Make a key-encryption key: the secret under which the database keeps the signing keys
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys new-kek keys/master-2.key

Then list it in keys.key_encryption_keys. Keep a copy where the database's copies are not: neither is of use alone.")]
pub(super) struct NewKek {
    /// The file to make; never one that is there already
    file: PathBuf,
}

impl Keys {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(place).await,
            Self::Export(export) => export.run(place).await,
            Self::NewKek(new) => new.run(),
        }
    }
}

/// The keys as they stand, or `None` where no first start has made any: reading must not be what makes them.
async fn view(place: &Place) -> Result<Option<Arc<KeyView>>, Failure> {
    let config = place.config(Flags::default())?;
    if !config.store.path.try_exists()? {
        return Ok(None);
    }
    let store = open(&config).await?;
    let view = read(&config, Arc::clone(&store)).await;
    store.close().await;
    view
}

async fn read(config: &Config, store: Arc<dyn Store>) -> Result<Option<Arc<KeyView>>, Failure> {
    let issuer = IssuerId::main();
    if store.read_keys(&issuer).await?.rows.is_empty() {
        return Ok(None);
    }
    let keyring = Keyring::open(
        store,
        issuer,
        &config.keys.kek_source(),
        config.keyring(),
        Arc::new(SystemClock::new()),
        Arc::new(SystemEntropy),
    )
    .await
    .map_err(|error| Failure::unreachable(error.to_string()))?;
    Ok(Some(keyring.view()))
}

fn no_keys() {
    output::note("There are no keys yet: the first `buildpass serve` makes them.");
}

impl List {
    async fn run(self, place: &Place) -> Result<(), Failure> {
        let Some(view) = view(place).await? else {
            no_keys();
            return Ok(());
        };
        let rows = view.list(now());
        if self.json {
            return Ok(output::json_lines(rows)?);
        }
        let mut table = Table::new(&["KID", "ALG", "STATE", "ANNOUNCED AT", "SIGNS FROM", "SIGNS UNTIL", "FORGET AT"]);
        for row in rows {
            table.row([
                row.kid.clone(),
                row.alg.to_string(),
                row.state.to_string(),
                row.announced_at.to_string(),
                row.signs_from.to_string(),
                cell(row.signs_until),
                cell(row.forget_at),
            ]);
        }
        Ok(table.print()?)
    }
}

impl Export {
    async fn run(self, place: &Place) -> Result<(), Failure> {
        let Some(view) = view(place).await? else {
            no_keys();
            return Ok(output::document(&JwkSet::default())?);
        };
        let keys = view.published(now()).into_iter().cloned().collect();
        Ok(output::document(&JwkSet { keys })?)
    }
}

impl NewKek {
    fn run(self) -> Result<(), Failure> {
        keyring::make_kek_file(&self.file, &SystemEntropy).map_err(|error| Failure::unreachable(error.to_string()))?;
        output::note(&format!("{} holds a new key-encryption key, mode 0600.", self.file.display()));
        Ok(())
    }
}
