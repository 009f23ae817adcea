//! `exchange keys`: lists, shows and revokes the credentials that the exchange issued. The text of a credential is
//! never stored, so no command can print that text.

use clap::{Args, Subcommand};
use serde_json::json;

use super::super::failure::Failure;
use super::super::installation::{Installation, now};
use super::super::output::{self, Table, cell, stored_json};
use crate::base::{CredentialId, IssuerId, SystemEntropy};
use crate::exchange::{credential_view, revoke_credential};
use crate::store::{CredentialFilter, Store};

/// Commands on credentials that the exchange issued.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KeyCommand {
    List(List),
    Show(Show),
    Delete(Delete),
}

/// List issued API keys and access tokens that are neither expired nor revoked
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass exchange keys list --user octo --json | jq -r .id")]
pub(in crate::cli) struct List {
    /// List only the keys of this user
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// List expired and revoked keys too
    #[arg(long)]
    all: bool,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Show an issued key, and the subject token that the key was issued for
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass exchange keys show 0199e0a0-0000-7000-8000-000000000000")]
pub(in crate::cli) struct Show {
    /// Id of the key, as `exchange keys list` prints it
    id: CredentialId,
}

/// Revoke an issued key at once; the record of the key is kept
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass exchange keys delete 0199e0a0-0000-7000-8000-000000000000")]
pub(in crate::cli) struct Delete {
    /// Id of the key, as `exchange keys list` prints it
    id: CredentialId,
}

impl KeyCommand {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let store = installation.required_store().await?;
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
        let filter = CredentialFilter { user: self.user, active_at: (!self.all).then_some(now), ..Default::default() };
        let found = store.list_credentials(&IssuerId::main(), &filter).await?;
        if self.json {
            return Ok(output::json_lines(found.iter().map(credential_view))?);
        }
        let mut table = Table::of_members(&["id", "flow", "name", "user", "expires_at", "revoked_reason"]);
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
        let key = store.show_credential(&IssuerId::main(), self.id).await?.ok_or_else(|| unknown(self.id))?;
        let token = store.find_id_token(&IssuerId::main(), key.id_token).await?.ok_or_else(|| unknown(self.id))?;
        let id_token = json!({
            "id": token.id, "provider": token.provider, "received_at": token.received_at,
            "header": stored_json(&token.header), "claims": stored_json(&token.claims),
        });
        Ok(output::document(&json!({ "key": credential_view(&key), "id_token": id_token }))?)
    }
}

impl Delete {
    async fn run(self, store: &dyn Store) -> Result<(), Failure> {
        let issuer = IssuerId::main();
        if revoke_credential((store, &issuer), self.id, "command", &SystemEntropy, now())
            .await
            .map_err(|error| Failure::unreachable(error.to_string()))?
        {
            return Ok(output::line("revoked")?);
        }
        Err(unknown(self.id))
    }
}

fn unknown(id: CredentialId) -> Failure {
    Failure::refused(format!("there is no key with the id {id}; `buildpass exchange keys list --all` lists all keys"))
}
