//! Checks the tokens of one provider. The only maker of a [`VerifiedToken`]; believes nothing that stands in a token
//! before the signature of one of the provider's own keys is found good.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::cache::{SignedToken, TokenCache};
use super::explanation::Trail;
use super::window::{short_enough, valid_now};
use super::{Check, Claims, Explanation, KeySource, KeySourceError, Provider, TokenRefusal, claims};
use crate::base::{Clock, Moment, Sha256};
use crate::jose::{CheckError, LONGEST_TOKEN, Part, PeekError, SignatureAlgorithm, UnverifiedToken, peek};

/// What a door asks of a token beyond what its provider asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Requirements<'a> {
    /// The token's only audience. It stands in the place of the provider's `required_audience` where
    /// `instead_of_providers` says so; else both bind. Without either, `aud` is typed and not compared.
    pub audience: Option<&'a str>,
    /// Does `audience` replace the provider's? Without one, the door compares `aud` itself.
    pub instead_of_providers: bool,
    /// Are several audiences taken, if the one that is due is among them?
    pub several_audiences: bool,
    /// Claims that must be there with a type of the door's own.
    pub typed: &'a [(&'static str, ClaimForm)],
}

/// A type that a door may ask of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimForm {
    /// A JSON number without fraction or exponent.
    Integer,
    /// A string that is not empty.
    Text,
}

/// A token whose signature, times, audience and required claims are good.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    provider: Arc<Provider>,
    signed: Arc<SignedToken>,
}

impl VerifiedToken {
    /// The provider's name.
    #[must_use]
    pub fn provider_name(&self) -> &str {
        self.provider.name()
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// What the token says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.signed.claims
    }

    /// The name of the key that signed it.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.signed.kid
    }

    /// The algorithm that it is signed with.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.signed.algorithm
    }

    /// SHA-256 of header, dot and payload: the same for every signature that one key could make over them.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        self.signed.digest
    }

    /// Is it our own issuer's, of a build whose code was not accepted in its repository? Our tokens always say so in
    /// `trusted`; without it nothing is vouched for.
    #[must_use]
    pub fn is_untrusted_build(&self) -> bool {
        self.provider.is_own_issuer() && self.signed.claims.text("trusted") != Some("true")
    }

    /// What tells the issuer's tokens apart, whichever kind the issuer's entry is of: the first of the claims that kinds
    /// have for that, `jti` before all others, which is not blank.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.signed.id()
    }
}

/// A token as it was sent, with the digests that it is known by.
pub(super) struct Text<'a> {
    pub(super) token: &'a str,
    /// Of header, dot and payload. Two signatures of one key make two texts of one token.
    signed: Sha256,
    /// Of all of it.
    whole: Sha256,
}

impl<'a> Text<'a> {
    pub(super) fn read(token: &'a str) -> Result<Self, TokenRefusal> {
        // Before anything is spent on it.
        if token.len() > LONGEST_TOKEN {
            return Err(TokenRefusal::Malformed(PeekError::TooLong));
        }
        let (start, signature) = token.split_at(token.rfind('.').unwrap_or(token.len()));
        let (signed, whole) = Sha256::of_start_and_whole(start.as_bytes(), signature.as_bytes());
        Ok(Self { token, signed, whole })
    }
}

/// Checks the tokens of one provider.
pub struct Verifier {
    provider: Arc<Provider>,
    keys: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    cache: TokenCache,
}

impl Verifier {
    /// Checks tokens of `provider` by `keys`, which must be that provider's.
    #[must_use]
    pub fn new(provider: Provider, keys: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> Self {
        Self { provider: Arc::new(provider), keys, clock, cache: TokenCache::default() }
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Where its keys come from.
    #[must_use]
    pub fn keys(&self) -> &Arc<dyn KeySource> {
        &self.keys
    }

    /// Is the token one of this provider's, valid now, and what the door demands?
    ///
    /// # Errors
    /// [`TokenRefusal`] names the first check that failed. [`TokenRefusal::KeysUnavailable`] alone is not the token's fault.
    pub async fn verify(&self, token: &str, requirements: &Requirements<'_>) -> Result<VerifiedToken, TokenRefusal> {
        self.judge(&Text::read(token)?, requirements, &mut Trail::silent()).await
    }

    /// As [`Self::verify`], of a token whose digests are known.
    pub(super) async fn verify_text(
        &self,
        text: &Text<'_>,
        requirements: &Requirements<'_>,
    ) -> Result<VerifiedToken, TokenRefusal> {
        self.judge(text, requirements, &mut Trail::silent()).await
    }

    /// Was the token's signature found good under the keys that are held now?
    pub(super) fn remembers(&self, text: &Text<'_>) -> bool {
        self.seen(text).is_some()
    }

    fn seen(&self, text: &Text<'_>) -> Option<Arc<SignedToken>> {
        self.keys.generation().and_then(|generation| self.cache.find(&text.whole, generation))
    }

    /// As [`Self::verify`], and says what each check expected and found.
    pub async fn explain(
        &self,
        token: &str,
        requirements: &Requirements<'_>,
    ) -> (Result<VerifiedToken, TokenRefusal>, Explanation) {
        let mut trail = Trail::recording();
        let verdict = match Text::read(token) {
            Ok(text) => self.judge(&text, requirements, &mut trail).await,
            Err(refusal) => Err(refusal),
        };
        let mut explanation = trail.finish();
        if let Err(refusal) = &verdict {
            explanation.refused(refusal);
        }
        (verdict, explanation)
    }

    async fn judge(
        &self,
        text: &Text<'_>,
        requirements: &Requirements<'_>,
        trail: &mut Trail,
    ) -> Result<VerifiedToken, TokenRefusal> {
        let now = self.clock.now();
        let signed = self.signed_text(text, trail).await?;
        self.judge_claims(&signed.claims, requirements, now, trail)?;
        Ok(VerifiedToken { provider: Arc::clone(&self.provider), signed })
    }

    /// A token whose signature is good. Nothing else is asked of it, so that it opens nothing: it can be given up.
    #[cfg(feature = "server")]
    pub(crate) async fn signed(&self, token: &str) -> Result<Arc<SignedToken>, TokenRefusal> {
        self.signed_text(&Text::read(token)?, &mut Trail::silent()).await
    }

    async fn signed_text(&self, text: &Text<'_>, trail: &mut Trail) -> Result<Arc<SignedToken>, TokenRefusal> {
        if let Some(signed) = self.seen(text).filter(|_| trail.is_silent()) {
            return Ok(signed);
        }
        let (signed, generation) = self.judge_signature(text, trail).await?;
        let signed = Arc::new(signed);
        self.cache.keep(text.whole, generation, &signed);
        Ok(signed)
    }

    /// What follows from the bytes and the key alone.
    async fn judge_signature(&self, text: &Text<'_>, trail: &mut Trail) -> Result<(SignedToken, u64), TokenRefusal> {
        let unverified = peek(text.token).map_err(TokenRefusal::Malformed)?;
        let unverified_claims = self.judge_form(&unverified)?;
        trail.passed(Check::Form, || ("a token in the compact form".to_owned(), format!("{} bytes", text.token.len())));
        let issuer = unverified_issuer(&unverified_claims)?;
        if issuer != self.provider.issuer {
            return Err(TokenRefusal::Issuer { expected: self.provider.issuer.clone(), actual: issuer.to_owned() });
        }
        trail.passed(Check::Issuer, || (self.provider.issuer.clone(), issuer.to_owned()));
        let kid = unverified.unverified_kid().ok_or(TokenRefusal::KeyIdMissing)?;
        let named = unverified.unverified_alg();
        let allowed = self.provider.algorithms.iter().find(|allowed| allowed.name() == named);
        // Asked before the key is looked up, so that no token of another family makes us fetch anything.
        let algorithm = *allowed.ok_or_else(|| TokenRefusal::AlgorithmNotAllowed {
            allowed: self.provider.algorithms.clone(),
            actual: named.to_owned(),
        })?;
        let (key, generation) = self.keys.find(kid).await.map_err(|error| match error {
            KeySourceError::Unknown => TokenRefusal::UnknownKey { kid: kid.to_owned() },
            KeySourceError::Unavailable { reason, retry_after } => {
                TokenRefusal::KeysUnavailable { reason, retry_after }
            }
        })?;
        trail.passed(Check::Key, || ("a key of the provider".to_owned(), kid.to_owned()));
        key.check(&unverified).map_err(|error| match error {
            CheckError::Algorithm => {
                TokenRefusal::AlgorithmNotOfKey { key: key.algorithms().to_vec(), actual: named.to_owned() }
            }
            CheckError::Extension => TokenRefusal::Extension,
            CheckError::Key | CheckError::Signature => TokenRefusal::Signature,
        })?;
        trail.passed(Check::Algorithm, || (algorithms(key.algorithms()), named.to_owned()));
        trail.passed(Check::Signature, || ("the key's".to_owned(), "just that".to_owned()));
        let claims = Claims::read(unverified_claims)?;
        trail.passed(Check::Claims, || {
            let typed = "iss, aud, exp and iat, with sub, nbf and jti where they are, of their types";
            (typed.to_owned(), "all of them".to_owned())
        });
        Ok((SignedToken { claims, kid: kid.to_owned(), algorithm, digest: text.signed }, generation))
    }

    fn judge_form(&self, token: &UnverifiedToken<'_>) -> Result<Map<String, Value>, TokenRefusal> {
        if token.demands_extensions() {
            return Err(TokenRefusal::Extension);
        }
        if let Some(typ) = token.unverified_typ()
            && !is_jwt(typ)
        {
            return Err(TokenRefusal::Type { actual: typ.to_owned() });
        }
        let claims = serde_json::from_slice(token.unverified_payload());
        claims.map_err(|_| TokenRefusal::Malformed(PeekError::Json(Part::Payload)))
    }

    /// What time and the door can change: judged on every use.
    fn judge_claims(
        &self,
        claims: &Claims,
        requirements: &Requirements<'_>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<(), TokenRefusal> {
        let provider = &*self.provider;
        for (claim, form) in requirements.typed {
            has_form(claims, claim, *form)?;
        }
        let providers = provider.required_audience().filter(|_| !requirements.instead_of_providers);
        judge_audience(
            claims,
            [providers, requirements.audience].into_iter().flatten(),
            requirements.several_audiences,
        )?;
        trail.passed(Check::Audience, || {
            let expected = requirements.audience.or(providers);
            (expected.unwrap_or("any one: not compared").to_owned(), claims.audiences().join(" and "))
        });
        valid_now(claims, provider.tolerance, now)?;
        trail.passed(Check::Time, || {
            (format!("valid at {now}, give or take {}", provider.tolerance), format!("until {}", claims.expires()))
        });
        short_enough(claims, provider.max_lifetime, provider.tolerance, now)?;
        trail.passed(Check::Lifetime, || {
            (format!("at most {}", provider.max_lifetime), claims.expires().since(claims.issued()).to_string())
        });
        let missing = |claim: &&String| claims.all().get(claim.as_str()).is_none_or(Value::is_null);
        if let Some(claim) = provider.required_claims.iter().find(missing) {
            return Err(TokenRefusal::RequiredClaim { claim: claim.clone() });
        }
        trail.passed(Check::RequiredClaims, || {
            let names = provider.required_claims.join(", ");
            (if names.is_empty() { "none".to_owned() } else { names }, "all of them".to_owned())
        });
        (provider.kind.rule)(claims)?;
        trail.passed(Check::ProviderRule, || (format!("a token of kind {}", provider.kind.name), "one".to_owned()));
        Ok(())
    }
}

/// `iss` of claims that nothing is known of: good for choosing whose keys to look at, and for nothing else.
pub(super) fn unverified_issuer(claims: &Map<String, Value>) -> Result<&str, TokenRefusal> {
    match claims.get("iss") {
        Some(Value::String(issuer)) => Ok(issuer),
        None => Err(TokenRefusal::ClaimMissing { claim: "iss".to_owned() }),
        Some(other) => Err(TokenRefusal::ClaimType {
            claim: "iss".to_owned(),
            expected: "a string",
            actual: claims::type_of(other),
        }),
    }
}

/// A media type of JSON Web Tokens without its `application/` (RFC 7515 §4.1.9), in any case.
fn is_jwt(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "jose")
}

fn has_form(claims: &Claims, claim: &str, form: ClaimForm) -> Result<(), TokenRefusal> {
    let value = claims.all().get(claim).ok_or_else(|| TokenRefusal::ClaimMissing { claim: claim.to_owned() })?;
    let (right, expected) = match form {
        ClaimForm::Integer => (value.is_i64(), "a whole number"),
        ClaimForm::Text => (value.as_str().is_some_and(|text| !text.is_empty()), "a string that is not empty"),
    };
    if right {
        return Ok(());
    }
    Err(TokenRefusal::ClaimType { claim: claim.to_owned(), expected, actual: claims::type_of(value) })
}

fn judge_audience<'a>(claims: &Claims, due: impl Iterator<Item = &'a str>, several: bool) -> Result<(), TokenRefusal> {
    let there = claims.audiences();
    if there.is_empty() || (there.len() > 1 && !several) {
        return Err(TokenRefusal::AudienceCount { actual: there.len() });
    }
    for due in due {
        if !there.iter().any(|audience| audience == due) {
            return Err(TokenRefusal::Audience { expected: due.to_owned(), actual: there.to_vec() });
        }
    }
    Ok(())
}

fn algorithms(list: &[SignatureAlgorithm]) -> String {
    list.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(" or ")
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("provider", &self.provider.name).finish_non_exhaustive()
    }
}
