//! Giving up a credential or a token before its time (RFC 7009). Whoever holds it may; what it was is told to nobody.

use serde_json::json;

use super::introspection::unverified_claims;
use super::subject_token::{key_of, refused};
use super::{Exchange, ExchangeError, NotExchanged};
use crate::base::{CredentialId, Entropy, EventId, IssuerId, Moment, Secret};
use crate::store::{EventRow, Store, USED_TOKEN_KEPT_FOR};
use crate::verifier::{Requirements, Trail, unverified_issuer_of};

impl Exchange {
    /// Ends what this is: a key or an access token of ours, or an ID token with all that was given for it. What is
    /// unknown is ended already.
    ///
    /// # Errors
    /// [`ExchangeError`]: it may live on.
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

    /// The digest of the whole text is in our record: whoever sends it holds it.
    async fn revoke_own(&self, token: &Secret<String>, now: Moment) -> Result<bool, ExchangeError> {
        let Some((jti, _)) = unverified_claims(token) else { return Ok(false) };
        let Some(row) = self.parts.store.find_audit(&self.id, jti).await? else { return Ok(false) };
        if row.token_sha256 != token.digest() {
            return Ok(false);
        }
        let event = self.revoked(&row.subject, json!({"jti": jti}), now)?;
        let key = key_of(&self.settings.issuer, Some(&jti.to_string()), token.digest());
        self.parts
            .store
            .revoke_id_token(&self.id, &key, Some(jti), row.expires_at + USED_TOKEN_KEPT_FOR, &event, now)
            .await?;
        Ok(true)
    }

    /// Another issuer's token, if the signature is good, whatever the time is: what was given for it may outlive it. One
    /// whose key its issuer no longer publishes can't be known for one.
    async fn revoke_foreign(&self, token: &Secret<String>, now: Moment) -> Result<(), ExchangeError> {
        let Ok(issuer) = unverified_issuer_of(token.expose_secret()) else { return Ok(()) };
        let snapshot = self.parts.rules_cache.current().await?;
        let mut failed = None;
        for entry in snapshot.entries_of(&issuer) {
            let provider = entry.provider();
            if provider.is_own_issuer() {
                // It is not in our record: the alarm is raised where that is judged.
                let requirements =
                    Requirements { instead_of_providers: true, several_audiences: true, ..Requirements::default() };
                let _refused = self.present(entry, token, &requirements, now, &mut Trail::silent()).await;
                continue;
            }
            let signed = match entry.verifier.signed(token.expose_secret()).await.map_err(refused) {
                Ok(signed) => signed,
                Err(NotExchanged::Refused(_)) => continue,
                Err(NotExchanged::Failed(error)) => {
                    failed = Some(error);
                    continue;
                }
            };
            let subject = signed.claims.subject().unwrap_or_default();
            let event = self.revoked(subject, json!({"provider": provider.name()}), now)?;
            let key = key_of(provider.issuer(), signed.id(), signed.digest);
            let until = signed.claims.expires() + USED_TOKEN_KEPT_FOR;
            return Ok(self.parts.store.revoke_id_token(&self.id, &key, None, until, &event, now).await?);
        }
        failed.map_or(Ok(()), Err)
    }

    fn revoked(&self, subject: &str, detail: serde_json::Value, now: Moment) -> Result<EventRow, ExchangeError> {
        Ok(EventRow {
            id: self.event_id(now)?,
            at: now,
            kind: "id_token_revoked".to_owned(),
            flow: None,
            subject: Some(subject.to_owned()),
            detail: detail.to_string(),
        })
    }
}

/// Ends one credential; `by` is whoever does. `false` if there is none.
///
/// # Errors
/// [`ExchangeError`]: it may live on.
pub async fn revoke_credential(
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
        kind: "credential_revoked".to_owned(),
        flow: Some(found.flow),
        subject: Some(found.subject),
        detail: json!({ "credential": id, "by": by }).to_string(),
    };
    Ok(store.revoke_credential(issuer, id, &event, now).await?)
}
