//! The redemption of a subject token, in the transaction of the caller. Every row that the credential depends on is
//! locked, in one order, until the credential is stored: client, build, user, provider, entitlements, the ID token's
//! record, the key that signed it, the key that signs the credential.

use super::credentials::{insert_credential, keep_id_token};
use super::driver::DbConnection;
use super::fault::unavailable;
use super::fields::stored_count;
use super::rows::{insert_event, next_revision};
use super::statements::{CLIENT_ENABLED, held, held_to_change};
use crate::base::{EntitlementId, IssuerId, Moment};
use crate::policy::Pins;
use crate::store::{Outcome, OwnToken, Redemption, RedemptionRefusal, StoreError};

/// Claims the token and makes the credential, or says why not; then nothing may stay of it.
pub(super) async fn redeem(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    redemption: &Redemption,
) -> Outcome<(), RedemptionRefusal> {
    // Whoever learns takes the next number, and that before anything else, as whoever changes a rule does.
    let revision = match &redemption.pins {
        Some(_) => next_revision(connection, issuer, None).await?,
        None => None,
    };
    if let Err(refused) = hold(connection, issuer, redemption).await? {
        return Ok(Err(refused));
    }
    if let Err(refused) = claim(connection, issuer, redemption).await? {
        return Ok(Err(refused));
    }
    if let (Some(pins), Some((id, _))) = (&redemption.pins, redemption.entitlement) {
        learn(connection, issuer, &id.to_string(), pins, revision.unwrap_or_default()).await?;
    }
    let id_token = keep_id_token(connection, issuer, redemption).await?;
    insert_credential(connection, issuer, redemption, &id_token).await?;
    insert_event(connection, issuer, &redemption.event).await?;
    Ok(Ok(()))
}

/// Everything that the credential will rest on stands as it was judged, and stays so until the end of the transaction.
async fn hold(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    redemption: &Redemption,
) -> Outcome<(), RedemptionRefusal> {
    if let Some(own) = &redemption.own
        && let Err(refused) = hold_build(connection, issuer, own, redemption.now).await?
    {
        return Ok(Err(refused));
    }
    if let Some(user) = &redemption.user {
        let enabled: Option<i64> = sqlx::query_scalar(held!(
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
        let stands: Option<i64> = sqlx::query_scalar(held!(
            "select revision from oidc_providers where issuer = $1 and name = $2 and revision = $3 \
             and removed_at is null"
        ))
        .bind(issuer.as_str())
        .bind(&redemption.provider)
        .bind(stored_count(revision))
        .fetch_optional(&mut *connection)
        .await
        .map_err(unavailable)?;
        if stands.is_none() {
            return Ok(Err(RedemptionRefusal::RulesChanged));
        }
    }
    // By id, as whoever holds several does.
    let mut entitlements: Vec<_> = redemption.entitlement.iter().chain(&redemption.also).collect();
    entitlements.sort_unstable();
    for &(id, revision) in entitlements {
        let pins_ids = redemption.pins.is_some() && redemption.entitlement.is_some_and(|(own, _)| own == id);
        if !hold_entitlement(connection, issuer, (id, revision), pins_ids).await? {
            return Ok(Err(RedemptionRefusal::RulesChanged));
        }
    }
    if let Some(own) = &redemption.own
        && let Err(refused) = hold_record(connection, issuer, own).await?
    {
        return Ok(Err(refused));
    }
    match &redemption.credential.signed_by {
        Some(kid) if !hold_key(connection, issuer, kid).await? => Ok(Err(RedemptionRefusal::SignerRevoked)),
        _ => Ok(Ok(())),
    }
}

/// Does the entitlement stand as it was judged?
async fn hold_entitlement(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    (id, revision): (EntitlementId, u64),
    pins_ids: bool,
) -> Result<bool, StoreError> {
    const STANDS: &str = held!(
        "select revision from entitlements where issuer = $1 and id = $2 and revision = $3 and removed_at is null"
    );
    const LEARNS: &str = held_to_change!(
        "select revision from entitlements where issuer = $1 and id = $2 and revision = $3 and removed_at is null"
    );
    let stands: Option<i64> = sqlx::query_scalar(if pins_ids { LEARNS } else { STANDS })
        .bind(issuer.as_str())
        .bind(id.to_string())
        .bind(stored_count(revision))
        .fetch_optional(connection)
        .await
        .map_err(unavailable)?;
    Ok(stands.is_some())
}

/// Is this key of ours one that nobody revoked?
async fn hold_key(connection: &mut DbConnection, issuer: &IssuerId, kid: &str) -> Result<bool, StoreError> {
    let key: Option<i64> = sqlx::query_scalar(held!(
        "select max_lifetime from signing_keys where issuer = $1 and kid = $2 and revoked_at is null"
    ))
    .bind(issuer.as_str())
    .bind(kid)
    .fetch_optional(connection)
    .await
    .map_err(unavailable)?;
    Ok(key.is_some())
}

async fn hold_build(
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
    let build: Option<i64> = sqlx::query_scalar(held!(
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

async fn hold_record(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    own: &OwnToken,
) -> Outcome<(), RedemptionRefusal> {
    let record: Option<i64> =
        sqlx::query_scalar(held!("select issued_at from audit where issuer = $1 and jti = $2 and revoked_at is null"))
            .bind(issuer.as_str())
            .bind(own.jti.to_string())
            .fetch_optional(&mut *connection)
            .await
            .map_err(unavailable)?;
    if record.is_none() {
        return Ok(Err(RedemptionRefusal::TokenRevoked));
    }
    Ok(if hold_key(connection, issuer, &own.kid).await? { Ok(()) } else { Err(RedemptionRefusal::KeyRevoked) })
}

/// Claims the token, and spends it where the redemption does. The one place where a token is claimed.
async fn claim(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    redemption: &Redemption,
) -> Outcome<(), RedemptionRefusal> {
    // Locks the token's row whether it was there or not: whoever comes second waits, and sees what the first did.
    let claimed: Option<i64> = sqlx::query_scalar(
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
    Ok(if claimed.is_some() { Ok(()) } else { Err(RedemptionRefusal::Used) })
}

async fn learn(
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
