//! Introspection of credentials and of our own ID tokens (RFC 7662). A client must learn nothing about a credential for
//! an audience that is not the client's.

use serde::Serialize;

use super::exchange::Exchange;
use super::flows::token_exchange;
use super::refusal::ExchangeError;
use super::subject_token::token_key;
use crate::base::{Jti, Moment, Secret};
use crate::jose::peek;
use crate::policy::Client;
use crate::store::{BuildState, StoredCredential};

/// Answer to an introspection request. If `active` is false, all other members are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Introspection {
    /// Whether the credential or ID token is valid now.
    pub active: bool,
    /// Issuer of the credential or ID token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Subject of the credential or ID token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// Audience of the credential; of an ID token, all audiences, separated by spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// Expiry of the credential or ID token, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// Time when the credential or ID token was issued, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Id of the credential, or the ID token's `jti`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Scopes of the credential, separated by spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// `Bearer` for a credential; `N_A` for an ID token (RFC 8693 §2.2.1), which grants no access by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    /// Name of the flow that issued the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// Name of the rules file's grant that the credential was issued for; absent for credentials of other flows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// User or package owner that the credential belongs to; absent in flows without owners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Globs of the packages that the credential covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<String>>,
    /// Id of the build that the exchanged token, or the ID token, was issued to; absent for tokens of other issuers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
}

impl Exchange {
    /// Introspects a credential or an ID token of our own issuer. The answer is inactive if the client has no
    /// permission for the audience.
    ///
    /// # Errors
    /// [`ExchangeError`] if the lookup fails, which does not mean that the credential is invalid.
    pub async fn introspect(&self, client: &Client, token: &Secret<String>) -> Result<Introspection, ExchangeError> {
        let now = self.parts.clock.now();
        self.parts.keyring.ready_to_verify(now).await?;
        if let Some(found) = self.parts.store.find_credential(&self.id, token.digest()).await? {
            return Ok(self.introspect_credential(client, found, now));
        }
        self.introspect_id_token(client, token, now).await
    }

    fn introspect_credential(&self, client: &Client, found: StoredCredential, now: Moment) -> Introspection {
        if !found.is_active(now) || !client.may_address(&found.audience) {
            return Introspection::default();
        }
        Introspection {
            active: true,
            iss: Some(self.settings.issuer.clone()),
            sub: Some(found.subject),
            aud: Some(found.audience),
            exp: Some(found.expires_at.unix()),
            iat: Some(found.created_at.unix()),
            jti: Some(found.id.to_string()),
            scope: Some(found.scopes.join(" ")),
            token_type: Some("Bearer"),
            grant: (found.flow == token_exchange::NAME).then_some(found.name),
            flow: Some(found.flow),
            owner: found.owner,
            packages: Some(found.packages),
            build_id: found.build.map(|build| build.to_string()),
        }
    }

    /// Introspects an ID token of our own issuer. Finds the token's record by the `jti`, and compares the recorded
    /// digest with the digest of the whole token.
    async fn introspect_id_token(
        &self,
        client: &Client,
        token: &Secret<String>,
        now: Moment,
    ) -> Result<Introspection, ExchangeError> {
        let Some((jti, claims)) = unverified_claims(token) else { return Ok(Introspection::default()) };
        let Some(record) = self.parts.store.find_issued(&self.id, jti).await? else {
            return Ok(Introspection::default());
        };
        let text = |claim: &str| claims.get(claim).and_then(serde_json::Value::as_str).map(str::to_owned);
        let number = |claim: &str| claims.get(claim).and_then(serde_json::Value::as_i64);
        let audiences: Vec<String> = match claims.get("aud") {
            Some(serde_json::Value::Array(all)) => {
                all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
            }
            _ => text("aud").into_iter().collect(),
        };
        let published = self.parts.keyring.view();
        let signs = published.published(now).iter().any(|jwk| jwk.kid() == record.kid);
        let is_active = record.token_sha256 == token.digest()
            && record.revoked_at.is_none()
            && record.client.disabled_at.is_none()
            && record.build.state(now) == BuildState::Running
            && number("exp").is_some_and(|exp| exp > now.unix())
            && signs;
        let is_addressed = audiences.iter().any(|audience| client.may_address(audience));
        if !is_active || !is_addressed {
            return Ok(Introspection::default());
        }
        // A used token is inactive here, as forward authentication accepts no used token.
        let key = token_key(&self.settings.issuer, Some(&jti.to_string()), token.digest());
        if self.parts.store.is_used(&self.id, &key).await? {
            return Ok(Introspection::default());
        }
        Ok(Introspection {
            active: true,
            iss: text("iss"),
            sub: text("sub"),
            aud: Some(audiences.join(" ")),
            exp: number("exp"),
            iat: number("iat"),
            jti: Some(jti.to_string()),
            token_type: Some("N_A"),
            build_id: Some(record.build.id.to_string()),
            ..Introspection::default()
        })
    }
}

/// Returns `jti` and claims of an unverified token. The result may only be used to find the token's record.
pub(super) fn unverified_claims(token: &Secret<String>) -> Option<(Jti, serde_json::Map<String, serde_json::Value>)> {
    let unverified = peek(token.expose_secret()).ok()?;
    let claims: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(unverified.unverified_payload()).ok()?;
    let jti = claims.get("jti")?.as_str()?.parse().ok()?;
    Some((jti, claims))
}
