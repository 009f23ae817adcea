//! Verification of subject tokens (RFC 8693 §2.1): a provider verifies the token; a token of our own issuer must also
//! have a record and belong to a running build. No flow may use a token that was not verified here.

use super::entitlements::ProviderEntry;
use super::exchange::Exchange;
use super::refusal::{ExchangeError, ExchangeRefusal, NotExchanged};
use crate::base::{Jti, Moment, Secret, Sha256};
use crate::policy::BuildFacts;
use crate::store::{BuildState, IdTokenRecord, OwnToken, TokenKey};
use crate::verifier::{Check, Requirements, TokenRefusal, Trail, VerifiedToken, unverified_issuer_of};

/// A verified subject token; a token of our own issuer comes with the record of the token and the token's build.
pub struct SubjectToken {
    pub(super) verified: VerifiedToken,
    pub(super) own: Option<(Jti, IdTokenRecord)>,
}

impl SubjectToken {
    /// Returns the identity under which the token is recorded as used.
    pub(super) fn key(&self) -> TokenKey {
        token_key(self.verified.provider().issuer(), self.verified.token_id(), self.verified.digest())
    }

    /// Returns the ids that a credential for a token of our own issuer depends on: token, build, client and signing
    /// key. Returns `None` for tokens of other issuers.
    pub(super) fn own_token(&self) -> Option<OwnToken> {
        let (jti, record) = self.own.as_ref()?;
        Some(OwnToken {
            jti: *jti,
            build: record.build.id,
            client: record.build.client.clone(),
            kid: record.kid.clone(),
        })
    }

    /// Whether our own issuer issued the token to an untrusted build, such as a build of a fork.
    pub(super) fn is_untrusted(&self) -> bool {
        self.own.as_ref().is_some_and(|(_, record)| !record.build.build.trusted)
    }

    /// Returns the facts of the build that a token of our own issuer was issued to, whatever names a preset gives to
    /// the token's claims. Returns `None` for tokens of other issuers.
    pub(super) fn build_facts(&self) -> Option<BuildFacts<'_>> {
        let (_, record) = self.own.as_ref()?;
        let build = &record.build.build;
        let claimed = self.verified.claims().text("environment").filter(|_| build.is_vouched());
        Some(BuildFacts {
            org: Some(&build.org),
            org_id: build.org_id.as_deref(),
            repo: Some(&build.repo),
            repo_id: build.repo_id.as_deref(),
            workflow: build.workflow.as_deref(),
            // A token that the CI server itself requested has no request token. Its claims name the environment, and
            // our issuer wrote the claims: the record holds the digest of the whole token.
            environment: build.environment_of(record.step.as_ref()).or(claimed),
        })
    }

    /// Returns the token's only audience; verification refuses tokens with several audiences.
    pub(super) fn audience(&self) -> &str {
        self.verified.claims().audiences().first().map(String::as_str).unwrap_or_default()
    }

    pub(super) fn subject(&self) -> &str {
        self.verified.claims().subject().unwrap_or_default()
    }
}

/// Returns the identity of a token: the token's issuer, and the digest of the token's id, or of header and payload
/// (`text`) if the token has no id. The identity never covers the signature: the holder of a token could turn its ES256
/// signature into another valid one, and the token would count as unused.
pub(super) fn token_key(issuer: &str, id: Option<&str>, text: Sha256) -> TokenKey {
    TokenKey { issuer: issuer.to_owned(), digest: id.map_or(text, |id| Sha256::of(id.as_bytes())) }
}

impl Exchange {
    /// Looks up the record of a verified token of our own issuer; tokens of other issuers need no record.
    ///
    /// # Errors
    /// [`NotExchanged`] if the record is missing, the token is revoked, the client is disabled or the build has
    /// finished.
    pub(super) async fn subject_token(
        &self,
        verified: VerifiedToken,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<SubjectToken, NotExchanged> {
        if !verified.provider().is_own_issuer() {
            return Ok(SubjectToken { verified, own: None });
        }
        let found = match verified.token_id().and_then(|jti| jti.parse::<Jti>().ok()) {
            Some(jti) => self.parts.store.find_issued(&self.id, jti).await?.map(|record| (jti, record)),
            None => None,
        };
        let Some((jti, record)) = found.filter(|(_, record)| record.token_sha256 == token.digest()) else {
            tracing::error!(
                kid = verified.kid(),
                "a token signed by our key has no record: the key may be stolen; revoke the key with `keys revoke`"
            );
            self.parts.metrics.unrecorded_token();
            return Err(ExchangeRefusal::NotRecorded.into());
        };
        if record.revoked_at.is_some() {
            return Err(ExchangeRefusal::Revoked.into());
        }
        if record.client.disabled_at.is_some() {
            return Err(ExchangeRefusal::ClientDisabled.into());
        }
        if record.build.state(now) != BuildState::Running {
            return Err(ExchangeRefusal::BuildFinished.into());
        }
        trail.passed(Check::Record, || {
            (
                "a recorded token of a running build and an enabled client".to_owned(),
                format!("build {}", record.build.id),
            )
        });
        Ok(SubjectToken { verified, own: Some((jti, record)) })
    }
}

/// Verifies a token with one provider. If the signature is good, records in `trail` that the token is authentic.
pub(super) async fn verify(
    entry: &ProviderEntry,
    token: &Secret<String>,
    requirements: &Requirements<'_>,
    trail: &mut Trail,
) -> Result<VerifiedToken, TokenRefusal> {
    let verdict = if trail.is_silent() {
        entry.verifier.verify(token.expose_secret(), requirements).await
    } else {
        let (verdict, steps) = entry.verifier.explain(token.expose_secret(), requirements).await;
        trail.within(steps);
        verdict
    };
    let is_signed = match &verdict {
        Ok(_) => true,
        // A token with a missing or malformed `iss` is refused before its signature is checked, although
        // `Check::Claims` comes after `Check::Signature`.
        Err(refusal) => refusal.check() > Check::Signature && unverified_issuer_of(token.expose_secret()).is_ok(),
    };
    if is_signed {
        trail.found_good(entry.provider().name());
    }
    verdict
}

/// Converts a refusal of the verifier. Keys that could not be fetched become a failure of the server, because the token
/// may be valid.
pub(super) fn not_exchanged(refusal: TokenRefusal) -> NotExchanged {
    match refusal {
        TokenRefusal::KeysUnavailable { reason, retry_after } => {
            ExchangeError::ProviderKeys { reason, retry_after }.into()
        }
        refusal => ExchangeRefusal::Token(refusal).into(),
    }
}
