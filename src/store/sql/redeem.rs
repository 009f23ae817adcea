//! Redeems a subject token within a transaction that another file begins. Every row that the credential depends on is
//! locked until the credential is stored, always in one order: client, build, user, provider, entitlements, the audit
//! record of the ID token, the signing key of the ID token, the signing key of the credential.

use super::credentials::{insert_credential, store_id_token};
use super::driver::DbConnection;
use super::fault::unavailable;
use super::fields::stored_count;
use super::rows::{insert_event, next_revision};
use super::statements::{CLIENT_ENABLED, locked, locked_for_update};
use crate::base::{EntitlementId, IssuerId, Moment};
use crate::policy::Pins;
use crate::store::{Outcome, OwnToken, Redemption, RedemptionRefusal, StoreError};

/// Marks the subject token as used and stores the credential. After a refusal the transaction must be rolled back.
pub(super) async fn redeem(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    redemption: &Redemption,
) -> Outcome<(), RedemptionRefusal> {
    // Pinning changes an entitlement. The revision is locked first, as every change of entitlements does, so that a
    // redemption and such a change cannot deadlock.
    let revision = match &redemption.pins {
        Some(_) => next_revision(connection, issuer, None).await?,
        None => None,
    };
    if let Err(refusal) = lock_dependencies(connection, issuer, redemption).await? {
        return Ok(Err(refusal));
    }
    if let Err(refusal) = mark_used(connection, issuer, redemption).await? {
        return Ok(Err(refusal));
    }
    if let (Some(pins), Some((id, _))) = (&redemption.pins, redemption.entitlement) {
        pin_ids(connection, issuer, &id.to_string(), pins, revision.unwrap_or_default()).await?;
    }
    let id_token = store_id_token(connection, issuer, redemption).await?;
    insert_credential(connection, issuer, redemption, &id_token).await?;
    insert_event(connection, issuer, &redemption.event).await?;
    Ok(Ok(()))
}

/// Locks every row that the credential depends on until the end of the transaction, and checks that no such row has
/// changed since the request was evaluated.
async fn lock_dependencies(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    redemption: &Redemption,
) -> Outcome<(), RedemptionRefusal> {
    if let Some(own) = &redemption.own
        && let Err(refusal) = lock_build(connection, issuer, own, redemption.now).await?
    {
        return Ok(Err(refusal));
    }
    if let Some(user) = &redemption.user {
        let enabled: Option<i64> = sqlx::query_scalar(locked!(
            "select revision from users where issuer = $1 and name = $2 and disabled_at is null and removed_at is null"
        ))
        .bind(issuer.as_str())
        .bind(user)
        .fetch_optional(&mut *connection)
        .await
        .map_err(unavailable)?;
        if enabled.is_none() {
            return Ok(Err(RedemptionRefusal::UserDisabled));
        }
    }
    if let Some(revision) = redemption.provider_revision {
        let current: Option<i64> = sqlx::query_scalar(locked!(
            "select revision from oidc_providers where issuer = $1 and name = $2 and revision = $3 \
             and removed_at is null"
        ))
        .bind(issuer.as_str())
        .bind(&redemption.provider)
        .bind(stored_count(revision))
        .fetch_optional(&mut *connection)
        .await
        .map_err(unavailable)?;
        if current.is_none() {
            return Ok(Err(RedemptionRefusal::RulesChanged));
        }
    }
    // Entitlements are locked in the order of their ids, so that two redemptions cannot deadlock.
    let mut entitlements: Vec<_> = redemption.entitlement.iter().chain(&redemption.also).collect();
    entitlements.sort_unstable();
    for &(id, revision) in entitlements {
        let pins_ids = redemption.pins.is_some() && redemption.entitlement.is_some_and(|(own, _)| own == id);
        if !lock_entitlement(connection, issuer, (id, revision), pins_ids).await? {
            return Ok(Err(RedemptionRefusal::RulesChanged));
        }
    }
    if let Some(own) = &redemption.own
        && let Err(refusal) = lock_record(connection, issuer, own).await?
    {
        return Ok(Err(refusal));
    }
    match &redemption.credential.signed_by {
        Some(kid) if !lock_key(connection, issuer, kid).await? => Ok(Err(RedemptionRefusal::SignerRevoked)),
        _ => Ok(Ok(())),
    }
}

/// Locks an entitlement. Returns whether the entitlement still has the revision that was evaluated.
async fn lock_entitlement(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    (id, revision): (EntitlementId, u64),
    pins_ids: bool,
) -> Result<bool, StoreError> {
    const TO_READ: &str = locked!(
        "select revision from entitlements where issuer = $1 and id = $2 and revision = $3 and removed_at is null"
    );
    const TO_PIN: &str = locked_for_update!(
        "select revision from entitlements where issuer = $1 and id = $2 and revision = $3 and removed_at is null"
    );
    let current: Option<i64> = sqlx::query_scalar(if pins_ids { TO_PIN } else { TO_READ })
        .bind(issuer.as_str())
        .bind(id.to_string())
        .bind(stored_count(revision))
        .fetch_optional(connection)
        .await
        .map_err(unavailable)?;
    Ok(current.is_some())
}

/// Locks one of our signing keys. Returns whether the key exists and is not revoked.
async fn lock_key(connection: &mut DbConnection, issuer: &IssuerId, kid: &str) -> Result<bool, StoreError> {
    let key: Option<i64> = sqlx::query_scalar(locked!(
        "select max_lifetime from signing_keys where issuer = $1 and kid = $2 and revoked_at is null"
    ))
    .bind(issuer.as_str())
    .bind(kid)
    .fetch_optional(connection)
    .await
    .map_err(unavailable)?;
    Ok(key.is_some())
}

async fn lock_build(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    own: &OwnToken,
    now: Moment,
) -> Outcome<(), RedemptionRefusal> {
    let client: Option<String> = sqlx::query_scalar(CLIENT_ENABLED)
        .bind(issuer.as_str())
        .bind(own.client.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(unavailable)?;
    if client.is_none() {
        return Ok(Err(RedemptionRefusal::ClientDisabled));
    }
    let build: Option<i64> = sqlx::query_scalar(locked!(
        "select deadline from builds where issuer = $1 and id = $2 and finished_at is null and deadline > $3"
    ))
    .bind(issuer.as_str())
    .bind(own.build.to_string())
    .bind(now.unix())
    .fetch_optional(connection)
    .await
    .map_err(unavailable)?;
    Ok(if build.is_some() { Ok(()) } else { Err(RedemptionRefusal::BuildFinished) })
}

async fn lock_record(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    own: &OwnToken,
) -> Outcome<(), RedemptionRefusal> {
    let record: Option<i64> = sqlx::query_scalar(locked!(
        "select issued_at from audit where issuer = $1 and jti = $2 and revoked_at is null"
    ))
    .bind(issuer.as_str())
    .bind(own.jti.to_string())
    .fetch_optional(&mut *connection)
    .await
    .map_err(unavailable)?;
    if record.is_none() {
        return Ok(Err(RedemptionRefusal::TokenRevoked));
    }
    Ok(if lock_key(connection, issuer, &own.kid).await? { Ok(()) } else { Err(RedemptionRefusal::KeyRevoked) })
}

/// Records the subject token, and marks it as used if it can be redeemed only once. Every redemption calls this
/// function, and no other statement accepts a subject token.
async fn mark_used(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    redemption: &Redemption,
) -> Outcome<(), RedemptionRefusal> {
    // The upsert locks the token's row whether the row existed or not: a second redemption waits and then sees the row
    // of the first.
    let accepted: Option<i64> = sqlx::query_scalar(
        "insert into used_tokens (issuer, token_issuer, digest, kept_until, used) values ($1, $2, $3, $4, $5) \
         on conflict (issuer, token_issuer, digest) do update set used = excluded.used, \
         kept_until = case when excluded.kept_until > used_tokens.kept_until then excluded.kept_until \
         else used_tokens.kept_until end where used_tokens.used = 0 returning used",
    )
    .bind(issuer.as_str())
    .bind(&redemption.token.issuer)
    .bind(redemption.token.digest.as_bytes().as_slice())
    .bind(redemption.kept_until().unix())
    .bind(i64::from(redemption.single_use))
    .fetch_optional(connection)
    .await
    .map_err(unavailable)?;
    Ok(if accepted.is_some() { Ok(()) } else { Err(RedemptionRefusal::Used) })
}

async fn pin_ids(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    entitlement: &str,
    pins: &Pins,
    revision: u64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update entitlements set pinned_owner_id = coalesce(pinned_owner_id, $3), \
         pinned_repository_id = coalesce(pinned_repository_id, $4), revision = $5 where issuer = $1 and id = $2",
    )
    .bind(issuer.as_str())
    .bind(entitlement)
    .bind(&pins.owner_id)
    .bind(&pins.repository_id)
    .bind(stored_count(revision))
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}
