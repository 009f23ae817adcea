//! Revocation of credentials by the act that causes it. Never undone, and its time never changes.

use super::driver::DbConnection;
use super::fault::unavailable;
use crate::base::{BuildId, ClientId, CredentialId, EntitlementId, IssuerId, Moment, Sha256};
use crate::store::StoreError;

/// What was revoked, disabled, changed or deleted, and thereby which credentials are revoked.
#[derive(Debug, Clone, Copy)]
pub(super) enum RevocationCause<'a> {
    /// Credentials issued for tokens of this build that do not outlive it.
    Build(BuildId),
    /// Credentials issued for tokens of any build of this client.
    Client(&'a ClientId),
    /// One credential, by its id.
    Credential(CredentialId),
    /// Credentials issued by this entitlement.
    Entitlement(EntitlementId),
    /// Credentials issued for this ID token: its issuer and digest.
    IdToken(&'a str, Sha256),
    /// Credentials issued for tokens of this provider.
    Provider(&'a str),
    /// Access tokens that this key of ours signed, and credentials issued for ID tokens that it signed.
    SigningKey(&'a str),
    /// Credentials of this user.
    User(&'a str),
}

/// Updates credentials that are not revoked yet; conditions leave out expired ones.
macro_rules! revoke_where {
    ($condition:literal) => {
        concat!(
            "update credentials set revoked_at = $2, revoked_reason = $3 where issuer = $1 and revoked_at is null and ",
            $condition
        )
    };
}

/// Revokes the credentials that depend on `cause`. Returns their number.
pub(super) async fn revoke_where(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    cause: RevocationCause<'_>,
    reason: &str,
    now: Moment,
) -> Result<u64, StoreError> {
    let statement = match cause {
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
    let query = sqlx::query(statement).bind(issuer.as_str()).bind(now.unix()).bind(reason);
    let query = match &cause {
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
