//! Clients. Never holds a secret: its digest alone.

use super::credential_revocation::{RevocationCause, revoke_where};
use super::fault::unavailable;
use super::fields::{Fields, stored_json};
use super::{Backend, DbConnection, DbRow, declared};
use crate::base::{ClientId, IssuerId, Moment, Sha256};
use crate::policy::{Client, ClientIdentity};
use crate::store::{
    ClientChange, ClientExists, ClientSecret, Clients, DeclaredClient, Disabled, NameTaken, StoreError, StoredClient,
};
use async_trait::async_trait;

/// The columns that [`read_client`] reads, of `clients as c`.
macro_rules! client_columns {
    () => {
        "c.id, c.name, c.scopes, c.organizations, c.audiences, c.ids, c.provider, c.subject, c.created_at, \
         c.disabled_at, c.declared, c.revision"
    };
}
pub(super) use client_columns;

/// Reads [`client_columns`].
pub(super) fn read_client(fields: &mut Fields<'_>) -> Result<Client, StoreError> {
    fields.continue_with("clients");
    Ok(Client {
        id: ClientId::from_text(fields.text("id")?),
        name: fields.text("name")?,
        scopes: fields.json("scopes")?,
        organizations: fields.json("organizations")?,
        audiences: fields.json("audiences")?,
        ids: fields.optional_text("ids")?,
        identity: {
            let provider = fields.optional_text("provider")?;
            let subject = fields.optional_text("subject")?;
            provider.zip(subject).map(|(provider, subject)| ClientIdentity { provider, subject })
        },
        created_at: fields.moment("created_at")?,
        disabled_at: fields.optional_moment("disabled_at")?,
        declared: fields.count("declared")? != 0,
        revision: fields.count("revision")?,
    })
}

pub(super) fn read_stored(row: &DbRow) -> Result<StoredClient, StoreError> {
    let mut fields = Fields::of(row, "clients");
    let client = read_client(&mut fields)?;
    let current = fields.digest("secret")?;
    let previous = fields.optional_digest("previous_secret")?;
    let until = fields.optional_moment("previous_until")?;
    Ok(StoredClient { client, secret: ClientSecret { current, previous: previous.zip(until) } })
}

/// Ends the running builds of a client that was disabled, and what was given for tokens of its builds; gives back how
/// many builds.
pub(super) async fn end_builds(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    client: &ClientId,
    now: Moment,
) -> Result<u64, StoreError> {
    let ended = sqlx::query(
        "update builds set finished_at = $3, status = 'canceled' \
         where issuer = $1 and client_id = $2 and finished_at is null and deadline > $3",
    )
    .bind(issuer.as_str())
    .bind(client.as_str())
    .bind(now.unix())
    .execute(&mut *connection)
    .await
    .map_err(unavailable)?;
    revoke_where(connection, issuer, RevocationCause::Client(client), "the client of its build was disabled", now)
        .await?;
    Ok(ended.rows_affected())
}

#[async_trait]
impl Clients for Backend {
    async fn create_client(
        &self,
        issuer: &IssuerId,
        client: &Client,
        secret: Sha256,
    ) -> Result<Result<(), ClientExists>, StoreError> {
        let (issuer, client) = (issuer.clone(), client.clone());
        self.writer
            .act(move |connection| {
                let (issuer, client) = (issuer.clone(), client.clone());
                Box::pin(async move {
                    let done = sqlx::query(
                        "insert into clients (issuer, id, name, scopes, organizations, audiences, ids, secret, \
                         created_at, disabled_at, provider, subject) \
                         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing",
                    )
                    .bind(issuer.as_str())
                    .bind(client.id.as_str())
                    .bind(&client.name)
                    .bind(stored_json(&client.scopes)?)
                    .bind(stored_json(&client.organizations)?)
                    .bind(stored_json(&client.audiences)?)
                    .bind(&client.ids)
                    .bind(secret.as_bytes().as_slice())
                    .bind(client.created_at.unix())
                    .bind(client.disabled_at.map(Moment::unix))
                    .bind(client.identity.as_ref().map(|identity| identity.provider.as_str()))
                    .bind(client.identity.as_ref().map(|identity| identity.subject.as_str()))
                    .execute(connection)
                    .await
                    .map_err(unavailable)?;
                    Ok(if done.rows_affected() == 1 { Ok(()) } else { Err(ClientExists) })
                })
            })
            .await
    }

    async fn find_client(&self, issuer: &IssuerId, id: &ClientId) -> Result<Option<StoredClient>, StoreError> {
        let row = sqlx::query(concat!(
            "select ",
            client_columns!(),
            ", c.secret, c.previous_secret, c.previous_until from clients as c where c.issuer = $1 and c.id = $2"
        ))
        .bind(issuer.as_str())
        .bind(id.as_str())
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        row.as_ref().map(read_stored).transpose()
    }

    async fn identify_client(
        &self,
        issuer: &IssuerId,
        identity: &ClientIdentity,
    ) -> Result<Option<Client>, StoreError> {
        let row = sqlx::query(concat!(
            "select ",
            client_columns!(),
            " from clients as c where c.issuer = $1 and c.provider = $2 and c.subject = $3"
        ))
        .bind(issuer.as_str())
        .bind(&identity.provider)
        .bind(&identity.subject)
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        row.map(|row| read_client(&mut Fields::of(&row, "clients"))).transpose()
    }

    async fn list_clients(&self, issuer: &IssuerId) -> Result<Vec<Client>, StoreError> {
        let rows = sqlx::query(concat!(
            "select ",
            client_columns!(),
            " from clients as c where c.issuer = $1 order by c.name"
        ))
        .bind(issuer.as_str())
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        rows.iter().map(|row| read_client(&mut Fields::of(row, "clients"))).collect()
    }

    async fn rotate_client_secret(
        &self,
        issuer: &IssuerId,
        name: &str,
        secret: Sha256,
        previous_until: Moment,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let (issuer, name) = (issuer.clone(), name.to_owned());
        let until = (previous_until > now).then(|| previous_until.unix());
        self.writer
            .change(move |connection| {
                let (issuer, name) = (issuer.clone(), name.clone());
                Box::pin(async move {
                    let done = sqlx::query(
                        "update clients set previous_secret = case when cast($4 as bigint) is null then null else secret end, \
                         previous_until = $4, secret = $3 \
                         where issuer = $1 and name = $2 and disabled_at is null and declared = 0 and provider is null",
                    )
                    .bind(issuer.as_str())
                    .bind(&name)
                    .bind(secret.as_bytes().as_slice())
                    .bind(until)
                    .execute(connection)
                    .await
                    .map_err(unavailable)?;
                    Ok(Ok(done.rows_affected() == 1))
                })
            })
            .await
    }

    async fn apply_clients(
        &self,
        issuer: &IssuerId,
        declared: &[DeclaredClient],
        now: Moment,
        dry_run: bool,
    ) -> Result<Result<Vec<ClientChange>, NameTaken>, StoreError> {
        let (issuer, declared) = (issuer.clone(), declared.to_vec());
        let applied = self
            .writer
            .act(move |connection| {
                let (issuer, declared) = (issuer.clone(), declared.clone());
                Box::pin(async move { declared::apply(connection, &issuer, &declared, now, dry_run).await })
            })
            .await?;
        if let Ok(changes) = &applied {
            for change in changes {
                self.request_token_cache.forget_client(&ClientId::from_text(&change.name));
            }
        }
        Ok(applied)
    }

    async fn disable_client(&self, issuer: &IssuerId, name: &str, now: Moment) -> Result<Option<Disabled>, StoreError> {
        let (issuer, name) = (issuer.clone(), name.to_owned());
        let disabled = self
            .writer
            .change(move |connection| {
                let (issuer, name) = (issuer.clone(), name.clone());
                Box::pin(async move {
                    let id: Option<String> = sqlx::query_scalar(
                        "update clients set disabled_at = coalesce(disabled_at, $3) \
                         where issuer = $1 and name = $2 and declared = 0 returning id",
                    )
                    .bind(issuer.as_str())
                    .bind(&name)
                    .bind(now.unix())
                    .fetch_optional(&mut *connection)
                    .await
                    .map_err(unavailable)?;
                    let Some(id) = id.map(ClientId::from_text) else { return Ok(Ok(None)) };
                    let builds_ended = end_builds(connection, &issuer, &id, now).await?;
                    Ok(Ok(Some((id, Disabled { builds_ended }))))
                })
            })
            .await?;
        Ok(disabled.map(|(id, disabled)| {
            self.request_token_cache.forget_client(&id);
            disabled
        }))
    }
}
