//! The reasons for which a token is rejected, each with the expected and the actual value. The texts are for operators
//! only: a response to an unknown client must say less.

use std::fmt;

use crate::base::{Moment, Seconds};
use crate::jose::{PeekError, SignatureAlgorithm};

/// Reason for which a token is rejected. The variants are in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum TokenRefusal {
    /// The text is not a token by the strictest reading of RFC 7515 and RFC 7519.
    Malformed(PeekError),
    /// The token's header has `crit`, `b64` or `zip`, which require an extension; none is supported.
    Extension,
    /// The token's `typ` is not that of an ID token. The `typ` of an access token, for example, is `at+jwt`.
    Type {
        /// Value of `typ` in the token's header.
        actual: String,
    },
    /// No configured provider has the token's issuer.
    UnknownIssuer {
        /// Issuer that the token names in `iss`.
        issuer: String,
    },
    /// The token's issuer is not the issuer of the provider that verifies the token.
    Issuer {
        /// Issuer of the provider.
        expected: String,
        /// Issuer that the token names in `iss`.
        actual: String,
    },
    /// The token's header has no `kid`.
    KeyIdMissing,
    /// The provider's keys are unavailable: never fetched, too old, or unusable. The token may still be valid.
    KeysUnavailable {
        /// Cause of the last failure to get the provider's keys.
        reason: String,
        /// Time after which a retry may succeed.
        retry_after: Seconds,
    },
    /// The provider's key set has no key with the token's `kid`.
    UnknownKey {
        /// Value of `kid` in the token's header.
        kid: String,
    },
    /// The token's algorithm is not allowed for the provider, or not supported at all, such as `none` and HS256.
    AlgorithmNotAllowed {
        /// Algorithms that the provider's tokens may have.
        allowed: Vec<SignatureAlgorithm>,
        /// Value of `alg` in the token's header.
        actual: String,
    },
    /// The key that the token's header names is for other algorithms.
    AlgorithmNotOfKey {
        /// Algorithms of the signatures that the key may check.
        key: Vec<SignatureAlgorithm>,
        /// Value of `alg` in the token's header.
        actual: String,
    },
    /// The token's signature was not made by the key that the token's header names.
    Signature,
    /// A standard claim, or a claim that the verifying code requires, is missing.
    ClaimMissing {
        /// Name of the claim that failed the check.
        claim: String,
    },
    /// A claim of the token has the wrong type.
    ClaimType {
        /// Name of the claim that failed the check.
        claim: String,
        /// Type that the claim must have.
        expected: &'static str,
        /// Type of the claim in the token.
        actual: &'static str,
    },
    /// The token has no audience or several, where exactly one is required.
    AudienceCount {
        /// Number of the token's audiences.
        actual: usize,
    },
    /// The token is for other audiences than the required audience.
    Audience {
        /// Audience that the token must have.
        expected: String,
        /// Audiences that the token has.
        actual: Vec<String>,
    },
    /// The token has expired.
    Expired {
        /// Time at which the token expired (`exp`).
        expired: Moment,
        /// Time at which the token was checked.
        now: Moment,
    },
    /// The token is not valid yet.
    NotYetValid {
        /// Time from which the token is valid (`nbf`).
        from: Moment,
        /// Time at which the token was checked.
        now: Moment,
    },
    /// The token's time of issue is in the future.
    IssuedAhead {
        /// Time of issue that the token states (`iat`).
        issued: Moment,
        /// Time at which the token was checked.
        now: Moment,
    },
    /// The token's lifetime is too long or not positive: `exp` is too long after `iat` or after now, or is not after
    /// `iat`.
    Lifetime {
        /// Maximum lifetime of the provider's tokens.
        longest: Seconds,
        /// Lifetime of the token in seconds, which is negative if `exp` is before `iat`.
        actual: i64,
    },
    /// A claim that the provider's configuration requires is missing or null.
    RequiredClaim {
        /// Name of the claim that failed the check.
        claim: String,
    },
    /// A claim of the token fails the check of the provider's kind.
    ProviderRule {
        /// Name of the claim that failed the check.
        claim: &'static str,
        /// Value that the claim must have.
        expected: String,
        /// Value of the claim in the token.
        actual: String,
    },
}

impl TokenRefusal {
    /// All names that [`Self::reason`] returns, in the order of the checks.
    pub const REASONS: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    /// Returns the stable name of the reason, for metrics, tables and programs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.into()
    }

    /// Returns the check that the token failed.
    #[must_use]
    pub const fn check(&self) -> Check {
        match self {
            Self::Malformed(_) | Self::Extension | Self::Type { .. } => Check::Form,
            Self::UnknownIssuer { .. } | Self::Issuer { .. } => Check::Issuer,
            Self::KeyIdMissing | Self::KeysUnavailable { .. } | Self::UnknownKey { .. } => Check::Key,
            Self::AlgorithmNotAllowed { .. } | Self::AlgorithmNotOfKey { .. } => Check::Algorithm,
            Self::Signature => Check::Signature,
            Self::ClaimMissing { .. } | Self::ClaimType { .. } => Check::Claims,
            Self::AudienceCount { .. } | Self::Audience { .. } => Check::Audience,
            Self::Expired { .. } | Self::NotYetValid { .. } | Self::IssuedAhead { .. } => Check::Time,
            Self::Lifetime { .. } => Check::Lifetime,
            Self::RequiredClaim { .. } => Check::RequiredClaims,
            Self::ProviderRule { .. } => Check::ProviderRule,
        }
    }

    /// Returns a description of the value that would have passed the check.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Malformed(_) => "a signed token in the compact form".to_owned(),
            Self::Extension => "a header without crit, b64 and zip".to_owned(),
            Self::Type { .. } => "typ JWT, or none".to_owned(),
            Self::UnknownIssuer { .. } => "the issuer of a configured provider".to_owned(),
            Self::Issuer { expected, .. } | Self::Audience { expected, .. } => expected.clone(),
            Self::KeyIdMissing => "a kid".to_owned(),
            Self::KeysUnavailable { .. } => "the provider's key set".to_owned(),
            Self::UnknownKey { .. } => "the kid of a key in the provider's key set".to_owned(),
            Self::AlgorithmNotAllowed { allowed: algorithms, .. } | Self::AlgorithmNotOfKey { key: algorithms, .. } => {
                algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(" or ")
            }
            Self::Signature => "a signature of the key over header and payload".to_owned(),
            Self::ClaimMissing { claim } | Self::RequiredClaim { claim } => format!("a claim {claim}"),
            Self::ClaimType { claim, expected, .. } => format!("{claim} as {expected}"),
            Self::AudienceCount { .. } => "exactly one audience".to_owned(),
            Self::Expired { now, .. } => format!("exp after {now}"),
            Self::NotYetValid { now, .. } => format!("nbf not after {now}"),
            Self::IssuedAhead { now, .. } => format!("iat not after {now}"),
            Self::Lifetime { longest, .. } => format!("at most {longest}"),
            Self::ProviderRule { claim, expected, .. } => format!("{claim}: {expected}"),
        }
    }

    /// Returns a description of the value in the token that failed the check.
    #[must_use]
    pub fn actual(&self) -> String {
        match self {
            Self::Malformed(error) => error.to_string(),
            Self::Extension => "an unsupported extension".to_owned(),
            Self::Type { actual }
            | Self::UnknownIssuer { issuer: actual }
            | Self::Issuer { actual, .. }
            | Self::UnknownKey { kid: actual }
            | Self::AlgorithmNotAllowed { actual, .. }
            | Self::AlgorithmNotOfKey { actual, .. } => actual.clone(),
            Self::KeyIdMissing | Self::ClaimMissing { .. } | Self::RequiredClaim { .. } => "none".to_owned(),
            Self::KeysUnavailable { reason, .. } => reason.clone(),
            Self::Signature => "a signature of another key or of another text".to_owned(),
            Self::ClaimType { actual, .. } => (*actual).to_owned(),
            Self::AudienceCount { actual } => actual.to_string(),
            Self::Audience { actual, .. } => actual.join(" and "),
            Self::Expired { expired: at, .. }
            | Self::NotYetValid { from: at, .. }
            | Self::IssuedAhead { issued: at, .. } => at.to_string(),
            Self::Lifetime { actual, .. } => format!("{actual}s"),
            Self::ProviderRule { actual, .. } => actual.clone(),
        }
    }
}

impl fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.check(), self.expected(), self.actual())
    }
}

impl std::error::Error for TokenRefusal {}

/// A check of a token. The variants are in the order in which the checks are made.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, strum::Display, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "lowercase")]
pub enum Check {
    /// Checks the size, form and header of the token.
    Form,
    /// Checks the issuer, which selects the provider.
    Issuer,
    /// Checks that the provider has the key that the token's header names.
    Key,
    /// Checks that the algorithm is allowed for the provider and fits the key.
    Algorithm,
    /// Checks the signature with the key that the token's header names.
    Signature,
    /// Checks the types of the standard claims.
    Claims,
    /// Checks the audience, `aud`.
    Audience,
    /// Checks the times `exp`, `nbf` and `iat`.
    Time,
    /// Checks the lifetime, from `iat` to `exp`.
    Lifetime,
    /// Checks that the token has the claims that the provider's configuration requires.
    #[strum(serialize = "required claims")]
    RequiredClaims,
    /// Checks claims as the provider's kind requires, such as the form of `repository` in GitHub's tokens.
    #[strum(serialize = "provider's rule")]
    ProviderRule,
    /// Checks the record of a token of our own issuer: the token is recorded and not revoked, the build still runs, and
    /// the client is enabled.
    Record,
    /// Checks that an entitlement or access policy accepts the token and the request.
    Policy,
    /// Checks that the requested audience, scopes and token type are allowed.
    Request,
    /// Checks that the token was not used before.
    Use,
}

impl Check {
    /// All checks, in the order in which the checks are made.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;
}
