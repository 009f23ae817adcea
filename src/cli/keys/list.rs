//! `keys list` and `keys export`: what stands, and what is published. Reading makes nothing.

use std::sync::Arc;

use clap::Args;

use super::super::failure::Failure;
use super::super::installation::{Place, existing, now};
use super::super::output::{self, Table, cell};
use super::attach;
use crate::base::IssuerId;
use crate::config::{Config, Flags};
use crate::jose::JwkSet;
use crate::keyring::KeyView;

/// List the signing keys: which signs, which stands in reserve, until when
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys list --json | jq -r 'select(.state == \"signing\").kid'")]
pub(in crate::cli) struct List {
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Print the public key set, as it is published
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys export > jwks.json")]
pub(in crate::cli) struct Export {
    /// Print one JSON document, which is what is printed anyway
    #[arg(long)]
    json: bool,
}

/// The keys as they stand, or `None` where none were made yet: reading must not be what makes them.
async fn view(config: &Config) -> Result<Option<Arc<KeyView>>, Failure> {
    let Some(store) = existing(config).await? else { return Ok(None) };
    let read = async {
        if store.read_keys(&IssuerId::main()).await?.rows.is_empty() {
            return Ok(None);
        }
        let keyring = attach(config, Arc::clone(&store)).await?;
        Ok(Some(keyring.view()))
    }
    .await;
    store.close().await;
    read
}

/// The key set as it is published now, or `None` where no keys were made yet.
pub(in crate::cli) async fn published(config: &Config) -> Result<Option<JwkSet>, Failure> {
    let set = |view: Arc<KeyView>| JwkSet { keys: view.published(now()).into_iter().cloned().collect() };
    Ok(view(config).await?.map(set))
}

fn no_keys() {
    output::note("There are no keys yet: the first `buildpass serve` makes them.");
}

impl List {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        let Some(view) = view(&place.config(Flags::default())?).await? else {
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
                cell(row.alg),
                row.state.to_string(),
                cell(row.announced_at),
                cell(row.signs_from),
                cell(row.signs_until),
                cell(row.forget_at),
            ]);
        }
        Ok(table.print()?)
    }
}

impl Export {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        let published = published(&place.config(Flags::default())?).await?;
        if published.is_none() {
            no_keys();
        }
        Ok(output::document(&published.unwrap_or_default())?)
    }
}
