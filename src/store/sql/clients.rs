//! Reads and writes clients. The database never holds a client's secret, only the secret's digest.

use super::builds::cancel_builds;
use super::fault::unavailable;
use super::fields::stored_json;
use super::rows::{client_columns, client_secret_columns, read_client, read_stored_client};
use super::{Backend, declared};
use crate::base::{ClientId, IssuerId, Moment, Sha256};
use crate::policy::{Client, ClientIdentity, Scope};
use crate::store::{
    ClientChange, ClientExists, Clients, DeclaredClient, Disabled, NameTaken, Outcome, StoreError, StoredClient,
};
use async_trait::async_trait;

#[async_trait]
impl Clients for Backend {
    async fn create_client(&self, issuer: &IssuerId, client: &Client, secret: Sha256) -> Outcome<(), ClientExists> {
        self.writer()
            .act((issuer.clone(), client.clone()), move |connection, (issuer, client)| {
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
            ", ",
            client_secret_columns!(),
            " from clients as c where c.issuer = $1 and c.id = $2"
        ))
        .bind(issuer.as_str())
        .bind(id.as_str())
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        row.as_ref().map(read_stored_client).transpose()
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
        row.as_ref().map(read_client).transpose()
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
        rows.iter().map(read_client).collect()
    }

    async fn any_client_has(&self, issuer: &IssuerId, scope: Scope) -> Result<bool, StoreError> {
        let found: i64 = sqlx::query_scalar(
            "select cast(case when exists (select 1 from clients \
             where issuer = $1 and disabled_at is null and scopes like $2) then 1 else 0 end as bigint)",
        )
        .bind(issuer.as_str())
        // The column is a JSON array of names.
        .bind(format!("%\"{}\"%", scope.name()))
        .fetch_one(&self.readers)
        .await
        .map_err(unavailable)?;
        Ok(found == 1)
    }

    async fn rotate_client_secret(
        &self,
        issuer: &IssuerId,
        name: &str,
        secret: Sha256,
        previous_until: Moment,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let until = (previous_until > now).then(|| previous_until.unix());
        self.writer().change((issuer.clone(), name.to_owned()), move |connection, (issuer, name)| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "update clients set previous_secret = case when cast($4 as bigint) is null then null else secret end, \
                         previous_until = $4, secret = $3 \
                         where issuer = $1 and name = $2 and disabled_at is null and declared = 0 and provider is null",
                    )
                    .bind(issuer.as_str())
                    .bind(name)
                    .bind(secret.as_bytes().as_slice())
                    .bind(until)
                    .execute(connection)
                    .await
                    .map_err(unavailable)?;
                    Ok(done.rows_affected() == 1)
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
    ) -> Outcome<Vec<ClientChange>, NameTaken> {
        let applied = self
            .writer()
            .act((issuer.clone(), declared.to_vec()), move |connection, (issuer, declared)| {
                Box::pin(declared::apply(connection, issuer, declared, now, dry_run))
            })
            .await?;
        if let Ok(changes) = &applied {
            for change in changes {
                self.request_token_cache.remove_client(&ClientId::from_text(&change.name));
            }
        }
        Ok(applied)
    }

    async fn disable_client(&self, issuer: &IssuerId, name: &str, now: Moment) -> Result<Option<Disabled>, StoreError> {
        let disabled = self
            .writer()
            .change((issuer.clone(), name.to_owned()), move |connection, (issuer, name)| {
                Box::pin(async move {
                    let id: Option<String> = sqlx::query_scalar(
                        "update clients set disabled_at = coalesce(disabled_at, $3) \
                         where issuer = $1 and name = $2 and declared = 0 returning id",
                    )
                    .bind(issuer.as_str())
                    .bind(name)
                    .bind(now.unix())
                    .fetch_optional(&mut *connection)
                    .await
                    .map_err(unavailable)?;
                    let Some(id) = id.map(ClientId::from_text) else { return Ok(None) };
                    let builds_ended = cancel_builds(connection, issuer, &id, now).await?;
                    Ok(Some((id, Disabled { builds_ended })))
                })
            })
            .await?;
        Ok(disabled.map(|(id, disabled)| {
            self.request_token_cache.remove_client(&id);
            disabled
        }))
    }
}
