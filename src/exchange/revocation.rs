//! Revocation of credentials and tokens (RFC 7009). Every holder of a credential or token may revoke it; the answer
//! must never disclose whether anything was revoked.

use serde_json::json;

use super::event_kind::EventKind;
use super::exchange::Exchange;
use super::introspection::unverified_claims;
use super::refusal::{ExchangeError, NotExchanged};
use super::subject_token::{not_exchanged, token_key, verify};
use crate::base::{CredentialId, Entropy, EventId, IssuerId, Moment, Secret};
use crate::store::{EventRow, RevokedToken, Store, USED_TOKEN_KEPT_FOR};
use crate::verifier::{Requirements, Trail, unverified_issuer_of};

impl Exchange {
    /// Revokes a key, an access token, or an ID token together with all credentials issued for the ID token. An unknown
    /// token counts as revoked already.
    ///
    /// # Errors
    /// [`ExchangeError`] if the database or a provider fails: the token may still be valid.
    pub async fn revoke(&self, token: &Secret<String>) -> Result<(), ExchangeError> {
        let now = self.parts.clock.now();
        if let Some(found) = self.parts.store.find_credential(&self.id, token.digest()).await? {
            revoke_credential((&*self.parts.store, &self.id), found.id, "its holder", &*self.parts.entropy, now)
                .await?;
            return Ok(());
        }
        if self.revoke_own(token, now).await? {
            return Ok(());
        }
        self.revoke_foreign(token, now).await
    }

    /// Revokes an ID token of our own issuer. The token must have the recorded digest, which proves that the caller
    /// holds the token. Returns `false` for all other tokens.
    async fn revoke_own(&self, token: &Secret<String>, now: Moment) -> Result<bool, ExchangeError> {
        let Some((jti, _)) = unverified_claims(token) else { return Ok(false) };
        let Some(row) = self.parts.store.find_audit(&self.id, jti).await? else { return Ok(false) };
        if row.token_sha256 != token.digest() {
            return Ok(false);
        }
        let event = self.revocation_event(&row.subject, json!({"jti": jti}), now)?;
        let key = token_key(&self.settings.issuer, Some(&jti.to_string()), token.digest());
        let kept_until = row.expires_at + USED_TOKEN_KEPT_FOR;
        let revoked = RevokedToken { key, own: Some(jti), kept_until };
        self.parts.store.revoke_id_token(&self.id, &revoked, &event, now).await?;
        Ok(true)
    }

    /// Revokes another issuer's token if the signature is good. An expired token can be revoked as well: credentials
    /// issued for the token may outlive the token. If the provider no longer publishes the signing key, the token
    /// cannot be revoked.
    async fn revoke_foreign(&self, token: &Secret<String>, now: Moment) -> Result<(), ExchangeError> {
        let Ok(issuer) = unverified_issuer_of(token.expose_secret()) else { return Ok(()) };
        let snapshot = self.parts.rules_cache.current().await?;
        let mut failed = None;
        for entry in snapshot.entries_of(&issuer) {
            let provider = entry.provider();
            if provider.is_own_issuer() {
                // The token has no record. If the signature is good, looking up the record raises the alarm.
                let requirements =
                    Requirements { instead_of_providers: true, several_audiences: true, ..Requirements::default() };
                let mut trail = Trail::silent();
                if let Ok(verified) = verify(entry, token, &requirements, &mut trail).await {
                    let _refused = self.subject_token(verified, token, now, &mut trail).await;
                }
                continue;
            }
            let signed = match entry.verifier.signed(token.expose_secret()).await.map_err(not_exchanged) {
                Ok(signed) => signed,
                Err(NotExchanged::Refused(_)) => continue,
                Err(NotExchanged::Failed(error)) => {
                    failed = Some(error);
                    continue;
                }
            };
            let subject = signed.claims.subject().unwrap_or_default();
            let event = self.revocation_event(subject, json!({"provider": provider.name()}), now)?;
            let key = token_key(provider.issuer(), signed.id(), signed.digest);
            let kept_until = signed.claims.expires() + USED_TOKEN_KEPT_FOR;
            let revoked = RevokedToken { key, own: None, kept_until };
            return Ok(self.parts.store.revoke_id_token(&self.id, &revoked, &event, now).await?);
        }
        failed.map_or(Ok(()), Err)
    }

    fn revocation_event(
        &self,
        subject: &str,
        detail: serde_json::Value,
        now: Moment,
    ) -> Result<EventRow, ExchangeError> {
        Ok(EventRow {
            id: self.event_id(now)?,
            at: now,
            kind: EventKind::IdTokenRevoked.name().to_owned(),
            flow: None,
            subject: Some(subject.to_owned()),
            detail: detail.to_string(),
        })
    }
}

/// Revokes one credential; `by` names the actor in the event. Returns `false` if no credential has this id.
///
/// # Errors
/// [`ExchangeError`] if the database or the random generator fails: the credential may still be valid.
pub(crate) async fn revoke_credential(
    (store, issuer): (&dyn Store, &IssuerId),
    id: CredentialId,
    by: &str,
    entropy: &dyn Entropy,
    now: Moment,
) -> Result<bool, ExchangeError> {
    let Some(found) = store.show_credential(issuer, id).await? else { return Ok(false) };
    let event = EventRow {
        id: EventId::new(now, entropy)?,
        at: now,
        kind: EventKind::CredentialRevoked.name().to_owned(),
        flow: Some(found.flow),
        subject: Some(found.subject),
        detail: json!({ "credential": id, "by": by }).to_string(),
    };
    Ok(store.revoke_credential(issuer, id, &event, now).await?)
}
