//! Revokes all credentials that depend on an object that was revoked, disabled, changed or deleted. A revocation is
//! never undone, and the time of a revocation never changes.

use super::driver::DbConnection;
use super::fault::unavailable;
use crate::base::{BuildId, ClientId, CredentialId, EntitlementId, IssuerId, Moment, Sha256};
use crate::store::{RevocationReason, StoreError};

/// Object that was revoked, disabled, changed or deleted. All credentials that depend on the object are revoked.
#[derive(Debug, Clone, Copy)]
pub(super) enum RevocationCause<'a> {
    /// A build: revokes credentials issued for the build's tokens, except credentials that outlive the build.
    Build(BuildId),
    /// A client: revokes credentials issued for tokens of the client's builds.
    Client(&'a ClientId),
    /// One credential: revokes the credential with this id.
    Credential(CredentialId),
    /// An entitlement: revokes credentials issued under the entitlement.
    Entitlement(EntitlementId),
    /// A subject token, by the token's issuer and digest: revokes credentials issued for the token.
    IdToken(&'a str, Sha256),
    /// A provider: revokes credentials issued for tokens that the provider verified.
    Provider(&'a str),
    /// One of our signing keys, by `kid`: revokes access tokens that the key signed, and credentials issued for ID
    /// tokens that the key signed.
    SigningKey(&'a str),
    /// A user: revokes credentials issued to the user.
    User(&'a str),
}

/// Statement that revokes the credentials that meet a condition and are not revoked yet; most conditions exclude
/// expired credentials.
macro_rules! revoke_where {
    ($condition:literal) => {
        concat!(
            "update credentials set revoked_at = $2, revoked_reason = $3 where issuer = $1 and revoked_at is null and ",
            $condition
        )
    };
}

/// Revokes the credentials that depend on `cause`. Returns the number of revoked credentials.
pub(super) async fn revoke_where(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    cause: RevocationCause<'_>,
    reason: RevocationReason,
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
    let query = sqlx::query(statement).bind(issuer.as_str()).bind(now.unix()).bind(<&str>::from(reason));
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
