//! Reasons why a token is rejected, each with the expected and the actual value. For operators only: a response to an
//! unknown client says less.

use std::fmt;

use crate::base::{Moment, Seconds};
use crate::jose::{PeekError, SignatureAlgorithm};

/// Reason why a token is rejected. The variants are in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum TokenRefusal {
    /// The text is not a token in the strictest reading of RFC 7515 and RFC 7519.
    Malformed(PeekError),
    /// The header holds `crit`, `b64` or `zip`, extensions that we do not support.
    Extension,
    /// The token is of another type, such as an access token (`at+jwt`).
    Type {
        /// `typ` in the header.
        actual: String,
    },
    /// No provider has this issuer.
    UnknownIssuer {
        /// `iss` of the token.
        issuer: String,
    },
    /// The token is of another issuer than the provider's.
    Issuer {
        /// Issuer of the provider.
        expected: String,
        /// `iss` of the token.
        actual: String,
    },
    /// The header has no `kid`.
    KeyIdMissing,
    /// The provider's keys are unavailable: never fetched, too old, or unusable. The token may be valid.
    KeysUnavailable {
        /// Cause of the last failure.
        reason: String,
        /// Time after which a retry may succeed.
        retry_after: Seconds,
    },
    /// The provider has no key with this `kid`.
    UnknownKey {
        /// `kid` in the header.
        kid: String,
    },
    /// The algorithm is not supported (such as `none` and HS256), or not allowed for the provider.
    AlgorithmNotAllowed {
        /// Algorithms that the provider may use.
        allowed: Vec<SignatureAlgorithm>,
        /// `alg` in the header.
        actual: String,
    },
    /// The named key is for other algorithms.
    AlgorithmNotOfKey {
        /// Algorithms of the key.
        key: Vec<SignatureAlgorithm>,
        /// `alg` in the header.
        actual: String,
    },
    /// The signature does not verify with the key.
    Signature,
    /// A standard claim, or one that the caller requires, is missing.
    ClaimMissing {
        /// Name of the claim.
        claim: String,
    },
    /// A claim has the wrong type.
    ClaimType {
        /// Name of the claim.
        claim: String,
        /// Type that is required.
        expected: &'static str,
        /// Type in the token.
        actual: &'static str,
    },
    /// The token has no audience or several, where exactly one is required.
    AudienceCount {
        /// Number of audiences in the token.
        actual: usize,
    },
    /// The token is for another audience.
    Audience {
        /// Audience that is required.
        expected: String,
        /// Audiences of the token.
        actual: Vec<String>,
    },
    /// The token has expired.
    Expired {
        /// `exp` of the token.
        expired: Moment,
        /// Time of the check.
        now: Moment,
    },
    /// The token is not valid yet.
    NotYetValid {
        /// `nbf` of the token.
        from: Moment,
        /// Time of the check.
        now: Moment,
    },
    /// The token was issued in the future.
    IssuedAhead {
        /// `iat` of the token.
        issued: Moment,
        /// Time of the check.
        now: Moment,
    },
    /// `exp` is too far from `iat`, or from now.
    Lifetime {
        /// Longest allowed lifetime.
        longest: Seconds,
        /// Lifetime of the token in seconds; negative if `exp` is before `iat`.
        actual: i64,
    },
    /// A claim that the provider requires is missing or null.
    RequiredClaim {
        /// Name of the claim.
        claim: String,
    },
    /// A claim fails the check of the provider's kind.
    ProviderRule {
        /// Name of the claim.
        claim: &'static str,
        /// Value that is required.
        expected: String,
        /// Value in the token.
        actual: String,
    },
}

impl TokenRefusal {
    /// Returns a stable name of the reason, for metrics, tables and programs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.into()
    }

    /// Returns the check that failed.
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

    /// Returns a description of what would have passed the check.
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

    /// Returns a description of what the token holds.
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

/// Checks of a token, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "lowercase")]
pub enum Check {
    /// Size, shape and header of the token.
    Form,
    /// The issuer, which selects the provider.
    Issuer,
    /// The provider's key that the header names.
    Key,
    /// The algorithm: allowed for the provider, and fitting the key.
    Algorithm,
    /// The signature, verified with that key.
    Signature,
    /// Types of the standard claims.
    Claims,
    /// The audience, `aud`.
    Audience,
    /// The times `exp`, `nbf` and `iat`.
    Time,
    /// The lifetime, from `iat` to `exp`.
    Lifetime,
    /// Claims that the provider requires.
    #[strum(serialize = "required claims")]
    RequiredClaims,
    /// The check of the provider's kind.
    #[strum(serialize = "provider's rule")]
    ProviderRule,
    /// The record, build and client of a token of our own issuer, none of which may be revoked.
    Standing,
    /// The policy of the resource.
    Policy,
    /// The requested scopes, compared with those that the policy allows.
    Request,
    /// That the token was not used before.
    Use,
}
