//! `api-keys`: what was given for tokens. A key itself is shown to nobody after it was made.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::failure::Failure;
use super::installation::{Place, now};
use super::output::{self, Table, cell};
use crate::base::{CredentialId, IssuerId, SystemEntropy};
use crate::exchange::{revoke_credential, shown_credential};
use crate::store::{CredentialFilter, Store};

/// Keys and access tokens that were given for tokens
#[derive(Debug, Subcommand)]
pub(super) enum ApiKeys {
    List(List),
    Show(Show),
    Delete(Delete),
}

/// List keys, those that live unless --all
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass api-keys list --user octo --json | jq -r .id")]
pub(super) struct List {
    /// Of this user
    #[arg(long, value_name = "U")]
    user: Option<String>,
    /// Dead ones too
    #[arg(long)]
    all: bool,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Show a key, and the ID token that it was given for
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass api-keys show 0199e0a0-0000-7000-8000-000000000000")]
pub(super) struct Show {
    /// Its id
    id: CredentialId,
}

/// End a key at once; the record of it stays
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass api-keys delete 0199e0a0-0000-7000-8000-000000000000")]
pub(super) struct Delete {
    /// Its id
    id: CredentialId,
}

impl ApiKeys {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        let store = place.required_store().await?;
        let done = match self {
            Self::List(list) => list.run(&*store).await,
            Self::Show(show) => show.run(&*store).await,
            Self::Delete(delete) => delete.run(&*store).await,
        };
        store.close().await;
        done
    }
}

impl List {
    async fn run(self, store: &dyn Store) -> Result<(), Failure> {
        let now = now();
        let filter = CredentialFilter { user: self.user, alive_at: (!self.all).then_some(now), ..Default::default() };
        let found = store.list_credentials(&IssuerId::main(), &filter).await?;
        if self.json {
            return Ok(output::json_lines(found.iter().map(shown_credential))?);
        }
        let mut table = Table::new(&["ID", "DOOR", "NAME", "USER", "EXPIRES", "DEAD"]);
        for key in &found {
            table.row([
                key.id.to_string(),
                key.flow.clone(),
                key.name.clone(),
                cell(key.user.as_ref()),
                key.expires_at.to_string(),
                cell(key.revoked.as_ref().map(|(_, because)| because)),
            ]);
        }
        Ok(table.print()?)
    }
}

impl Show {
    async fn run(self, store: &dyn Store) -> Result<(), Failure> {
        let none = || Failure::refused("there is no key of this id");
        let key = store.show_credential(&IssuerId::main(), self.id).await?.ok_or_else(none)?;
        let token = store.find_id_token(&IssuerId::main(), key.id_token).await?.ok_or_else(none)?;
        let id_token = json!({
            "id": token.id, "provider": token.provider, "received_at": token.received_at,
            "header": text(&token.header), "claims": text(&token.claims),
        });
        Ok(output::document(&json!({ "key": shown_credential(&key), "id_token": id_token }))?)
    }
}

impl Delete {
    async fn run(self, store: &dyn Store) -> Result<(), Failure> {
        let issuer = IssuerId::main();
        if revoke_credential((store, &issuer), self.id, "command", &SystemEntropy, now())
            .await
            .map_err(|error| Failure::unreachable(error.to_string()))?
        {
            return Ok(output::line("dead")?);
        }
        Err(Failure::refused("there is no key of this id"))
    }
}

/// Stored JSON as JSON.
pub(super) fn text(stored: &str) -> Value {
    serde_json::from_str(stored).unwrap_or_default()
}
