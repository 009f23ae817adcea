//! The exchange of one token (RFC 8693): verify the subject token, find the entitlement that accepts the token, and in
//! one transaction record the token as used and record the credential. If any step fails, the token stays unused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::credentials::{CredentialDraft, IssuedCredential, subject};
use super::event_kind::EventKind;
use super::exchange::Exchange;
use super::flow::{Attempt, ExchangeDecision, Form, IssuingFlow, Lifetime, Offer};
use super::refusal::{ExchangeError, ExchangeRefusal, MIN_REMAINING, NotExchanged};
use crate::base::{CredentialId, IdTokenId, Moment, Secret};
use crate::store::{CredentialKind, EventRow, NewCredential, NewIdToken, Redemption, RedemptionRefusal, StoreError};
use crate::verifier::Trail;

/// Maximum number of evaluations of one token. The token is evaluated again if the rules changed before the
/// transaction.
const ATTEMPTS: usize = 5;

/// An exchange that was decided on and is not yet recorded in the database.
struct DecidedExchange<'a> {
    flow: &'static str,
    token: &'a Secret<String>,
    decision: &'a ExchangeDecision,
    offer: &'a Offer,
    now: Moment,
}

impl Exchange {
    /// Exchanges a subject token for a credential.
    ///
    /// # Errors
    /// [`NotExchanged`]: the caller gets no credential. A refused exchange does not record the token as used.
    pub async fn exchange(
        &self,
        flow: &dyn IssuingFlow,
        token: &Secret<String>,
    ) -> Result<IssuedCredential, NotExchanged> {
        let mut trail = Trail::silent();
        match self.try_exchange(flow, token, &mut trail).await {
            Ok(issued) => {
                self.parts.metrics.exchanged(flow.name());
                Ok(issued)
            }
            Err(NotExchanged::Refused(refused)) => {
                self.record_refusal(flow.name(), token, &refused.refusal, &trail).await;
                Err(NotExchanged::Refused(refused))
            }
            failed => failed,
        }
    }

    async fn try_exchange(
        &self,
        flow: &dyn IssuingFlow,
        token: &Secret<String>,
        trail: &mut Trail,
    ) -> Result<IssuedCredential, NotExchanged> {
        for number in 0..ATTEMPTS {
            let now = self.parts.clock.now();
            // A wrong clock would accept expired tokens.
            self.parts.keyring.ready_to_sign(now).await?;
            let rules = self.parts.rules_cache.current().await?;
            let mut attempt = Attempt { exchange: self, rules: &rules, token, now, trail };
            let decided = attempt.evaluate(flow).await;
            let (decision, offer) = decided.map_err(|error| self.disclose(&rules, token, error, trail))?;
            // The limit counts each request once, however often the token is evaluated.
            if number == 0 {
                self.limit_repeated(&decision, &offer)?;
            }
            let decided = DecidedExchange { flow: flow.name(), token, decision: &decision, offer: &offer, now };
            let redeemed = self.redeem(&decided).await;
            if let Some(issued) = redeemed.map_err(|error| self.disclose_for(&decision.entry, error))? {
                return Ok(issued);
            }
        }
        Err(StoreError::Contended.into())
    }

    /// Records the token as used, and records the credential. Returns `None` if the rules changed since the decision.
    async fn redeem(&self, decided: &DecidedExchange<'_>) -> Result<Option<IssuedCredential>, NotExchanged> {
        let DecidedExchange { decision, offer, now, .. } = *decided;
        let expires_at = expires_at(decision, offer, now)?;
        let signer = match &offer.form {
            Form::AccessToken { .. } => {
                Some(self.parts.keyring.view().default_signer(now).ok_or(ExchangeError::NoSigner)?)
            }
            Form::Key => None,
        };
        let draft = CredentialDraft { id: CredentialId::new(now, &*self.parts.entropy)?, signer, now, expires_at };
        let secret = self.draw_credential(decision, offer, &draft).await?;
        if offer.grants_access() {
            let (id_token, credential) = self.rows(decided, &draft, &secret)?;
            let redemption = self.redemption(decided, id_token, credential)?;
            match self.parts.store.redeem(&self.id, &redemption).await? {
                Ok(()) => {}
                Err(RedemptionRefusal::RulesChanged) => return Ok(None),
                Err(RedemptionRefusal::SignerRevoked) => return Err(ExchangeError::NoSigner.into()),
                Err(refused) => return Err(refusal_of(refused, &redemption).into()),
            }
        } else if self.is_used(decision).await? {
            return Err(ExchangeRefusal::Used.into());
        }
        Ok(Some(IssuedCredential {
            secret,
            name: offer.name.clone(),
            scopes: offer.scopes.clone(),
            packages: offer.packages.clone(),
            created_at: now,
            expires_at,
        }))
    }

    pub(super) async fn is_used(&self, decision: &ExchangeDecision) -> Result<bool, StoreError> {
        self.parts.store.is_used(&self.id, &decision.subject_token.key()).await
    }

    /// Limits how often one subject exchanges reusable tokens, because each exchange adds rows to the database.
    fn limit_repeated(&self, decision: &ExchangeDecision, offer: &Offer) -> Result<(), ExchangeError> {
        let adds_rows = !offer.single_use && offer.grants_access();
        let Some(rate) = self.repeated.as_ref().filter(|_| adds_rows) else { return Ok(()) };
        let verified = &decision.subject_token.verified;
        // Tokens of one provider without a subject share one limit.
        let subject = verified.claims().subject().unwrap_or_default();
        let counted = rate.count(&(verified.provider_name().to_owned(), subject.to_owned()));
        counted.map_err(|retry_after| ExchangeError::TooMany { retry_after })
    }

    fn rows(
        &self,
        decided: &DecidedExchange<'_>,
        draft: &CredentialDraft,
        secret: &Secret<String>,
    ) -> Result<(NewIdToken, NewCredential), ExchangeError> {
        let DecidedExchange { flow, token, decision, offer, .. } = *decided;
        let verified = &decision.subject_token.verified;
        let claims = verified.claims();
        let id_token = NewIdToken {
            id: IdTokenId::new(draft.now, &*self.parts.entropy)?,
            kid: verified.kid().to_owned(),
            header: header(token),
            claims: serde_json::to_string(claims.all()).map_err(|error| ExchangeError::Internal(error.to_string()))?,
            expires_at: claims.expires(),
        };
        let credential = NewCredential {
            id: draft.id,
            kind: match offer.form {
                Form::AccessToken { .. } => CredentialKind::AccessToken,
                Form::Key => CredentialKind::Key,
            },
            digest: secret.digest(),
            flow: flow.to_owned(),
            name: offer.name.clone(),
            subject: subject(decision),
            owner: offer.owner.clone(),
            scopes: offer.scopes.clone(),
            packages: offer.packages.clone(),
            audience: offer.audience.clone(),
            outlives_build: offer.outlives_build,
            signed_by: draft.signer.as_ref().map(|key| key.kid().to_owned()),
            expires_at: draft.expires_at,
        };
        Ok((id_token, credential))
    }

    /// Returns the input of the transaction that records the exchange: revisions and ids that the credential depends
    /// on, and the rows to insert.
    fn redemption(
        &self,
        decided: &DecidedExchange<'_>,
        id_token: NewIdToken,
        credential: NewCredential,
    ) -> Result<Redemption, ExchangeError> {
        let DecidedExchange { decision, offer, now, .. } = *decided;
        let token = &decision.subject_token;
        let entitlement = decision.entitlement.as_ref().map(|entitlement| &entitlement.row);
        let detail = json!({
            "credential": credential.id, "kind": credential.kind, "name": credential.name, "scopes": credential.scopes,
            "packages": credential.packages, "audience": credential.audience, "expires_at": credential.expires_at,
            "entitlement": entitlement.map(|row| &row.name), "user": entitlement.and_then(|row| row.user.as_ref()),
            "provider": token.verified.provider_name(), "subject": token.verified.claims().subject(),
            "build": token.own.as_ref().map(|(_, record)| record.build.id),
        });
        Ok(Redemption {
            now,
            token: token.key(),
            single_use: offer.single_use,
            own: token.own_token(),
            user: entitlement.and_then(|row| row.user.clone()),
            provider: token.verified.provider_name().to_owned(),
            provider_revision: decision.entry.row.as_ref().map(|row| row.revision),
            entitlement: entitlement.map(|row| (row.id, row.revision)),
            also: decision.joined.iter().map(|entitlement| (entitlement.row.id, entitlement.row.revision)).collect(),
            pins: decision.pins.clone(),
            event: EventRow {
                id: self.event_id(now)?,
                at: now,
                kind: EventKind::CredentialCreated.name().to_owned(),
                flow: Some(credential.flow.clone()),
                subject: token.verified.claims().subject().map(str::to_owned),
                detail: detail.to_string(),
            },
            id_token,
            credential,
        })
    }
}

/// Returns when the credential expires: after a fixed lifetime, or with the subject token. A credential that does not
/// outlive its build expires at the latest at the build's deadline.
pub(super) fn expires_at(decision: &ExchangeDecision, offer: &Offer, now: Moment) -> Result<Moment, ExchangeRefusal> {
    let token = &decision.subject_token;
    let mut expires_at = match offer.lifetime {
        Lifetime::Fixed(lifetime) => now + lifetime,
        Lifetime::WithinToken(longest) => {
            let token_expires = token.verified.claims().expires();
            if token_expires < now + MIN_REMAINING {
                return Err(ExchangeRefusal::ExpiresTooSoon);
            }
            token_expires.min(now + longest)
        }
    };
    if let (Some((_, record)), false) = (&token.own, offer.outlives_build) {
        expires_at = expires_at.min(record.build.deadline);
    }
    Ok(expires_at)
}

/// Returns the JOSE header of a verified token, as JSON.
fn header(token: &Secret<String>) -> String {
    let segment = token.expose_secret().split('.').next().unwrap_or_default();
    let decoded = URL_SAFE_NO_PAD.decode(segment).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.unwrap_or_else(|| "{}".to_owned())
}

fn refusal_of(refused: RedemptionRefusal, redemption: &Redemption) -> ExchangeRefusal {
    match refused {
        RedemptionRefusal::BuildFinished => ExchangeRefusal::BuildFinished,
        RedemptionRefusal::ClientDisabled => ExchangeRefusal::ClientDisabled,
        RedemptionRefusal::KeyRevoked => ExchangeRefusal::KeyRevoked,
        RedemptionRefusal::RulesChanged | RedemptionRefusal::SignerRevoked | RedemptionRefusal::Used => {
            ExchangeRefusal::Used
        }
        RedemptionRefusal::TokenRevoked => ExchangeRefusal::Revoked,
        RedemptionRefusal::UserDisabled => {
            ExchangeRefusal::UserDisabled { user: redemption.user.clone().unwrap_or_default() }
        }
    }
}
