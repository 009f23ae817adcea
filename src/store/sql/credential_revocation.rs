//! Death of credentials, stamped once by the act that causes it. Never lifted, and never moved to another time.

use super::driver::DbConnection;
use super::fault::unavailable;
use crate::base::{BuildId, ClientId, CredentialId, EntitlementId, IssuerId, Moment, Sha256};
use crate::store::StoreError;

/// What dies.
#[derive(Debug, Clone, Copy)]
pub(super) enum RevocationCause<'a> {
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
macro_rules! revoke_where {
    ($whom:literal) => {
        concat!(
            "update credentials set revoked_at = $2, revoked_reason = $3 where issuer = $1 and revoked_at is null and ",
            $whom
        )
    };
}

/// Stamps; gives back how many died.
pub(super) async fn revoke_where(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    dying: RevocationCause<'_>,
    because: &str,
    now: Moment,
) -> Result<u64, StoreError> {
    let statement = match dying {
        RevocationCause::Build(_) => revoke_where!("build_id = $4 and outlives_build = 0 and expires_at > $2"),
        RevocationCause::Client(_) => revoke_where!("client_id = $4 and expires_at > $2"),
        RevocationCause::Credential(_) => revoke_where!("id = $4"),
        RevocationCause::Entitlement(_) => revoke_where!(
            "(entitlement = $4 or id in (select credential from credential_entitlements where issuer = $1 \
             and entitlement = $4)) and expires_at > $2"
        ),
        RevocationCause::IdToken(..) => revoke_where!(
            "id_token in (select id from oidc_id_tokens where issuer = $1 and token_issuer = $4 and digest = $5)"
        ),
        RevocationCause::Provider(_) => revoke_where!("provider = $4 and expires_at > $2"),
        RevocationCause::SigningKey(_) => revoke_where!("(token_kid = $4 or signed_by = $4) and expires_at > $2"),
        RevocationCause::User(_) => revoke_where!("user_name = $4 and expires_at > $2"),
    };
    let query = sqlx::query(statement).bind(issuer.as_str()).bind(now.unix()).bind(because);
    let query = match &dying {
        RevocationCause::Build(id) => query.bind(id.to_string()),
        RevocationCause::Client(id) => query.bind(id.as_str()),
        RevocationCause::Credential(id) => query.bind(id.to_string()),
        RevocationCause::Entitlement(id) => query.bind(id.to_string()),
        RevocationCause::IdToken(token_issuer, digest) => query.bind(*token_issuer).bind(digest.as_bytes().as_slice()),
        RevocationCause::Provider(name) | RevocationCause::User(name) => query.bind(*name),
        RevocationCause::SigningKey(kid) => query.bind(*kid),
    };
    Ok(query.execute(connection).await.map_err(unavailable)?.rows_affected())
}
