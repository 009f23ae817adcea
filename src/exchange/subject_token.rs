//! A token as it was presented at a door: its signature good, and where it is our own, recorded by us and resting on a
//! build that runs. No door judges anything of a token that did not come through here.

use std::sync::Arc;

use super::entitlements::{ProviderEntry, RulesSnapshot};
use super::{Exchange, ExchangeError, ExchangeRefusal, NotExchanged};
use crate::base::{Jti, Moment, Secret, Sha256};
use crate::policy::BuildFacts;
use crate::store::{BuildState, IssuedToken, OwnToken, TokenKey};
use crate::verifier::{self, Check, Requirements, Trail, VerifiedToken, unverified_issuer_of};

/// A token that was verified, and what it rests on.
pub(super) struct SubjectToken {
    pub(super) verified: VerifiedToken,
    pub(super) own: Option<(Jti, IssuedToken)>,
}

impl SubjectToken {
    /// The one name of the token, whoever signed it and however.
    pub(super) fn key(&self) -> TokenKey {
        key_of(self.verified.provider().issuer(), self.verified.token_id(), self.verified.digest())
    }

    /// What a trade of it rests on beside the rules, where it is our own.
    pub(super) fn rests_on(&self) -> Option<OwnToken> {
        let (jti, standing) = self.own.as_ref()?;
        Some(OwnToken {
            jti: *jti,
            build: standing.build.id,
            client: standing.build.client.clone(),
            kid: standing.kid.clone(),
        })
    }

    /// Is it of a build of ours whose code was not accepted?
    pub(super) fn is_untrusted(&self) -> bool {
        self.own.as_ref().is_some_and(|(_, standing)| !standing.build.build.trusted)
    }

    /// What our own token was issued for, whatever its claims are called.
    pub(super) fn build_facts(&self) -> Option<BuildFacts<'_>> {
        let (_, standing) = self.own.as_ref()?;
        let build = &standing.build.build;
        let claimed = self.verified.claims().text("environment").filter(|_| build.is_vouched());
        Some(BuildFacts {
            org: Some(&build.org),
            org_id: build.org_id.as_deref(),
            repo: Some(&build.repo),
            repo_id: build.repo_id.as_deref(),
            workflow: build.workflow.as_deref(),
            // A token that a CI server injected has no request token; its environment stands in its claims, which are
            // ours: the record's digest is of the whole token.
            environment: build.environment_of(standing.step.as_ref()).or(claimed),
        })
    }

    /// The only audience.
    pub(super) fn audience(&self) -> &str {
        self.verified.claims().audiences().first().map(String::as_str).unwrap_or_default()
    }

    pub(super) fn subject(&self) -> &str {
        self.verified.claims().subject().unwrap_or_default()
    }
}

/// By its id; without one by its header and payload, never its signature: who holds a token of ES256 can make another
/// one over the same text.
pub(super) fn key_of(issuer: &str, id: Option<&str>, text: Sha256) -> TokenKey {
    TokenKey { issuer: issuer.to_owned(), digest: id.map_or(text, |id| Sha256::of(id.as_bytes())) }
}

impl Exchange {
    /// Verifies a token by one entry, and finds what it rests on.
    pub(super) async fn present(
        &self,
        entry: &ProviderEntry,
        token: &Secret<String>,
        requirements: &Requirements<'_>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<SubjectToken, NotExchanged> {
        let verified = verify(entry, token, requirements, trail).await.map_err(refused)?;
        self.stand(verified, token, now, trail).await
    }

    /// Verifies a token by every entry of its issuer. Those that took it, or what was told by the one that got furthest.
    pub(super) async fn verify_by_any(
        &self,
        snapshot: &RulesSnapshot,
        token: &Secret<String>,
        requirements: &Requirements<'_>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Vec<SubjectToken>, NotExchanged> {
        let issuer = unverified_issuer_of(token.expose_secret()).map_err(refused)?;
        let mut furthest: Option<verifier::TokenRefusal> = None;
        let mut taken = Vec::new();
        let entries: Vec<&Arc<ProviderEntry>> = snapshot.entries_of(&issuer).collect();
        for entry in entries {
            match verify(entry, token, requirements, trail).await {
                Ok(verified) => taken.push(self.stand(verified, token, now, trail).await?),
                Err(refusal) => {
                    if furthest.as_ref().is_none_or(|known| known.check() < refusal.check()) {
                        furthest = Some(refusal);
                    }
                }
            }
        }
        if taken.is_empty() {
            let refusal = furthest.unwrap_or(verifier::TokenRefusal::UnknownIssuer { issuer });
            return Err(refused(refusal));
        }
        Ok(taken)
    }

    /// What our own token rests on; a stranger's rests on nothing here.
    async fn stand(
        &self,
        verified: VerifiedToken,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<SubjectToken, NotExchanged> {
        if !verified.provider().is_own_issuer() {
            return Ok(SubjectToken { verified, own: None });
        }
        let standing = match verified.token_id().and_then(|jti| jti.parse::<Jti>().ok()) {
            Some(jti) => self.parts.store.find_issued(&self.id, jti).await?.map(|standing| (jti, standing)),
            None => None,
        };
        let recorded = standing.filter(|(_, standing)| standing.token_sha256 == token.digest());
        let Some((jti, standing)) = recorded else {
            tracing::error!(
                kid = verified.kid(),
                "a token with a good signature of ours was never recorded: is the key in other hands? `keys revoke`"
            );
            self.parts.metrics.unrecorded_token();
            return Err(ExchangeRefusal::NotRecorded.into());
        };
        let refusal = if standing.revoked_at.is_some() {
            Some(ExchangeRefusal::Revoked)
        } else if standing.client.disabled_at.is_some() {
            Some(ExchangeRefusal::ClientDisabled)
        } else if standing.build.state(now) != BuildState::Running {
            Some(ExchangeRefusal::BuildOver)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return Err(refusal.into());
        }
        trail.passed(Check::Standing, || {
            let build = &standing.build;
            ("a record of it, a build that runs, an enabled client".to_owned(), format!("build {}", build.id))
        });
        Ok(SubjectToken { verified, own: Some((jti, standing)) })
    }
}

async fn verify(
    entry: &ProviderEntry,
    token: &Secret<String>,
    requirements: &Requirements<'_>,
    trail: &mut Trail,
) -> Result<VerifiedToken, verifier::TokenRefusal> {
    let verdict = if trail.is_silent() {
        entry.verifier.verify(token.expose_secret(), requirements).await
    } else {
        let (verdict, steps) = entry.verifier.explain(token.expose_secret(), requirements).await;
        trail.within(steps);
        verdict
    };
    let is_signed = match &verdict {
        Ok(_) => true,
        // Whose it is is asked before the signature, with the words for any claim.
        Err(refusal) => refusal.check() > Check::Signature && unverified_issuer_of(token.expose_secret()).is_ok(),
    };
    if is_signed {
        trail.found_good(entry.provider().name());
    }
    verdict
}

/// Keys that can't be had are not the token's fault.
pub(super) fn refused(refusal: verifier::TokenRefusal) -> NotExchanged {
    match refusal {
        verifier::TokenRefusal::KeysUnavailable { reason, retry_after } => {
            ExchangeError::ProviderKeys { reason, retry_after }.into()
        }
        refusal => ExchangeRefusal::Token(refusal).into(),
    }
}
