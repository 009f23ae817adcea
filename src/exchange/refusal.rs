//! Reasons why a token was not exchanged: refusals of the request, one variant for each reason, and failures of the
//! server. Each dialect must map every variant to an answer.

use std::fmt::Write as _;

use strum::{IntoStaticStr, VariantNames};

use crate::base::{EntropyError, Seconds};
use crate::keyring::{KeyringError, SigningError};
use crate::policy::{CelFailure, StatementsDenied, Unmatched};
use crate::store::StoreError;
use crate::verifier::{Check, TokenRefusal};

/// Minimum remaining lifetime of a subject token, if the credential must not outlive the token. The verifier's
/// tolerance for wrong clocks does not extend the remaining lifetime.
pub(super) const MIN_REMAINING: Seconds = Seconds::new(5);

/// Name of the variant [`ExchangeRefusal::Token`], which is not a reason code: the verifier's reason is the code
/// instead.
const TOKEN: &str = "token";

/// Reason why an exchange was refused. A refused exchange neither records the token as used nor issues a
/// credential.
#[derive(Debug, Clone, PartialEq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum ExchangeRefusal {
    /// The token itself is invalid, for the reason that the verifier gives.
    Token(TokenRefusal),
    /// The token is signed by a key of our own issuer but has no record: the key may be stolen.
    NotRecorded,
    /// The token was revoked.
    Revoked,
    /// The token's build has finished.
    BuildFinished,
    /// The client of the token's build is disabled.
    ClientDisabled,
    /// The key that signed the token is revoked.
    KeyRevoked,
    /// The token's build is untrusted, and no matching entitlement accepts untrusted builds.
    Untrusted,
    /// The token's audience is not the audience that the flow requires.
    Audience {
        /// Audience that the flow requires.
        expected: String,
        /// Audience of the token.
        actual: String,
    },
    /// The requested audience is not the token's audience, or no grant of the rules file is for the token's audience.
    Target {
        /// Audience that the client requests.
        asked: String,
        /// Audience of the token.
        token: String,
    },
    /// The requested role, user, publisher, policy or provider does not exist, or no entitlement is for this token.
    NoEntitlement {
        /// Noun for the kind of object that is missing, such as `trust policy`.
        what: &'static str,
        /// Name that the client requests, or how the entitlement was searched for, such as `by the token's claims`.
        asked: String,
    },
    /// The stored entitlement that the request needs is invalid.
    Broken {
        /// Name of the invalid entitlement.
        name: String,
        /// What is wrong with the stored entitlement.
        problem: String,
    },
    /// The user that the entitlement belongs to is disabled or missing.
    UserDisabled {
        /// Name of the disabled or missing user.
        user: String,
    },
    /// The role's statements deny the token.
    Statements(StatementsDenied),
    /// No criteria match the token: the name of each trust policy or publisher, with the criterion that does not match.
    Criteria(Vec<(String, Unmatched)>),
    /// No grant's condition holds: the name of each grant, with the error if the condition could not be evaluated.
    Condition(Vec<(String, Option<CelFailure>)>),
    /// The grant of the rules file does not allow a requested scope.
    Scope {
        /// Scope that the client requests.
        asked: String,
        /// Scopes that the grant of the rules file allows.
        allowed: Vec<String>,
    },
    /// The grant of the rules file does not issue credentials of the requested token type.
    TokenType {
        /// Token type that the client requests.
        asked: String,
    },
    /// The token was exchanged before, or its holder revoked the token.
    Used,
    /// The token expires too soon to issue a credential that must not outlive the token.
    ExpiresTooSoon,
    /// At forward authentication, the key is unknown, expired, revoked or of another grant, or the grant is unknown.
    Credential,
}

impl ExchangeRefusal {
    /// Stable code of the refusal's reason, for metrics and events.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.reason(),
            refusal => refusal.into(),
        }
    }

    /// All codes that [`Self::reason`] returns, apart from the reasons of the verifier.
    pub fn reasons() -> impl Iterator<Item = &'static str> {
        <Self as VariantNames>::VARIANTS.iter().copied().filter(|name| *name != TOKEN)
    }

    /// Returns the check that refused the token or the request.
    #[must_use]
    pub const fn check(&self) -> Check {
        match self {
            Self::Token(refusal) => refusal.check(),
            Self::NotRecorded | Self::Revoked | Self::BuildFinished | Self::ClientDisabled | Self::KeyRevoked => {
                Check::Record
            }
            Self::Audience { .. } => Check::Audience,
            Self::ExpiresTooSoon => Check::Time,
            Self::Untrusted
            | Self::NoEntitlement { .. }
            | Self::Broken { .. }
            | Self::UserDisabled { .. }
            | Self::Statements(_)
            | Self::Criteria(_)
            | Self::Condition(_) => Check::Policy,
            Self::Target { .. } | Self::Scope { .. } | Self::TokenType { .. } => Check::Request,
            Self::Used | Self::Credential => Check::Use,
        }
    }

    /// Describes a value that would have passed the failed check.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Token(refusal) => refusal.expected(),
            Self::NotRecorded => "a record of a token with this digest".to_owned(),
            Self::Revoked => "a token that is not revoked".to_owned(),
            Self::BuildFinished => "a running build".to_owned(),
            Self::ClientDisabled => "an enabled client".to_owned(),
            Self::KeyRevoked => "a signing key that is not revoked".to_owned(),
            Self::Untrusted => "trusted: true, or allow_untrusted = true".to_owned(),
            Self::Audience { expected, .. } => expected.clone(),
            Self::Target { token, .. } => format!("the token's own audience, {token}, and a grant for it"),
            Self::NoEntitlement { what, .. } => format!("a {what} for this token"),
            Self::Broken { .. } => "a valid entitlement".to_owned(),
            Self::UserDisabled { .. } => "an enabled user".to_owned(),
            Self::Statements(_) => "that the last matching statement allows the token".to_owned(),
            Self::Criteria(unmatched) => each(unmatched, |found| format!("{} {}", found.claim, found.expected)),
            Self::Condition(_) => "a condition that holds".to_owned(),
            Self::Scope { allowed, .. } => format!("one of {}", allowed.join(" ")),
            Self::TokenType { .. } => "a type of token that the grant issues".to_owned(),
            Self::Used => "an unused token".to_owned(),
            Self::ExpiresTooSoon => format!("a token that is valid for at least {} s more", MIN_REMAINING.get()),
            Self::Credential => "a valid key of this flow".to_owned(),
        }
    }

    /// Describes the value that failed the check.
    #[must_use]
    pub fn actual(&self) -> String {
        match self {
            Self::Token(refusal) => refusal.actual(),
            Self::NotRecorded => "none: the signing key may be stolen, or the record was lost".to_owned(),
            Self::Revoked | Self::KeyRevoked => "revoked".to_owned(),
            Self::BuildFinished => "a finished build".to_owned(),
            Self::ClientDisabled => "a disabled client".to_owned(),
            Self::Untrusted => "trusted: false".to_owned(),
            Self::Audience { actual, .. } => actual.clone(),
            Self::Target { asked, .. } | Self::TokenType { asked } | Self::Scope { asked, .. } => asked.clone(),
            Self::NoEntitlement { asked, .. } => format!("none ({asked})"),
            Self::Broken { name, problem } => format!("{name}: {problem}"),
            Self::UserDisabled { user } => format!("{user}, who is disabled or does not exist"),
            Self::Statements(denied) => denied.to_string(),
            Self::Criteria(unmatched) => each(unmatched, |found| format!("{} {}", found.claim, found.actual)),
            Self::Condition(grants) => {
                let mut text = String::new();
                for (grant, failure) in grants {
                    let _ = match failure {
                        Some(failure) => write!(text, "{grant}: failed, {failure}; "),
                        None => write!(text, "{grant}: does not hold; "),
                    };
                }
                text.trim_end_matches("; ").to_owned()
            }
            Self::Used => "used or revoked before".to_owned(),
            Self::ExpiresTooSoon => "expires sooner".to_owned(),
            Self::Credential => "no such key".to_owned(),
        }
    }

    /// Returns the claim that failed and the claim's value in the token, for callers that may see the reason. The
    /// returned texts must never hold the expected value.
    #[must_use]
    pub fn disclosed(&self) -> Option<(String, String)> {
        match self {
            Self::Token(TokenRefusal::RequiredClaim { claim }) => Some((claim.clone(), "missing".to_owned())),
            Self::Token(TokenRefusal::ProviderRule { claim, actual, .. }) => {
                Some(((*claim).to_owned(), actual.clone()))
            }
            Self::Token(refusal) if refusal.check() > Check::Audience => {
                Some((refusal.check().to_string(), refusal.actual()))
            }
            Self::Criteria(unmatched) => unmatched.last().map(|(_, found)| (found.claim.clone(), found.actual.clone())),
            Self::Statements(StatementsDenied::NotText { claim, .. }) => {
                Some((claim.clone(), "not a string".to_owned()))
            }
            Self::Untrusted => Some(("trusted".to_owned(), "false".to_owned())),
            Self::BuildFinished => Some(("build".to_owned(), "finished".to_owned())),
            Self::Revoked | Self::Used => Some(("jti".to_owned(), "used or revoked".to_owned())),
            _ => None,
        }
    }
}

fn each(unmatched: &[(String, Unmatched)], text: impl Fn(&Unmatched) -> String) -> String {
    let all: Vec<String> = unmatched.iter().map(|(name, found)| format!("{name}: {}", text(found))).collect();
    all.join("; ")
}

/// Failure of the server during an exchange. The caller gets no credential, but the transaction may have been
/// committed.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The system's random generator failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// An internal invariant does not hold.
    #[error("{0}")]
    Internal(String),
    /// The keyring cannot be read, or the server's clock is not trusted.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// No signing key is active, so that no access token can be signed.
    #[error("no signing key is active")]
    NoSigner,
    /// The keys of the token's provider could not be fetched.
    #[error("could not fetch the provider's keys: {reason}")]
    ProviderKeys {
        /// Why the keys could not be fetched.
        reason: String,
        /// Time that the client should wait before the next request.
        retry_after: Seconds,
    },
    /// The signing pool is full, or the signing backend failed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One subject exchanges reusable tokens too often.
    #[error("too many exchanges for this subject")]
    TooMany {
        /// Time that the client should wait before the next request.
        retry_after: Seconds,
    },
}

/// Why an exchange issued no credential: a failure of the server or a refusal.
#[derive(Debug)]
pub enum NotExchanged {
    /// The server failed during the exchange.
    Failed(ExchangeError),
    /// The token or the request was refused.
    Refused(DisclosedRefusal),
}

/// A refusal, with the part of the reason that the caller may see.
#[derive(Debug, Clone, PartialEq)]
pub struct DisclosedRefusal {
    /// Full reason of the refusal, for the operator only.
    pub refusal: ExchangeRefusal,
    /// Claim that failed and the claim's value in the token; `None` if the caller may not see the reason.
    pub disclosed: Option<(String, String)>,
}

impl<E: Into<ExchangeError>> From<E> for NotExchanged {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ExchangeRefusal> for NotExchanged {
    fn from(refusal: ExchangeRefusal) -> Self {
        Self::Refused(DisclosedRefusal { refusal, disclosed: None })
    }
}
