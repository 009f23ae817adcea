//! Giving up a credential or a token before its time (RFC 7009). Whoever holds it may; what it was is told to nobody.

use serde_json::json;

use super::introspection::unverified_claims;
use super::{Declined, Error, Exchange};
use crate::base::{Jti, Moment, Secret, Sha256};
use crate::store::{EventRow, SPENT_FOR, TokenKey};
use crate::verifier::{Demand, Trail};

impl Exchange {
    /// Ends what this is: a key or an access token of ours, or an ID token with all that was given for it. What is
    /// unknown is ended already.
    ///
    /// # Errors
    /// [`Error`]: it may live on.
    pub async fn revoke(&self, token: &Secret<String>) -> Result<(), Error> {
        let now = self.parts.clock.now();
        if let Some(found) = self.parts.store.find_credential(&self.id, token.digest()).await? {
            let door = found.door.name();
            let event =
                self.revoked("credential_revoked", Some(door), &found.subject, json!({"credential": found.id}), now)?;
            self.parts.store.revoke_credential(&self.id, found.id, &event, now).await?;
            return Ok(());
        }
        if self.revoke_own(token, now).await? {
            return Ok(());
        }
        self.revoke_foreign(token, now).await
    }

    /// The digest of the whole text is in our record: whoever sends it holds it.
    async fn revoke_own(&self, token: &Secret<String>, now: Moment) -> Result<bool, Error> {
        let Some((jti, _)) = unverified_claims(token) else { return Ok(false) };
        let Some(row) = self.parts.store.find_audit(&self.id, jti).await? else { return Ok(false) };
        if row.token_sha256 != token.digest() {
            return Ok(false);
        }
        let event = self.revoked("id_token_revoked", None, &row.subject, json!({"jti": jti}), now)?;
        let key = TokenKey { issuer: self.settings.issuer.clone(), digest: digest_of(jti) };
        self.parts.store.revoke_id_token(&self.id, &key, Some(jti), row.expires_at + SPENT_FOR, &event, now).await?;
        Ok(true)
    }

    /// Another issuer's token, if it is good: one that is not opens nothing anyway.
    async fn revoke_foreign(&self, token: &Secret<String>, now: Moment) -> Result<(), Error> {
        let book = self.parts.books.current().await?;
        let demand = Demand { instead_of_providers: true, several_audiences: true, ..Demand::default() };
        let presented = match self.present_to_any(&book, token, &demand, now, &mut Trail::silent()).await {
            Ok(presented) => presented,
            Err(Declined::Refused(_)) => return Ok(()),
            Err(Declined::Failed(error)) => return Err(error),
        };
        let Some(presented) = presented.first() else { return Ok(()) };
        let detail = json!({"provider": presented.verified.provider_name()});
        let event = self.revoked("id_token_revoked", None, presented.subject(), detail, now)?;
        let until = presented.verified.claims().expires() + SPENT_FOR;
        Ok(self.parts.store.revoke_id_token(&self.id, &presented.key(), None, until, &event, now).await?)
    }

    fn revoked(
        &self,
        kind: &str,
        door: Option<&str>,
        subject: &str,
        detail: serde_json::Value,
        now: Moment,
    ) -> Result<EventRow, Error> {
        Ok(EventRow {
            id: self.event_id(now)?,
            at: now,
            kind: kind.to_owned(),
            door: door.map(str::to_owned),
            subject: Some(subject.to_owned()),
            detail: detail.to_string(),
        })
    }
}

/// As a presented token of ours is known by.
fn digest_of(jti: Jti) -> Sha256 {
    Sha256::of(jti.to_string().as_bytes())
}
