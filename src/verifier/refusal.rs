//! Why a token is not accepted: one reason each, with what was expected and what was there. For the operator: a wire
//! that strangers read says less.

use std::fmt;

use crate::base::{Moment, Seconds};
use crate::jose::{PeekError, SignatureAlgorithm};

/// Why a token is not accepted. The variants stand in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRefusal {
    /// Not a token in the strictest reading of RFC 7515 and RFC 7519.
    Malformed(PeekError),
    /// `crit`, `b64` or `zip`: an extension that its reader must know.
    Extension,
    /// A token of another kind, such as an access token (`at+jwt`).
    Type {
        /// `typ` of the header.
        actual: String,
    },
    /// No provider has this issuer.
    UnknownIssuer {
        /// `iss`.
        issuer: String,
    },
    /// The token is another issuer's than the provider's.
    Issuer {
        /// The provider's.
        expected: String,
        /// `iss`.
        actual: String,
    },
    /// The header names no key.
    KeyIdMissing,
    /// The provider's keys can't be had: never fetched, too old, or none that can be used. Not the token's fault.
    KeysUnavailable {
        /// Why, of the last attempt.
        reason: String,
        /// When it is worth trying again.
        retry_after: Seconds,
    },
    /// The provider has no key of this name.
    UnknownKey {
        /// `kid`.
        kid: String,
    },
    /// An algorithm that is not checked at all, `none` and HS256 among them, or that the provider may not use.
    AlgorithmNotAllowed {
        /// Those that may.
        allowed: Vec<SignatureAlgorithm>,
        /// `alg`.
        actual: String,
    },
    /// The key of that name checks other algorithms.
    AlgorithmNotOfKey {
        /// Those of the key.
        key: Vec<SignatureAlgorithm>,
        /// `alg`.
        actual: String,
    },
    /// The signature is not that of the key.
    Signature,
    /// A standard claim, or one that the door asks for, is not there.
    ClaimMissing {
        /// Its name.
        claim: String,
    },
    /// A claim has another type than it must have.
    ClaimType {
        /// Its name.
        claim: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        actual: &'static str,
    },
    /// None or several audiences where exactly one is due.
    AudienceCount {
        /// How many there are.
        actual: usize,
    },
    /// Another audience.
    Audience {
        /// The one that is due.
        expected: String,
        /// Those that are there.
        actual: Vec<String>,
    },
    /// `exp` has passed.
    Expired {
        /// `exp`.
        expired: Moment,
        /// When it was judged.
        now: Moment,
    },
    /// `nbf` has not come.
    NotYetValid {
        /// `nbf`.
        from: Moment,
        /// When it was judged.
        now: Moment,
    },
    /// `iat` lies ahead.
    IssuedAhead {
        /// `iat`.
        issued: Moment,
        /// When it was judged.
        now: Moment,
    },
    /// `exp` is too far from `iat`, or from now.
    Lifetime {
        /// The longest allowed.
        longest: Seconds,
        /// How long it is, in seconds; below zero where `exp` lies before `iat`.
        actual: i64,
    },
    /// A claim that the provider demands is not there, or is null.
    RequiredClaim {
        /// Its name.
        claim: String,
    },
    /// A rule of the provider's kind does not hold.
    ProviderRule {
        /// The claim.
        claim: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        actual: String,
    },
}

impl TokenRefusal {
    /// A stable name of the reason, for metrics, tables and programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Extension => "extension",
            Self::Type { .. } => "type",
            Self::UnknownIssuer { .. } => "unknown_issuer",
            Self::Issuer { .. } => "issuer",
            Self::KeyIdMissing => "key_id_missing",
            Self::KeysUnavailable { .. } => "keys_unavailable",
            Self::UnknownKey { .. } => "unknown_key",
            Self::AlgorithmNotAllowed { .. } => "algorithm_not_allowed",
            Self::AlgorithmNotOfKey { .. } => "algorithm_not_of_key",
            Self::Signature => "signature",
            Self::ClaimMissing { .. } => "claim_missing",
            Self::ClaimType { .. } => "claim_type",
            Self::AudienceCount { .. } => "audience_count",
            Self::Audience { .. } => "audience",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::IssuedAhead { .. } => "issued_ahead",
            Self::Lifetime { .. } => "lifetime",
            Self::RequiredClaim { .. } => "required_claim",
            Self::ProviderRule { .. } => "provider_rule",
        }
    }

    /// The check that failed.
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

    /// What would have passed.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Malformed(_) => "a signed token in the compact form".to_owned(),
            Self::Extension => "a header without crit, b64 and zip".to_owned(),
            Self::Type { .. } => "typ JWT, or none".to_owned(),
            Self::UnknownIssuer { .. } => "the issuer of a provider".to_owned(),
            Self::Issuer { expected, .. } | Self::Audience { expected, .. } => expected.clone(),
            Self::KeyIdMissing => "a kid".to_owned(),
            Self::KeysUnavailable { .. } => "a key set that was fetched and holds a key that can be used".to_owned(),
            Self::UnknownKey { .. } => "the kid of a key in the provider's key set".to_owned(),
            Self::AlgorithmNotAllowed { allowed: algorithms, .. } | Self::AlgorithmNotOfKey { key: algorithms, .. } => {
                algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(" or ")
            }
            Self::Signature => "the signature of the key over header and payload".to_owned(),
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

    /// What was there.
    #[must_use]
    pub fn actual(&self) -> String {
        match self {
            Self::Malformed(error) => error.to_string(),
            Self::Extension => "an extension that is not known here".to_owned(),
            Self::Type { actual }
            | Self::UnknownIssuer { issuer: actual }
            | Self::Issuer { actual, .. }
            | Self::UnknownKey { kid: actual }
            | Self::AlgorithmNotAllowed { actual, .. }
            | Self::AlgorithmNotOfKey { actual, .. } => actual.clone(),
            Self::KeyIdMissing | Self::ClaimMissing { .. } | Self::RequiredClaim { .. } => "none".to_owned(),
            Self::KeysUnavailable { reason, .. } => reason.clone(),
            Self::Signature => "another key's, another text's, or none at all".to_owned(),
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

/// The checks, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Size, shape and header.
    Form,
    /// Which provider's token it is.
    Issuer,
    /// Which of its keys.
    Key,
    /// Allowed by the provider, and fitting the key.
    Algorithm,
    /// Signed by that key.
    Signature,
    /// Standard claims of the right types.
    Claims,
    /// For whom.
    Audience,
    /// Valid now.
    Time,
    /// Not valid for too long.
    Lifetime,
    /// The claims that the provider demands.
    RequiredClaims,
    /// What the provider's kind demands.
    ProviderRule,
    /// What a token of our own issuer rests on: its record, its build, its client.
    Standing,
    /// What a policy demands.
    Policy,
    /// What is asked for, of what the policy gives.
    Request,
    /// That nobody traded it before.
    Use,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "form",
            Self::Issuer => "issuer",
            Self::Key => "key",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Audience => "audience",
            Self::Time => "time",
            Self::Lifetime => "lifetime",
            Self::RequiredClaims => "required claims",
            Self::ProviderRule => "provider's rule",
            Self::Standing => "standing",
            Self::Policy => "policy",
            Self::Request => "request",
            Self::Use => "use",
        })
    }
}
