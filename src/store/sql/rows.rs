//! Reads and writes rows that several files of `sql/` share. Each function that reads a row stands beside the list of
//! columns that the function reads.

use super::driver::{DbConnection, DbRow};
use super::fault::unavailable;
use super::fields::{Fields, stored_count};
use crate::base::{ClientId, IssuerId};
use crate::policy::{Client, ClientIdentity};
use crate::store::{ClientSecret, EventRow, StoreError, StoredBuild, StoredClient};

/// Lists the columns of `clients as c` that [`read_client`] reads.
macro_rules! client_columns {
    () => {
        "c.id as c_id, c.name as c_name, c.scopes as c_scopes, c.organizations as c_organizations, \
         c.audiences as c_audiences, c.ids as c_ids, c.provider as c_provider, c.subject as c_subject, \
         c.created_at as c_created_at, c.disabled_at as c_disabled_at, c.declared as c_declared, \
         c.revision as c_revision"
    };
}
pub(super) use client_columns;

pub(super) fn read_client(row: &DbRow) -> Result<Client, StoreError> {
    let fields = Fields::joined(row, "clients", "c_");
    let identity = fields.optional_text("provider")?.zip(fields.optional_text("subject")?);
    Ok(Client {
        id: ClientId::from_text(fields.text("id")?),
        name: fields.text("name")?,
        scopes: fields.json("scopes")?,
        organizations: fields.json("organizations")?,
        audiences: fields.json("audiences")?,
        ids: fields.optional_text("ids")?,
        identity: identity.map(|(provider, subject)| ClientIdentity { provider, subject }),
        created_at: fields.moment("created_at")?,
        disabled_at: fields.optional_moment("disabled_at")?,
        declared: fields.count("declared")? != 0,
        revision: fields.count("revision")?,
    })
}

/// Lists the columns of `clients as c` that only [`read_stored_client`] reads.
macro_rules! client_secret_columns {
    () => {
        "c.secret as c_secret, c.previous_secret as c_previous_secret, c.previous_until as c_previous_until"
    };
}
pub(super) use client_secret_columns;

pub(super) fn read_stored_client(row: &DbRow) -> Result<StoredClient, StoreError> {
    let fields = Fields::joined(row, "clients", "c_");
    let previous = fields.optional_digest("previous_secret")?.zip(fields.optional_moment("previous_until")?);
    let secret = ClientSecret { current: fields.digest("secret")?, previous };
    Ok(StoredClient { client: read_client(row)?, secret })
}

/// Lists the columns of `registrations as r` and `builds as b` that [`read_build`] reads.
macro_rules! build_columns {
    () => {
        "r.build_id as r_build_id, r.client_id as r_client_id, r.build as r_build, r.audiences as r_audiences, \
         r.registered_at as r_registered_at, b.deadline as b_deadline, b.finished_at as b_finished_at, \
         b.status as b_status, b.tokens_issued as b_tokens_issued"
    };
}
pub(super) use build_columns;

pub(super) fn read_build(row: &DbRow) -> Result<StoredBuild, StoreError> {
    let registration = Fields::joined(row, "registrations", "r_");
    let build = Fields::joined(row, "builds", "b_");
    let finished = match (build.optional_moment("finished_at")?, build.optional_parsed("status")?) {
        (None, None) => None,
        (Some(at), Some(finish)) => Some((at, finish)),
        _ => return Err(build.corrupt("status", "does not fit finished_at")),
    };
    Ok(StoredBuild {
        id: registration.parsed("build_id")?,
        client: ClientId::from_text(registration.text("client_id")?),
        build: registration.json("build")?,
        audiences: registration.optional_json("audiences")?,
        registered_at: registration.moment("registered_at")?,
        deadline: build.moment("deadline")?,
        finished,
        tokens_issued: build.count("tokens_issued")?,
    })
}

pub(super) async fn insert_event(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    event: &EventRow,
) -> Result<(), StoreError> {
    sqlx::query("insert into events (issuer, id, at, kind, flow, subject, detail) values ($1, $2, $3, $4, $5, $6, $7)")
        .bind(issuer.as_str())
        .bind(event.id.to_string())
        .bind(event.at.unix())
        .bind(&event.kind)
        .bind(&event.flow)
        .bind(&event.subject)
        .bind(&event.detail)
        .execute(connection)
        .await
        .map_err(unavailable)?;
    Ok(())
}

/// Increments the revision of the rules and returns the new revision; returns `None` if `expected` is given and was not
/// the last revision. Locks the revision until the end of the transaction, so that changes of rules follow one another.
pub(super) async fn next_revision(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    expected: Option<u64>,
) -> Result<Option<u64>, StoreError> {
    sqlx::query("insert into rules_revisions (issuer, revision) values ($1, 0) on conflict do nothing")
        .bind(issuer.as_str())
        .execute(&mut *connection)
        .await
        .map_err(unavailable)?;
    let taken: Option<i64> = sqlx::query_scalar(
        "update rules_revisions set revision = revision + 1 \
         where issuer = $1 and (cast($2 as bigint) is null or revision = $2) returning revision",
    )
    .bind(issuer.as_str())
    .bind(expected.map(stored_count))
    .fetch_optional(connection)
    .await
    .map_err(unavailable)?;
    Ok(taken.map(|taken| u64::try_from(taken).unwrap_or_default()))
}
