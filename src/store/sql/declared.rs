//! Applies the clients that the configuration declares: creates, updates and disables stored clients until they equal
//! the declarations. This file never changes a client that was created by command.

use super::builds::cancel_builds;
use super::driver::DbConnection;
use super::fault::unavailable;
use super::fields::stored_json;
use super::rows::{client_columns, client_secret_columns, read_stored_client};
use super::statements::locked_for_update;
use crate::base::{ClientId, IssuerId, Moment};
use crate::store::{
    ClientChange, ClientChangeKind, ClientSecret, DeclaredClient, NameTaken, Outcome, StoreError, StoredClient,
};

/// Expiry stored with a declared previous secret: the end of the year 9999, since such a secret is accepted for as long
/// as the configuration declares it.
const NO_EXPIRY: Moment = Moment::from_unix(253_402_300_799);

/// Applies the declared clients and returns the changes. With `dry_run` nothing is written.
pub(super) async fn apply(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    declared: &[DeclaredClient],
    now: Moment,
    dry_run: bool,
) -> Outcome<Vec<ClientChange>, NameTaken> {
    let known = read(connection, issuer, dry_run).await?;
    let mut changes = Vec::new();
    for wanted in declared {
        let stored =
            known.iter().find(|known| known.client.name == wanted.name || known.client.id.as_str() == wanted.name);
        let kind = match stored {
            None => ClientChangeKind::Added,
            Some(stored) if !stored.client.declared => return Ok(Err(NameTaken(wanted.name.clone()))),
            Some(stored) if is_same(stored, wanted) => continue,
            Some(_) => ClientChangeKind::Changed,
        };
        if !dry_run && !write(connection, issuer, wanted, now).await? {
            return Ok(Err(NameTaken(wanted.name.clone())));
        }
        changes.push(ClientChange { name: wanted.name.clone(), change: kind });
    }
    let declared_before = known.iter().filter(|known| known.client.declared && known.client.disabled_at.is_none());
    for stored in declared_before.filter(|known| declared.iter().all(|wanted| wanted.name != known.client.name)) {
        if !dry_run {
            disable(connection, issuer, &stored.client.id, now).await?;
        }
        changes.push(ClientChange { name: stored.client.name.clone(), change: ClientChangeKind::Disabled });
    }
    Ok(Ok(changes))
}

/// Reads all clients. Without `dry_run` locks the clients until the end of the transaction, so that a redemption or
/// registration for a client happens entirely before or after the change of that client.
async fn read(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    dry_run: bool,
) -> Result<Vec<StoredClient>, StoreError> {
    macro_rules! all {
        () => {
            concat!(
                "select ",
                client_columns!(),
                ", ",
                client_secret_columns!(),
                " from clients as c where c.issuer = $1 order by c.id"
            )
        };
    }
    const LOCKED: &str = locked_for_update!(all!());
    let rows = sqlx::query(if dry_run { all!() } else { LOCKED })
        .bind(issuer.as_str())
        .fetch_all(connection)
        .await
        .map_err(unavailable)?;
    rows.iter().map(read_stored_client).collect()
}

fn is_same(stored: &StoredClient, wanted: &DeclaredClient) -> bool {
    let StoredClient { client, secret } = stored;
    let (current, previous) = wanted.secrets;
    client.disabled_at.is_none()
        && client.scopes == wanted.scopes
        && client.organizations == wanted.organizations
        && client.audiences == wanted.audiences
        && client.ids == wanted.ids
        && *secret == ClientSecret { current, previous: previous.map(|previous| (previous, NO_EXPIRY)) }
}

/// Writes a declared client. Returns `false` if another client took the name in the meantime.
async fn write(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    wanted: &DeclaredClient,
    now: Moment,
) -> Result<bool, StoreError> {
    let (current, previous) = wanted.secrets;
    let written = sqlx::query(
        "insert into clients (issuer, id, name, scopes, organizations, audiences, ids, secret, previous_secret, \
         previous_until, created_at, declared) values ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1) \
         on conflict (issuer, id) do update set scopes = excluded.scopes, organizations = excluded.organizations, \
         audiences = excluded.audiences, ids = excluded.ids, secret = excluded.secret, \
         previous_secret = excluded.previous_secret, previous_until = excluded.previous_until, disabled_at = null, \
         revision = clients.revision + 1",
    )
    .bind(issuer.as_str())
    .bind(&wanted.name)
    .bind(stored_json(&wanted.scopes)?)
    .bind(stored_json(&wanted.organizations)?)
    .bind(stored_json(&wanted.audiences)?)
    .bind(&wanted.ids)
    .bind(current.as_bytes().as_slice())
    .bind(previous.as_ref().map(|previous| previous.as_bytes().as_slice()))
    .bind(previous.map(|_| NO_EXPIRY.unix()))
    .bind(now.unix())
    .execute(connection)
    .await;
    match written {
        Ok(_) => Ok(true),
        Err(error) if error.as_database_error().is_some_and(|error| error.is_unique_violation()) => Ok(false),
        Err(error) => Err(unavailable(error)),
    }
}

async fn disable(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    id: &ClientId,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query("update clients set disabled_at = $3, revision = revision + 1 where issuer = $1 and id = $2")
        .bind(issuer.as_str())
        .bind(id.as_str())
        .bind(now.unix())
        .execute(&mut *connection)
        .await
        .map_err(unavailable)?;
    cancel_builds(connection, issuer, id, now).await?;
    Ok(())
}
