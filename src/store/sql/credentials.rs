//! Reads and writes rows of credentials and of redeemed subject tokens. A row never holds a credential's text, only the
//! text's digest.

use super::driver::{DbConnection, DbRow};
use super::fault::unavailable;
use super::fields::{Fields, stored_json};
use crate::base::IssuerId;
use crate::store::{Redemption, StoreError, StoredCredential, StoredIdToken};

/// Stores the subject token, or finds the stored row of a token that may be redeemed repeatedly. Returns the id of the
/// row. A different token with an equal `jti` gets a row of its own, since a credential must show the claims of the
/// token that was redeemed.
pub(super) async fn store_id_token(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    redemption: &Redemption,
) -> Result<String, StoreError> {
    if !redemption.single_use {
        let known: Option<String> = sqlx::query_scalar(
            "select id from oidc_id_tokens where issuer = $1 and token_issuer = $2 and digest = $3 and header = $4 \
             and claims = $5 limit 1",
        )
        .bind(issuer.as_str())
        .bind(&redemption.token.issuer)
        .bind(redemption.token.digest.as_bytes().as_slice())
        .bind(&redemption.id_token.header)
        .bind(&redemption.id_token.claims)
        .fetch_optional(&mut *connection)
        .await
        .map_err(unavailable)?;
        if let Some(known) = known {
            return Ok(known);
        }
    }
    let id = redemption.id_token.id.to_string();
    sqlx::query(
        "insert into oidc_id_tokens (issuer, id, provider, token_issuer, digest, entitlement, user_name, build_id, kid, \
         header, claims, received_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(issuer.as_str())
    .bind(&id)
    .bind(&redemption.provider)
    .bind(&redemption.token.issuer)
    .bind(redemption.token.digest.as_bytes().as_slice())
    .bind(redemption.entitlement.map(|(id, _)| id.to_string()))
    .bind(&redemption.user)
    .bind(redemption.own.as_ref().map(|own| own.build.to_string()))
    .bind(&redemption.id_token.kid)
    .bind(&redemption.id_token.header)
    .bind(&redemption.id_token.claims)
    .bind(redemption.now.unix())
    .bind(redemption.id_token.expires_at.unix())
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(id)
}

pub(super) async fn insert_credential(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    redemption: &Redemption,
    id_token: &str,
) -> Result<(), StoreError> {
    let new = &redemption.credential;
    sqlx::query(
        "insert into credentials (issuer, id, kind, digest, flow, name, subject, owner, scopes, packages, audience, \
         entitlement, provider, user_name, build_id, client_id, outlives_build, id_token, token_kid, signed_by, \
         created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
         $18, $19, $20, $21, $22)",
    )
    .bind(issuer.as_str())
    .bind(new.id.to_string())
    .bind(<&str>::from(new.kind))
    .bind(new.digest.as_bytes().as_slice())
    .bind(&new.flow)
    .bind(&new.name)
    .bind(&new.subject)
    .bind(&new.owner)
    .bind(stored_json(&new.scopes)?)
    .bind(stored_json(&new.packages)?)
    .bind(&new.audience)
    .bind(redemption.entitlement.map(|(id, _)| id.to_string()))
    .bind(&redemption.provider)
    .bind(&redemption.user)
    .bind(redemption.own.as_ref().map(|own| own.build.to_string()))
    .bind(redemption.own.as_ref().map(|own| own.client.as_str()))
    .bind(i64::from(new.outlives_build))
    .bind(id_token)
    .bind(redemption.own.as_ref().map(|own| own.kid.as_str()))
    .bind(&new.signed_by)
    .bind(redemption.now.unix())
    .bind(new.expires_at.unix())
    .execute(&mut *connection)
    .await
    .map_err(unavailable)?;
    for (entitlement, _) in &redemption.also {
        sqlx::query("insert into credential_entitlements (issuer, entitlement, credential) values ($1, $2, $3)")
            .bind(issuer.as_str())
            .bind(entitlement.to_string())
            .bind(new.id.to_string())
            .execute(&mut *connection)
            .await
            .map_err(unavailable)?;
    }
    Ok(())
}

/// Selects the columns that [`read_credential`] reads, from the credentials that meet a condition.
macro_rules! credentials_where {
    ($condition:literal) => {
        concat!(
            "select id, kind, flow, name, subject, owner, scopes, packages, audience, entitlement, provider, user_name, \
             build_id, id_token, created_at, expires_at, revoked_at, revoked_reason from credentials where issuer = $1 and ",
            $condition
        )
    };
}
pub(super) use credentials_where;

pub(super) fn read_credential(row: &DbRow) -> Result<StoredCredential, StoreError> {
    let fields = Fields::of(row, "credentials");
    Ok(StoredCredential {
        id: fields.parsed("id")?,
        kind: fields.parsed("kind")?,
        flow: fields.text("flow")?,
        name: fields.text("name")?,
        subject: fields.text("subject")?,
        owner: fields.optional_text("owner")?,
        scopes: fields.json("scopes")?,
        packages: fields.json("packages")?,
        audience: fields.text("audience")?,
        entitlement: fields.optional_parsed("entitlement")?,
        provider: fields.text("provider")?,
        user: fields.optional_text("user_name")?,
        build: fields.optional_parsed("build_id")?,
        id_token: fields.parsed("id_token")?,
        created_at: fields.moment("created_at")?,
        expires_at: fields.moment("expires_at")?,
        revoked: match fields.optional_moment("revoked_at")? {
            Some(at) => Some((at, fields.text("revoked_reason")?)),
            None => None,
        },
    })
}

pub(super) fn read_id_token(row: &DbRow) -> Result<StoredIdToken, StoreError> {
    let fields = Fields::of(row, "oidc_id_tokens");
    Ok(StoredIdToken {
        id: fields.parsed("id")?,
        provider: fields.text("provider")?,
        entitlement: fields.optional_parsed("entitlement")?,
        user: fields.optional_text("user_name")?,
        header: fields.text("header")?,
        claims: fields.text("claims")?,
        received_at: fields.moment("received_at")?,
    })
}
