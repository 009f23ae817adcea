//! Reads and writes users, providers and entitlements. Every row has the revision of the change that wrote it. A change
//! is written only if it was planned at the current revision.

use async_trait::async_trait;

use super::Backend;
use super::credential_revocation::{RevocationCause, revoke_where};
use super::driver::{DbConnection, DbRow};
use super::fault::unavailable;
use super::fields::{Fields, stored_count};
use super::rows::{insert_event, next_revision};
use crate::base::{IssuerId, Moment};
use crate::policy::Pins;
use crate::store::{
    EntitlementFilter, EntitlementRow, FetchedDocuments, Outcome, ProviderRow, RuleChange, RuleRows, Rules, StoreError,
    UserRow,
};

macro_rules! user_columns {
    () => {
        "name, revision, created_at, disabled_at, removed_at"
    };
}

macro_rules! provider_columns {
    () => {
        "name, spec, declared, revision, created_at, removed_at, configuration, jwks, refreshed_at"
    };
}

macro_rules! entitlement_columns {
    () => {
        "id, kind, name, user_name, provider, spec, place, token, pinned_owner_id, pinned_repository_id, pin_until, \
         revision, created_at, updated_at, removed_at"
    };
}

async fn change(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    expected: u64,
    change: &RuleChange,
    now: Moment,
) -> Outcome<(), ()> {
    let Some(revision) = next_revision(connection, issuer, Some(expected)).await? else { return Ok(Err(())) };
    // Rows are written, and so locked, before credentials are revoked. A redemption either committed before, and its
    // credential is revoked here, or waits and then sees the new row.
    for write in &change.users {
        write_user(connection, issuer, &write.row, revision).await?;
    }
    for write in &change.providers {
        write_provider(connection, issuer, &write.row, revision).await?;
    }
    // Deleted entitlements first, because a new entitlement may take the name in the same change.
    let (deleted, others): (Vec<_>, Vec<_>) =
        change.entitlements.iter().partition(|write| write.row.removed_at.is_some());
    for write in deleted.into_iter().chain(others) {
        write_entitlement(connection, issuer, &write.row, revision).await?;
    }
    let users = change.users.iter().map(|write| (RevocationCause::User(&write.row.name), write.revokes));
    let providers = change.providers.iter().map(|write| (RevocationCause::Provider(&write.row.name), write.revokes));
    let entitlements =
        change.entitlements.iter().map(|write| (RevocationCause::Entitlement(write.row.id), write.revokes));
    for (cause, reason) in users.chain(providers).chain(entitlements) {
        if let Some(reason) = reason {
            revoke_where(connection, issuer, cause, reason, now).await?;
        }
    }
    for event in &change.events {
        insert_event(connection, issuer, event).await?;
    }
    Ok(Ok(()))
}

async fn write_user(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    row: &UserRow,
    revision: u64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into users (issuer, name, revision, created_at, disabled_at, removed_at) values ($1, $2, $3, $4, $5, $6) \
         on conflict (issuer, name) do update set revision = excluded.revision, disabled_at = excluded.disabled_at, \
         removed_at = excluded.removed_at",
    )
    .bind(issuer.as_str())
    .bind(&row.name)
    .bind(stored_count(revision))
    .bind(row.created_at.unix())
    .bind(row.disabled_at.map(Moment::unix))
    .bind(row.removed_at.map(Moment::unix))
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}

async fn write_provider(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    row: &ProviderRow,
    revision: u64,
) -> Result<(), StoreError> {
    // The fetched documents of a changed provider are deleted: they may belong to its former URL.
    sqlx::query(
        "insert into oidc_providers (issuer, name, spec, declared, revision, created_at, removed_at) \
         values ($1, $2, $3, $4, $5, $6, $7) \
         on conflict (issuer, name) do update set spec = excluded.spec, declared = excluded.declared, \
         revision = excluded.revision, removed_at = excluded.removed_at, configuration = null, jwks = null, \
         refreshed_at = null",
    )
    .bind(issuer.as_str())
    .bind(&row.name)
    .bind(&row.spec)
    .bind(i64::from(row.declared))
    .bind(stored_count(revision))
    .bind(row.created_at.unix())
    .bind(row.removed_at.map(Moment::unix))
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}

async fn write_entitlement(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    row: &EntitlementRow,
    revision: u64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into entitlements (issuer, id, kind, name, user_name, provider, spec, place, token, pinned_owner_id, \
         pinned_repository_id, pin_until, revision, created_at, updated_at, removed_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
         on conflict (issuer, id) do update set provider = excluded.provider, spec = excluded.spec, \
         pinned_owner_id = excluded.pinned_owner_id, pinned_repository_id = excluded.pinned_repository_id, \
         pin_until = excluded.pin_until, revision = excluded.revision, updated_at = excluded.updated_at, \
         removed_at = excluded.removed_at",
    )
    .bind(issuer.as_str())
    .bind(row.id.to_string())
    .bind(<&str>::from(row.kind))
    .bind(&row.name)
    .bind(&row.user)
    .bind(&row.provider)
    .bind(&row.spec)
    .bind(stored_count(row.place))
    .bind(&row.token)
    .bind(&row.pins.owner_id)
    .bind(&row.pins.repository_id)
    .bind(row.pin_until.map(Moment::unix))
    .bind(stored_count(revision))
    .bind(row.created_at.unix())
    .bind(row.updated_at.unix())
    .bind(row.removed_at.map(Moment::unix))
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}

fn read_user(row: &DbRow) -> Result<UserRow, StoreError> {
    let fields = Fields::of(row, "users");
    Ok(UserRow {
        name: fields.text("name")?,
        revision: fields.count("revision")?,
        created_at: fields.moment("created_at")?,
        disabled_at: fields.optional_moment("disabled_at")?,
        removed_at: fields.optional_moment("removed_at")?,
    })
}

fn read_provider(row: &DbRow) -> Result<ProviderRow, StoreError> {
    let fields = Fields::of(row, "oidc_providers");
    let name = fields.text("name")?;
    let spec = fields.text("spec")?;
    let declared = fields.count("declared")? == 1;
    let revision = fields.count("revision")?;
    let created_at = fields.moment("created_at")?;
    let removed_at = fields.optional_moment("removed_at")?;
    let configuration = fields.optional_text("configuration")?;
    let jwks = fields.optional_text("jwks")?;
    let refreshed_at = fields.optional_moment("refreshed_at")?;
    let fetched =
        jwks.zip(refreshed_at).map(|(jwks, refreshed_at)| FetchedDocuments { configuration, jwks, refreshed_at });
    Ok(ProviderRow { name, spec, declared, revision, created_at, removed_at, fetched })
}

fn read_entitlement(row: &DbRow) -> Result<EntitlementRow, StoreError> {
    let fields = Fields::of(row, "entitlements");
    Ok(EntitlementRow {
        id: fields.parsed("id")?,
        kind: fields.parsed("kind")?,
        name: fields.text("name")?,
        user: fields.optional_text("user_name")?,
        provider: fields.text("provider")?,
        spec: fields.text("spec")?,
        place: fields.count("place")?,
        token: fields.optional_text("token")?,
        pins: Pins {
            owner_id: fields.optional_text("pinned_owner_id")?,
            repository_id: fields.optional_text("pinned_repository_id")?,
        },
        pin_until: fields.optional_moment("pin_until")?,
        revision: fields.count("revision")?,
        created_at: fields.moment("created_at")?,
        updated_at: fields.moment("updated_at")?,
        removed_at: fields.optional_moment("removed_at")?,
    })
}

impl Backend {
    async fn changed_after(
        &self,
        statement: &'static str,
        issuer: &IssuerId,
        after: u64,
    ) -> Result<Vec<DbRow>, StoreError> {
        let rows = sqlx::query(statement).bind(issuer.as_str()).bind(stored_count(after));
        rows.fetch_all(&self.readers).await.map_err(unavailable)
    }
}

#[async_trait]
impl Rules for Backend {
    async fn rules_revision(&self, issuer: &IssuerId) -> Result<u64, StoreError> {
        let revision: Option<i64> = sqlx::query_scalar("select revision from rules_revisions where issuer = $1")
            .bind(issuer.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(revision.and_then(|revision| u64::try_from(revision).ok()).unwrap_or_default())
    }

    async fn read_rules(&self, issuer: &IssuerId, after: u64) -> Result<RuleRows, StoreError> {
        // The revision is read first: a row that changes meanwhile is read again next time, so no row is missed.
        let revision = self.rules_revision(issuer).await?;
        let users = self
            .changed_after(
                concat!("select ", user_columns!(), " from users where issuer = $1 and revision > $2"),
                issuer,
                after,
            )
            .await?;
        let providers = self
            .changed_after(
                concat!("select ", provider_columns!(), " from oidc_providers where issuer = $1 and revision > $2"),
                issuer,
                after,
            )
            .await?;
        let entitlements = self
            .changed_after(
                concat!("select ", entitlement_columns!(), " from entitlements where issuer = $1 and revision > $2"),
                issuer,
                after,
            )
            .await?;
        Ok(RuleRows {
            revision,
            users: users.iter().map(read_user).collect::<Result<_, _>>()?,
            providers: providers.iter().map(read_provider).collect::<Result<_, _>>()?,
            entitlements: entitlements.iter().map(read_entitlement).collect::<Result<_, _>>()?,
        })
    }

    async fn list_users(&self, issuer: &IssuerId, name: Option<&str>) -> Result<Vec<UserRow>, StoreError> {
        let rows = sqlx::query(concat!(
            "select ",
            user_columns!(),
            " from users where issuer = $1 and removed_at is null and (cast($2 as text) is null or name = $2) \
             order by name"
        ))
        .bind(issuer.as_str())
        .bind(name)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        rows.iter().map(read_user).collect()
    }

    async fn list_providers(&self, issuer: &IssuerId, name: Option<&str>) -> Result<Vec<ProviderRow>, StoreError> {
        let rows = sqlx::query(concat!(
            "select ",
            provider_columns!(),
            " from oidc_providers where issuer = $1 and removed_at is null \
             and (cast($2 as text) is null or name = $2) order by name"
        ))
        .bind(issuer.as_str())
        .bind(name)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        rows.iter().map(read_provider).collect()
    }

    async fn list_entitlements(
        &self,
        issuer: &IssuerId,
        filter: &EntitlementFilter<'_>,
    ) -> Result<Vec<EntitlementRow>, StoreError> {
        let rows = sqlx::query(concat!(
            "select ",
            entitlement_columns!(),
            " from entitlements where issuer = $1 and removed_at is null and kind = $2 \
             and (cast($3 as text) is null or id = $3) and (cast($4 as text) is null or name = $4) \
             and (cast($5 as text) is null or user_name = $5) order by place"
        ))
        .bind(issuer.as_str())
        .bind(<&str>::from(filter.kind))
        .bind(filter.id.map(|id| id.to_string()))
        .bind(filter.name)
        .bind(filter.user)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        rows.iter().map(read_entitlement).collect()
    }

    async fn change_rules(
        &self,
        issuer: &IssuerId,
        expected: u64,
        wanted: &RuleChange,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let changed = self
            .writer()
            .act((issuer.clone(), wanted.clone()), move |connection, (issuer, wanted)| {
                Box::pin(change(connection, issuer, expected, wanted, now))
            })
            .await?;
        Ok(changed.is_ok())
    }

    async fn keep_documents(
        &self,
        issuer: &IssuerId,
        (provider, revision): (&str, u64),
        documents: &FetchedDocuments,
    ) -> Result<(), StoreError> {
        self.writer()
            .change(
                (issuer.clone(), provider.to_owned(), documents.clone()),
                move |connection, (issuer, provider, documents)| {
                    Box::pin(async move {
                        sqlx::query(
                            "update oidc_providers set configuration = $3, jwks = $4, refreshed_at = $5 \
                         where issuer = $1 and name = $2 and revision = $6 and removed_at is null",
                        )
                        .bind(issuer.as_str())
                        .bind(provider)
                        .bind(&documents.configuration)
                        .bind(&documents.jwks)
                        .bind(documents.refreshed_at.unix())
                        .bind(stored_count(revision))
                        .execute(connection)
                        .await
                        .map_err(unavailable)?;
                        Ok(())
                    })
                },
            )
            .await
    }
}
