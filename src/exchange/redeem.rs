//! The core: one token in, one credential out, in one transaction; or nothing, and nothing claimed.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::credentials::subject;
use super::doors::{Ask, ForwardAsk, Judgement};
use super::rule_book::Entry;
use super::{Declined, Error, Exchange, Granted, Refusal, Refused};
use crate::base::{CredentialId, IdTokenId, Moment, Seconds, Secret};
use crate::jose::SigningKey;
use crate::store::{CredentialKind, EventRow, NewCredential, NewIdToken, StoreError, Trade, TradeRefusal};
use crate::verifier::{Check, Explanation, Trail};

/// How often a token is judged anew where the rules changed between judging and claiming.
const ATTEMPTS: usize = 5;

/// What ends with a token must have so much time left, whatever the tolerance.
const LEAST_LEFT: Seconds = Seconds::new(5);

/// The steps, with the one that it ended at.
fn explained<T>(judged: Result<T, Declined>, mut trail: Trail) -> Result<Explanation, Error> {
    match judged {
        Ok(_) => {}
        Err(Declined::Failed(error)) => return Err(error),
        // What the verifier refused it has noted itself.
        Err(Declined::Refused(Refused { refusal: Refusal::Token(refusal), .. })) => {
            let mut explanation = trail.finish();
            if explanation.accepted() || explanation.steps.is_empty() {
                explanation.refused(&refusal);
            }
            return Ok(explanation);
        }
        Err(Declined::Refused(Refused { refusal, .. })) => {
            trail.failed(refusal.check(), || (refusal.expected(), refusal.actual()));
        }
    }
    Ok(trail.finish())
}

impl Exchange {
    /// Trades a token at a door.
    ///
    /// # Errors
    /// [`Declined`]: nothing was claimed, and nothing was made.
    pub async fn exchange(&self, ask: &Ask, token: &Secret<String>) -> Result<Granted, Declined> {
        let door = ask.door().name();
        let mut trail = Trail::silent();
        match self.try_exchange(ask, token, &mut trail).await {
            Ok(granted) => {
                self.parts.metrics.exchanged(door);
                Ok(granted)
            }
            Err(Declined::Refused(refused)) => {
                self.refused(door, token, &refused.refusal, &trail).await;
                Err(Declined::Refused(refused))
            }
            failed => failed,
        }
    }

    async fn try_exchange(&self, ask: &Ask, token: &Secret<String>, trail: &mut Trail) -> Result<Granted, Declined> {
        for attempt in 0..ATTEMPTS {
            let now = self.parts.clock.now();
            // By a clock that is wrong every token could seem good.
            self.parts.keyring.ready_to_sign(now).await?;
            let book = self.parts.books.current().await?;
            let judgement = match self.judge(&book, ask, token, now, trail).await {
                Err(Declined::Refused(refused)) => return Err(self.tell_holder(&book, token, refused, trail)),
                judged => judged?,
            };
            let entry = Arc::clone(&judgement.entry);
            // Once for each request, however often it is judged.
            if attempt == 0 {
                self.count_repeated(&judgement)?;
            }
            if let Some(granted) = self.settle(judgement, token, now).await.map_err(|declined| match declined {
                Declined::Refused(refused) => self.tell(&entry, refused.refusal),
                failed => failed,
            })? {
                return Ok(granted);
            }
        }
        Err(StoreError::Contended.into())
    }

    /// Every step of what would happen, with what was expected and what was there. Claims nothing and makes nothing.
    ///
    /// # Errors
    /// [`Error`]: it could not be found out.
    pub async fn explain(&self, ask: &Ask, token: &Secret<String>) -> Result<Explanation, Error> {
        let now = self.parts.clock.now();
        let mut trail = Trail::recording();
        let judged = async {
            self.parts.keyring.ready_to_verify(now).await?;
            let book = self.parts.books.current().await?;
            let judgement = self.judge(&book, ask, token, now, &mut trail).await?;
            self.ends(&judgement, now)?;
            if self.parts.store.is_spent(&self.id, &judgement.presented.key()).await? {
                return Err(Refusal::Spent.into());
            }
            Ok::<_, Declined>(judgement)
        };
        let judged = judged.await;
        match &judged {
            Ok(Judgement { offer, .. }) if offer.opens_nothing() => {
                trail.failed(Check::Use, || {
                    ("something that it opens".to_owned(), "nothing of what was asked".to_owned())
                });
            }
            Ok(Judgement { offer, .. }) => trail.passed(Check::Use, || {
                let given = format!("{} for {}", offer.name, offer.audience);
                ("a token that nobody traded".to_owned(), format!("one; it would be given {given}"))
            }),
            Err(_) => {}
        }
        explained(judged, trail)
    }

    /// The same of a request that a proxy would ask about. Counts nothing.
    ///
    /// # Errors
    /// [`Error`]: it could not be found out.
    pub async fn explain_forward(&self, ask: &ForwardAsk) -> Result<Explanation, Error> {
        let mut trail = Trail::recording();
        let admitted = self.try_admit(ask, self.parts.clock.now(), &mut trail).await;
        explained(admitted, trail)
    }

    /// When what is offered ends.
    fn ends(&self, judgement: &Judgement, now: Moment) -> Result<Moment, Refusal> {
        let (offer, presented) = (&judgement.offer, &judgement.presented);
        let mut ends = now + offer.lifetime;
        if offer.ends_with_token {
            let token_ends = presented.verified.claims().expires();
            if token_ends < now + LEAST_LEFT {
                return Err(Refusal::EndsTooSoon);
            }
            ends = ends.min(token_ends);
        }
        if let (Some((_, standing)), false) = (&presented.own, offer.outlives_build) {
            ends = ends.min(standing.build.deadline);
        }
        Ok(ends)
    }

    /// Claims the token and makes the credential; `None` where the rules changed meanwhile.
    async fn settle(
        &self,
        judgement: Judgement,
        token: &Secret<String>,
        now: Moment,
    ) -> Result<Option<Granted>, Declined> {
        let expires_at = self.ends(&judgement, now)?;
        let id = CredentialId::new(now, &*self.parts.entropy)?;
        let signer = if judgement.offer.jwt { Some(self.signer(now)?) } else { None };
        let secret = self.make(&judgement, id, signer.as_ref(), now, expires_at).await?;
        // What opens nothing is no credential, and no row: whoever has a good token asks for it as often as they like.
        if judgement.offer.opens_nothing() {
            if self.parts.store.is_spent(&self.id, &judgement.presented.key()).await? {
                return Err(Refusal::Spent.into());
            }
        } else {
            let trade = self.trade(&judgement, token, (id, &secret, signer.as_deref()), now, expires_at)?;
            match self.parts.store.settle(&self.id, &trade).await? {
                Ok(()) => {}
                Err(TradeRefusal::RulesChanged) => return Ok(None),
                Err(TradeRefusal::SignerRevoked) => return Err(Error::NoSigner.into()),
                Err(refused) => return Err(refusal(refused, &trade).into()),
            }
        }
        let offer = judgement.offer;
        Ok(Some(Granted {
            id,
            secret,
            door: offer.door,
            name: offer.name,
            scopes: offer.scopes,
            gem: offer.gem,
            access: offer.access.unwrap_or_default(),
            created_at: now,
            expires_at,
        }))
    }

    /// What a token may be traded for again and again leaves rows each time, if it opens anything.
    fn count_repeated(&self, judgement: &Judgement) -> Result<(), Error> {
        let leaves_rows = !judgement.offer.single_use && !judgement.offer.opens_nothing();
        let Some(rate) = self.repeated.as_ref().filter(|_| leaves_rows) else { return Ok(()) };
        let verified = &judgement.presented.verified;
        // Tokens without a subject share one.
        let subject = verified.claims().subject().unwrap_or_default();
        let counted = rate.count(&(verified.provider_name().to_owned(), subject.to_owned()));
        counted.map_err(|retry_after| Error::TooMany { retry_after })
    }

    fn signer(&self, now: Moment) -> Result<Arc<SigningKey>, Error> {
        self.parts.keyring.view().default_signer(now).ok_or(Error::NoSigner)
    }

    fn trade(
        &self,
        judgement: &Judgement,
        token: &Secret<String>,
        (id, secret, signer): (CredentialId, &Secret<String>, Option<&SigningKey>),
        now: Moment,
        expires_at: Moment,
    ) -> Result<Trade, Error> {
        let (offer, presented) = (&judgement.offer, &judgement.presented);
        let claims = presented.verified.claims();
        let rendered = |error: serde_json::Error| Error::Internal(error.to_string());
        let entitlement = judgement.entitlement.as_ref().map(|entitlement| &entitlement.row);
        let credential = NewCredential {
            id,
            kind: if offer.jwt { CredentialKind::AccessToken } else { CredentialKind::Key },
            digest: secret.digest(),
            door: offer.door,
            name: offer.name.clone(),
            subject: subject(judgement),
            owner: offer.owner.clone(),
            scopes: offer.scopes.clone(),
            packages: offer.packages.clone(),
            audience: offer.audience.clone(),
            outlives_build: offer.outlives_build,
            signed_by: signer.map(|key| key.kid().to_owned()),
            expires_at,
        };
        let detail = json!({
            "credential": id, "kind": credential.kind, "name": offer.name, "scopes": offer.scopes,
            "packages": offer.packages, "audience": offer.audience, "expires_at": expires_at,
            "entitlement": entitlement.map(|row| &row.name), "user": entitlement.and_then(|row| row.user.as_ref()),
            "provider": presented.verified.provider_name(), "subject": claims.subject(),
            "build": presented.own.as_ref().map(|(_, standing)| standing.build.id),
        });
        Ok(Trade {
            now,
            token: presented.key(),
            single_use: offer.single_use,
            own: presented.rests_on(),
            user: entitlement.and_then(|row| row.user.clone()),
            provider: presented.verified.provider_name().to_owned(),
            provider_revision: revision(&judgement.entry),
            entitlement: entitlement.map(|row| (row.id, row.revision)),
            also: judgement.also.iter().map(|one| (one.row.id, one.row.revision)).collect(),
            learned: judgement.learned.clone(),
            id_token: NewIdToken {
                id: IdTokenId::new(now, &*self.parts.entropy)?,
                kid: presented.verified.kid().to_owned(),
                header: header(token),
                claims: serde_json::to_string(claims.all()).map_err(rendered)?,
                expires_at: claims.expires(),
            },
            credential,
            event: EventRow {
                id: self.event_id(now)?,
                at: now,
                kind: "credential_created".to_owned(),
                door: Some(offer.door.name().to_owned()),
                subject: claims.subject().map(str::to_owned),
                detail: detail.to_string(),
            },
        })
    }
}

fn revision(entry: &Entry) -> Option<u64> {
    entry.row.as_ref().map(|row| row.revision)
}

/// The header of a token that was verified, as JSON.
fn header(token: &Secret<String>) -> String {
    let segment = token.reveal().split('.').next().unwrap_or_default();
    let decoded = URL_SAFE_NO_PAD.decode(segment).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.unwrap_or_else(|| "{}".to_owned())
}

fn refusal(refused: TradeRefusal, trade: &Trade) -> Refusal {
    match refused {
        TradeRefusal::BuildOver => Refusal::BuildOver,
        TradeRefusal::ClientDisabled => Refusal::ClientDisabled,
        TradeRefusal::KeyRevoked => Refusal::KeyRevoked,
        TradeRefusal::RulesChanged | TradeRefusal::SignerRevoked | TradeRefusal::Spent => Refusal::Spent,
        TradeRefusal::TokenRevoked => Refusal::Revoked,
        TradeRefusal::UserDisabled => Refusal::UserDisabled { user: trade.user.clone().unwrap_or_default() },
    }
}
