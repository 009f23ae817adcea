//! Registers a build within a transaction that another file begins: binds names, writes the build's rows, creates the
//! build's tokens. No query looks for the build before the insert: a constraint decides whether the build exists.

use super::driver::DbConnection;
use super::fault::unavailable;
use super::fields::{Fields, stored_json};
use super::names::{Binder, Changes, RegisteredName};
use super::request_tokens::insert_token;
use super::rows::{build_columns, read_build};
use super::statements::CLIENT_ENABLED;
use crate::base::{IssuerId, Moment, Sha256};
use crate::policy::Client;
use crate::store::{
    BuildRegistration, BuildState, NameKind, NewBuild, Outcome, REPEAT_WITHIN, RegistrationRefusal, StoreError,
    StoredBuild,
};

/// Registers a build. If the client repeats an equal registration, creates new tokens for the build that exists.
pub(super) async fn register(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    client: &Client,
    new: &NewBuild,
) -> Outcome<BuildRegistration, RegistrationRefusal> {
    if !is_enabled(connection, issuer, client).await? {
        return Ok(Err(RegistrationRefusal::ClientDisabled));
    }
    if !insert_registration(connection, issuer, client, new).await? {
        return repeat(connection, issuer, client, new).await;
    }
    insert_build(connection, issuer, client, new).await?;
    let full_name = new.build.full_name();
    let names = [
        RegisteredName { kind: NameKind::Org, name: &new.build.org, id: new.build.org_id.as_deref() },
        RegisteredName { kind: NameKind::Repo, name: &full_name, id: new.build.repo_id.as_deref() },
    ];
    let mut binder =
        Binder { connection: &mut *connection, issuer, client, now: new.registered_at, changes: Changes::default() };
    for registered in names {
        if let Err(refusal) = binder.bind(registered).await? {
            return Ok(Err(refusal));
        }
    }
    let Changes { renames, ids_taken } = binder.changes;
    for token in &new.tokens {
        insert_token(connection, issuer, new.id, new.deadline, token).await?;
    }
    Ok(Ok(BuildRegistration::New { renames, ids_taken }))
}

async fn is_enabled(connection: &mut DbConnection, issuer: &IssuerId, client: &Client) -> Result<bool, StoreError> {
    let enabled = sqlx::query(CLIENT_ENABLED)
        .bind(issuer.as_str())
        .bind(client.id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(unavailable)?;
    Ok(enabled.is_some())
}

/// Inserts the rows of a build. Returns `false` if the client has registered a build under this key before.
async fn insert_registration(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    client: &Client,
    new: &NewBuild,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into registrations (issuer, build_id, client_id, key, body, build, audiences, registered_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (issuer, client_id, key) do nothing",
    )
    .bind(issuer.as_str())
    .bind(new.id.to_string())
    .bind(client.id.as_str())
    .bind(&new.key)
    .bind(new.body.as_bytes().as_slice())
    .bind(stored_json(&new.build)?)
    .bind(new.audiences.as_ref().map(stored_json).transpose()?)
    .bind(new.registered_at.unix())
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}

async fn insert_build(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    client: &Client,
    new: &NewBuild,
) -> Result<(), StoreError> {
    sqlx::query("insert into builds (issuer, id, client_id, deadline) values ($1, $2, $3, $4)")
        .bind(issuer.as_str())
        .bind(new.id.to_string())
        .bind(client.id.as_str())
        .bind(new.deadline.unix())
        .execute(connection)
        .await
        .map_err(unavailable)?;
    Ok(())
}

/// Handles a registration under a known key: a repetition after a lost answer gets new tokens, any other registration
/// is refused.
async fn repeat(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    client: &Client,
    new: &NewBuild,
) -> Outcome<BuildRegistration, RegistrationRefusal> {
    let now = new.registered_at;
    let (body, build) = find_by_key(connection, issuer, client, &new.key).await?;
    let is_repeat =
        body == new.body && build.state(now) == BuildState::Running && now.since(build.registered_at) <= REPEAT_WITHIN;
    if !is_repeat {
        return Ok(Err(RegistrationRefusal::BuildExists(build.id)));
    }
    revoke_build_tokens(connection, issuer, &build, now).await?;
    for token in &new.tokens {
        insert_token(connection, issuer, build.id, build.deadline, token).await?;
    }
    Ok(Ok(BuildRegistration::Repeated(Box::new(build))))
}

async fn find_by_key(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    client: &Client,
    key: &str,
) -> Result<(Sha256, StoredBuild), StoreError> {
    let row = sqlx::query(concat!(
        "select r.body as r_body, ",
        build_columns!(),
        " from registrations as r join builds as b on b.issuer = r.issuer and b.id = r.build_id \
         where r.issuer = $1 and r.client_id = $2 and r.key = $3"
    ))
    .bind(issuer.as_str())
    .bind(client.id.as_str())
    .bind(key)
    .fetch_one(connection)
    .await
    .map_err(unavailable)?;
    Ok((Fields::joined(&row, "registrations", "r_").digest("body")?, read_build(&row)?))
}

/// Revokes the worker token and the build-wide request token of a build; step tokens stay valid.
async fn revoke_build_tokens(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    build: &StoredBuild,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query(
        "update request_tokens set ended_at = $1 \
         where issuer = $2 and build_id = $3 and kind in ('build', 'worker') and ended_at is null",
    )
    .bind(now.unix())
    .bind(issuer.as_str())
    .bind(build.id.to_string())
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}
