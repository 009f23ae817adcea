//! Verifies the tokens of one provider. Only this file creates a [`VerifiedToken`], and no code here trusts a value of
//! a token before the signature is verified with a key of the provider.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::cache::{SignedToken, TokenCache};
use super::explanation::Trail;
use super::window::{check_lifetime, check_times};
use super::{Check, Claims, Explanation, KeySource, KeySourceError, Provider, TokenRefusal, claims};
use crate::base::{Clock, Moment, Sha256};
use crate::jose::{CheckError, LONGEST_TOKEN, Part, PeekError, SignatureAlgorithm, UnverifiedToken, peek};

/// Requirements on a token, in addition to those of the provider's configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Requirements<'a> {
    /// Audience that must be the token's only audience. The provider's `required_audience` is required too, unless
    /// `instead_of_providers` is set. If neither audience is set, the value of `aud` is not checked.
    pub audience: Option<&'a str>,
    /// Whether `audience` replaces the provider's `required_audience`. If `audience` is then `None`, the calling code
    /// must check `aud`.
    pub instead_of_providers: bool,
    /// Whether a token may have several audiences, of which one must be the required audience.
    pub several_audiences: bool,
    /// Claims that the token must have, each with the type of the claim's value.
    pub typed: &'a [(&'static str, ClaimForm)],
}

/// Type that [`Requirements`] may require of a claim's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimForm {
    /// The value is a JSON number without fraction or exponent.
    Integer,
    /// The value is a JSON string that is not empty.
    Text,
}

/// A token that passed every check: signature, times, audience and required claims.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    provider: Arc<Provider>,
    signed: Arc<SignedToken>,
}

impl VerifiedToken {
    /// Returns the name of the provider that issued the token.
    #[must_use]
    pub fn provider_name(&self) -> &str {
        self.provider.name()
    }

    /// Returns the provider that issued the token.
    #[must_use]
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Returns the claims of the token.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.signed.claims
    }

    /// Returns the `kid` of the key that signed the token.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.signed.kid
    }

    /// Returns the algorithm of the token's signature.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.signed.algorithm
    }

    /// Returns the SHA-256 of the token's header, dot and payload. The digest does not depend on the signature, of
    /// which several can be valid.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        self.signed.digest
    }

    /// Returns whether our own issuer signed the token for an untrusted build, such as a build of a fork. A token of
    /// our own issuer without the claim `trusted` counts as untrusted.
    #[must_use]
    pub fn is_untrusted_build(&self) -> bool {
        self.provider.is_own_issuer() && self.signed.claims.text("trusted") != Some("true")
    }

    /// Returns the token's unique id: the value of `jti`. If `jti` has no value, returns the first other claim with a
    /// value that any kind of provider uses as an id, such as `uti`. All providers with the same issuer find the same
    /// id.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.signed.id()
    }
}

/// The text of an unverified token, with digests of the text.
pub(super) struct Text<'a> {
    pub(super) token: &'a str,
    /// SHA-256 of the token's header, dot and payload, without the signature.
    signed: Sha256,
    /// SHA-256 of the whole text, with the signature.
    whole: Sha256,
}

impl<'a> Text<'a> {
    pub(super) fn read(token: &'a str) -> Result<Self, TokenRefusal> {
        // The length is checked before the digest, so that a long text costs nothing.
        if token.len() > LONGEST_TOKEN {
            return Err(TokenRefusal::Malformed(PeekError::TooLong));
        }
        let (start, signature) = token.split_at(token.rfind('.').unwrap_or(token.len()));
        let (signed, whole) = Sha256::of_start_and_whole(start.as_bytes(), signature.as_bytes());
        Ok(Self { token, signed, whole })
    }
}

/// Verifier of the tokens of one provider, with the provider's keys and a cache of verified signatures.
pub struct Verifier {
    provider: Arc<Provider>,
    keys: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    cache: TokenCache,
}

impl Verifier {
    /// Creates a verifier for the tokens of `provider`. `keys` must be the keys of that provider.
    #[must_use]
    pub fn new(provider: Provider, keys: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> Self {
        Self { provider: Arc::new(provider), keys, clock, cache: TokenCache::default() }
    }

    /// Returns the provider whose tokens this verifier verifies.
    #[must_use]
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Returns the source of the provider's keys.
    #[must_use]
    pub fn keys(&self) -> &Arc<dyn KeySource> {
        &self.keys
    }

    /// Verifies that the provider issued the token, that the token is valid now, and that it meets `requirements`.
    ///
    /// # Errors
    /// [`TokenRefusal`] for the first check that failed. After [`TokenRefusal::KeysUnavailable`], a retry may succeed.
    pub async fn verify(&self, token: &str, requirements: &Requirements<'_>) -> Result<VerifiedToken, TokenRefusal> {
        self.check(&Text::read(token)?, requirements, &mut Trail::silent()).await
    }

    /// Verifies a token as [`Self::verify`] does, for a caller that has already computed the digests of the token's
    /// text.
    pub(super) async fn verify_text(
        &self,
        text: &Text<'_>,
        requirements: &Requirements<'_>,
    ) -> Result<VerifiedToken, TokenRefusal> {
        self.check(text, requirements, &mut Trail::silent()).await
    }

    /// Whether the token's signature was already verified under the current key set.
    pub(super) fn has_cached(&self, text: &Text<'_>) -> bool {
        self.cached(text).is_some()
    }

    fn cached(&self, text: &Text<'_>) -> Option<Arc<SignedToken>> {
        self.keys.generation().and_then(|generation| self.cache.find(&text.whole, generation))
    }

    /// Verifies a token as [`Self::verify`] does, and explains what each check expected and found.
    pub async fn explain(
        &self,
        token: &str,
        requirements: &Requirements<'_>,
    ) -> (Result<VerifiedToken, TokenRefusal>, Explanation) {
        let mut trail = Trail::recording();
        let result = match Text::read(token) {
            Ok(text) => self.check(&text, requirements, &mut trail).await,
            Err(refusal) => Err(refusal),
        };
        let mut explanation = trail.finish();
        if let Err(refusal) = &result {
            explanation.refused(refusal);
        }
        (result, explanation)
    }

    async fn check(
        &self,
        text: &Text<'_>,
        requirements: &Requirements<'_>,
        trail: &mut Trail,
    ) -> Result<VerifiedToken, TokenRefusal> {
        let now = self.clock.now();
        let signed = self.signed_text(text, trail).await?;
        self.check_claims(&signed.claims, requirements, now, trail)?;
        Ok(VerifiedToken { provider: Arc::clone(&self.provider), signed })
    }

    /// Verifies only the token's signature, in order to revoke the token. The result must not be used to grant
    /// anything.
    #[cfg(feature = "server")]
    pub(crate) async fn signed(&self, token: &str) -> Result<Arc<SignedToken>, TokenRefusal> {
        self.signed_text(&Text::read(token)?, &mut Trail::silent()).await
    }

    async fn signed_text(&self, text: &Text<'_>, trail: &mut Trail) -> Result<Arc<SignedToken>, TokenRefusal> {
        if let Some(signed) = self.cached(text).filter(|_| trail.is_silent()) {
            return Ok(signed);
        }
        let (signed, generation) = self.check_signature(text, trail).await?;
        let signed = Arc::new(signed);
        self.cache.keep(text.whole, generation, &signed);
        Ok(signed)
    }

    /// Makes the checks that depend only on the token's bytes and the key, so that the result may be cached.
    async fn check_signature(&self, text: &Text<'_>, trail: &mut Trail) -> Result<(SignedToken, u64), TokenRefusal> {
        let unverified = peek(text.token).map_err(TokenRefusal::Malformed)?;
        let unverified_claims = self.check_form(&unverified)?;
        trail.passed(Check::Form, || ("a token in the compact form".to_owned(), format!("{} bytes", text.token.len())));
        let issuer = unverified_issuer(&unverified_claims)?;
        if issuer != self.provider.issuer {
            return Err(TokenRefusal::Issuer { expected: self.provider.issuer.clone(), actual: issuer.to_owned() });
        }
        trail.passed(Check::Issuer, || (self.provider.issuer.clone(), issuer.to_owned()));
        let kid = unverified.unverified_kid().ok_or(TokenRefusal::KeyIdMissing)?;
        let named = unverified.unverified_alg();
        let allowed = self.provider.algorithms.iter().find(|allowed| allowed.name() == named);
        // The algorithm is checked before the key is looked up, so that a token with a wrong algorithm never causes a
        // fetch.
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
        trail.passed(Check::Signature, || ("a signature of the key".to_owned(), "a valid one".to_owned()));
        let claims = Claims::read(unverified_claims)?;
        trail.passed(Check::Claims, || {
            let typed = "iss, aud, exp and iat of the right types; sub, nbf and jti too, if present";
            (typed.to_owned(), "all of them".to_owned())
        });
        Ok((
            SignedToken { claims, kid: kid.to_owned(), algorithm, digest: text.signed, length: text.token.len() },
            generation,
        ))
    }

    fn check_form(&self, token: &UnverifiedToken<'_>) -> Result<Map<String, Value>, TokenRefusal> {
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

    /// Makes the checks that depend on the time and on `requirements`. Their result is therefore never cached.
    fn check_claims(
        &self,
        claims: &Claims,
        requirements: &Requirements<'_>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<(), TokenRefusal> {
        let provider = &*self.provider;
        for (claim, form) in requirements.typed {
            check_claim_form(claims, claim, *form)?;
        }
        let providers = provider.required_audience().filter(|_| !requirements.instead_of_providers);
        check_audience(
            claims,
            [providers, requirements.audience].into_iter().flatten(),
            requirements.several_audiences,
        )?;
        trail.passed(Check::Audience, || {
            let expected = requirements.audience.or(providers);
            (expected.unwrap_or("any audience").to_owned(), claims.audiences().join(" and "))
        });
        check_times(claims, provider.tolerance, now)?;
        trail.passed(Check::Time, || {
            (
                format!("valid at {now}, with a tolerance of {}", provider.tolerance),
                format!("until {}", claims.expires()),
            )
        });
        check_lifetime(claims, provider.max_lifetime, provider.tolerance, now)?;
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
        (provider.kind.check)(claims)?;
        trail.passed(Check::ProviderRule, || {
            (format!("a token of kind {}", provider.kind.name), "a token of this kind".to_owned())
        });
        Ok(())
    }
}

/// Returns `iss` of unverified claims. The result may only be used to select the provider whose keys verify the token.
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

/// Whether `typ` is a media type of JSON Web Tokens (RFC 7515 §4.1.9), with or without `application/`, in upper or
/// lower case.
fn is_jwt(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "jose")
}

fn check_claim_form(claims: &Claims, claim: &str, form: ClaimForm) -> Result<(), TokenRefusal> {
    let value = claims.all().get(claim).ok_or_else(|| TokenRefusal::ClaimMissing { claim: claim.to_owned() })?;
    let (matches, expected) = match form {
        ClaimForm::Integer => (value.is_i64(), "a whole number"),
        ClaimForm::Text => (value.as_str().is_some_and(|text| !text.is_empty()), "a string that is not empty"),
    };
    if matches {
        return Ok(());
    }
    Err(TokenRefusal::ClaimType { claim: claim.to_owned(), expected, actual: claims::type_of(value) })
}

fn check_audience<'a>(
    claims: &Claims,
    required: impl Iterator<Item = &'a str>,
    several: bool,
) -> Result<(), TokenRefusal> {
    let audiences = claims.audiences();
    if audiences.is_empty() || (audiences.len() > 1 && !several) {
        return Err(TokenRefusal::AudienceCount { actual: audiences.len() });
    }
    for required in required {
        if !audiences.iter().any(|audience| audience == required) {
            return Err(TokenRefusal::Audience { expected: required.to_owned(), actual: audiences.to_vec() });
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
