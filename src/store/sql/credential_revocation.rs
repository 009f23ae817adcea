//! Death of credentials, stamped once by the act that causes it. Never lifted, and never moved to another time.

use super::DbConnection;
use super::fault::unavailable;
use crate::base::{BuildId, ClientId, CredentialId, EntitlementId, IssuerId, Moment, Sha256};
use crate::store::StoreError;

/// What dies.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dying<'a> {
    /// What rests on this build and does not outlive it.
    Build(BuildId),
    /// What rests on any build of this client.
    Client(&'a ClientId),
    /// One credential.
    Credential(CredentialId),
    /// What this entitlement gave.
    Entitlement(EntitlementId),
    /// What was given for this ID token: its issuer and digest.
    IdToken(&'a str, Sha256),
    /// What was given for tokens of this provider.
    Provider(&'a str),
    /// What this key of ours signed, and what was given for ID tokens that it signed.
    SigningKey(&'a str),
    /// What this user has.
    User(&'a str),
}

/// What is dead is dead; what has expired stays as it is.
macro_rules! stamp {
    ($whom:literal) => {
        concat!(
            "update credentials set dead_at = $2, dead_because = $3 where issuer = $1 and dead_at is null and ",
            $whom
        )
    };
}

/// Stamps; gives back how many died.
pub(super) async fn stamp(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    dying: Dying<'_>,
    because: &str,
    now: Moment,
) -> Result<u64, StoreError> {
    let statement = match dying {
        Dying::Build(_) => stamp!("build_id = $4 and outlives_build = 0 and expires_at > $2"),
        Dying::Client(_) => stamp!("client_id = $4 and expires_at > $2"),
        Dying::Credential(_) => stamp!("id = $4"),
        Dying::Entitlement(_) => stamp!(
            "(entitlement = $4 or id in (select credential from credential_entitlements where issuer = $1 \
             and entitlement = $4)) and expires_at > $2"
        ),
        Dying::IdToken(..) => stamp!(
            "id_token in (select id from oidc_id_tokens where issuer = $1 and token_issuer = $4 and digest = $5)"
        ),
        Dying::Provider(_) => stamp!("provider = $4 and expires_at > $2"),
        Dying::SigningKey(_) => stamp!("(token_kid = $4 or signed_by = $4) and expires_at > $2"),
        Dying::User(_) => stamp!("user_name = $4 and expires_at > $2"),
    };
    let query = sqlx::query(statement).bind(issuer.as_str()).bind(now.unix()).bind(because);
    let query = match &dying {
        Dying::Build(id) => query.bind(id.to_string()),
        Dying::Client(id) => query.bind(id.as_str()),
        Dying::Credential(id) => query.bind(id.to_string()),
        Dying::Entitlement(id) => query.bind(id.to_string()),
        Dying::IdToken(token_issuer, digest) => query.bind(*token_issuer).bind(digest.as_bytes().as_slice()),
        Dying::Provider(name) | Dying::User(name) => query.bind(*name),
        Dying::SigningKey(kid) => query.bind(*kid),
    };
    Ok(query.execute(connection).await.map_err(unavailable)?.rows_affected())
}
