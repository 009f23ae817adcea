//! The core: one token in, one credential out, in one transaction; or nothing, and nothing claimed.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::credentials::subject;
use super::entitlements::ProviderEntry;
use super::flows::{Ask, ForwardRequest, Judgement};
use super::{DisclosedRefusal, Exchange, ExchangeError, ExchangeRefusal, Granted, NotExchanged};
use crate::base::{CredentialId, IdTokenId, Moment, Seconds, Secret};
use crate::jose::SigningKey;
use crate::store::{CredentialKind, EventRow, NewCredential, NewIdToken, Redemption, RedemptionRefusal, StoreError};
use crate::verifier::{Check, Explanation, Trail};

/// How often a token is judged anew where the rules changed between judging and claiming.
const ATTEMPTS: usize = 5;

/// What ends with a token must have so much time left, whatever the tolerance.
const LEAST_LEFT: Seconds = Seconds::new(5);

/// The steps, with the one that it ended at.
fn explained<T>(judged: Result<T, NotExchanged>, mut trail: Trail) -> Result<Explanation, ExchangeError> {
    match judged {
        Ok(_) => {}
        Err(NotExchanged::Failed(error)) => return Err(error),
        // What the verifier refused it has noted itself.
        Err(NotExchanged::Refused(DisclosedRefusal { refusal: ExchangeRefusal::Token(refusal), .. })) => {
            let mut explanation = trail.finish();
            if explanation.accepted() || explanation.steps.is_empty() {
                explanation.refused(&refusal);
            }
            return Ok(explanation);
        }
        Err(NotExchanged::Refused(DisclosedRefusal { refusal, .. })) => {
            trail.failed(refusal.check(), || (refusal.expected(), refusal.actual()));
        }
    }
    Ok(trail.finish())
}

impl Exchange {
    /// Exchanges a token through a flow.
    ///
    /// # Errors
    /// [`NotExchanged`]: nothing was claimed, and nothing was made.
    pub async fn exchange(&self, ask: &Ask, token: &Secret<String>) -> Result<Granted, NotExchanged> {
        let flow = ask.flow();
        let mut trail = Trail::silent();
        match self.try_exchange(ask, token, &mut trail).await {
            Ok(granted) => {
                self.parts.metrics.exchanged(flow);
                Ok(granted)
            }
            Err(NotExchanged::Refused(refused)) => {
                self.refused(flow, token, &refused.refusal, &trail).await;
                Err(NotExchanged::Refused(refused))
            }
            failed => failed,
        }
    }

    async fn try_exchange(
        &self,
        ask: &Ask,
        token: &Secret<String>,
        trail: &mut Trail,
    ) -> Result<Granted, NotExchanged> {
        for attempt in 0..ATTEMPTS {
            let now = self.parts.clock.now();
            // By a clock that is wrong every token could seem good.
            self.parts.keyring.ready_to_sign(now).await?;
            let snapshot = self.parts.rules_cache.current().await?;
            let judgement = match self.judge(&snapshot, ask, token, now, trail).await {
                Err(NotExchanged::Refused(refused)) => return Err(self.tell_holder(&snapshot, token, refused, trail)),
                judged => judged?,
            };
            let entry = Arc::clone(&judgement.entry);
            // Once for each request, however often it is judged.
            if attempt == 0 {
                self.count_repeated(&judgement)?;
            }
            if let Some(granted) = self.redeem(judgement, token, now).await.map_err(|declined| match declined {
                NotExchanged::Refused(refused) => self.tell(&entry, refused.refusal),
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
    /// [`ExchangeError`]: it could not be found out.
    pub async fn explain(&self, ask: &Ask, token: &Secret<String>) -> Result<Explanation, ExchangeError> {
        let now = self.parts.clock.now();
        let mut trail = Trail::recording();
        let judged = async {
            self.parts.keyring.ready_to_verify(now).await?;
            let snapshot = self.parts.rules_cache.current().await?;
            let judgement = self.judge(&snapshot, ask, token, now, &mut trail).await?;
            self.ends(&judgement, now)?;
            if self.parts.store.is_used(&self.id, &judgement.subject_token.key()).await? {
                return Err(ExchangeRefusal::Spent.into());
            }
            Ok::<_, NotExchanged>(judgement)
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
    /// [`ExchangeError`]: it could not be found out.
    pub async fn explain_forward(&self, ask: &ForwardRequest) -> Result<Explanation, ExchangeError> {
        let mut trail = Trail::recording();
        let admitted = self.try_admit(ask, self.parts.clock.now(), &mut trail).await;
        explained(admitted, trail)
    }

    /// When what is offered ends.
    fn ends(&self, judgement: &Judgement, now: Moment) -> Result<Moment, ExchangeRefusal> {
        let (offer, subject_token) = (&judgement.offer, &judgement.subject_token);
        let mut ends = now + offer.lifetime;
        if offer.ends_with_token {
            let token_ends = subject_token.verified.claims().expires();
            if token_ends < now + LEAST_LEFT {
                return Err(ExchangeRefusal::EndsTooSoon);
            }
            ends = ends.min(token_ends);
        }
        if let (Some((_, standing)), false) = (&subject_token.own, offer.outlives_build) {
            ends = ends.min(standing.build.deadline);
        }
        Ok(ends)
    }

    /// Claims the token and makes the credential; `None` where the rules changed meanwhile.
    async fn redeem(
        &self,
        judgement: Judgement,
        token: &Secret<String>,
        now: Moment,
    ) -> Result<Option<Granted>, NotExchanged> {
        let expires_at = self.ends(&judgement, now)?;
        let id = CredentialId::new(now, &*self.parts.entropy)?;
        let signer = if judgement.offer.jwt { Some(self.signer(now)?) } else { None };
        let secret = self.make(&judgement, id, signer.as_ref(), now, expires_at).await?;
        // What opens nothing is no credential, and no row: whoever has a good token asks for it as often as they like.
        if judgement.offer.opens_nothing() {
            if self.parts.store.is_used(&self.id, &judgement.subject_token.key()).await? {
                return Err(ExchangeRefusal::Spent.into());
            }
        } else {
            let redemption = self.redemption(&judgement, token, (id, &secret, signer.as_deref()), now, expires_at)?;
            match self.parts.store.redeem(&self.id, &redemption).await? {
                Ok(()) => {}
                Err(RedemptionRefusal::RulesChanged) => return Ok(None),
                Err(RedemptionRefusal::SignerRevoked) => return Err(ExchangeError::NoSigner.into()),
                Err(refused) => return Err(refusal(refused, &redemption).into()),
            }
        }
        let offer = judgement.offer;
        Ok(Some(Granted {
            id,
            secret,
            flow: offer.flow,
            name: offer.name,
            scopes: offer.scopes,
            gem: offer.gem,
            access: offer.access.unwrap_or_default(),
            created_at: now,
            expires_at,
        }))
    }

    /// What a token may be traded for again and again leaves rows each time, if it opens anything.
    fn count_repeated(&self, judgement: &Judgement) -> Result<(), ExchangeError> {
        let leaves_rows = !judgement.offer.single_use && !judgement.offer.opens_nothing();
        let Some(rate) = self.repeated.as_ref().filter(|_| leaves_rows) else { return Ok(()) };
        let verified = &judgement.subject_token.verified;
        // Tokens without a subject share one.
        let subject = verified.claims().subject().unwrap_or_default();
        let counted = rate.count(&(verified.provider_name().to_owned(), subject.to_owned()));
        counted.map_err(|retry_after| ExchangeError::TooMany { retry_after })
    }

    fn signer(&self, now: Moment) -> Result<Arc<SigningKey>, ExchangeError> {
        self.parts.keyring.view().default_signer(now).ok_or(ExchangeError::NoSigner)
    }

    fn redemption(
        &self,
        judgement: &Judgement,
        token: &Secret<String>,
        (id, secret, signer): (CredentialId, &Secret<String>, Option<&SigningKey>),
        now: Moment,
        expires_at: Moment,
    ) -> Result<Redemption, ExchangeError> {
        let (offer, subject_token) = (&judgement.offer, &judgement.subject_token);
        let claims = subject_token.verified.claims();
        let rendered = |error: serde_json::Error| ExchangeError::Internal(error.to_string());
        let entitlement = judgement.entitlement.as_ref().map(|entitlement| &entitlement.row);
        let credential = NewCredential {
            id,
            kind: if offer.jwt { CredentialKind::AccessToken } else { CredentialKind::Key },
            digest: secret.digest(),
            flow: offer.flow.to_owned(),
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
            "provider": subject_token.verified.provider_name(), "subject": claims.subject(),
            "build": subject_token.own.as_ref().map(|(_, standing)| standing.build.id),
        });
        Ok(Redemption {
            now,
            token: subject_token.key(),
            single_use: offer.single_use,
            own: subject_token.rests_on(),
            user: entitlement.and_then(|row| row.user.clone()),
            provider: subject_token.verified.provider_name().to_owned(),
            provider_revision: revision(&judgement.entry),
            entitlement: entitlement.map(|row| (row.id, row.revision)),
            also: judgement.also.iter().map(|one| (one.row.id, one.row.revision)).collect(),
            pins: judgement.pins.clone(),
            id_token: NewIdToken {
                id: IdTokenId::new(now, &*self.parts.entropy)?,
                kid: subject_token.verified.kid().to_owned(),
                header: header(token),
                claims: serde_json::to_string(claims.all()).map_err(rendered)?,
                expires_at: claims.expires(),
            },
            credential,
            event: EventRow {
                id: self.event_id(now)?,
                at: now,
                kind: "credential_created".to_owned(),
                flow: Some(offer.flow.to_owned()),
                subject: claims.subject().map(str::to_owned),
                detail: detail.to_string(),
            },
        })
    }
}

fn revision(entry: &ProviderEntry) -> Option<u64> {
    entry.row.as_ref().map(|row| row.revision)
}

/// The header of a token that was verified, as JSON.
fn header(token: &Secret<String>) -> String {
    let segment = token.expose_secret().split('.').next().unwrap_or_default();
    let decoded = URL_SAFE_NO_PAD.decode(segment).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.unwrap_or_else(|| "{}".to_owned())
}

fn refusal(refused: RedemptionRefusal, redemption: &Redemption) -> ExchangeRefusal {
    match refused {
        RedemptionRefusal::BuildFinished => ExchangeRefusal::BuildOver,
        RedemptionRefusal::ClientDisabled => ExchangeRefusal::ClientDisabled,
        RedemptionRefusal::KeyRevoked => ExchangeRefusal::KeyRevoked,
        RedemptionRefusal::RulesChanged | RedemptionRefusal::SignerRevoked | RedemptionRefusal::Used => {
            ExchangeRefusal::Spent
        }
        RedemptionRefusal::TokenRevoked => ExchangeRefusal::Revoked,
        RedemptionRefusal::UserDisabled => {
            ExchangeRefusal::UserDisabled { user: redemption.user.clone().unwrap_or_default() }
        }
    }
}
