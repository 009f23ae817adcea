//! Why a token was not exchanged: refusals of the caller, one variant per reason, and errors of ours. Each dialect maps
//! every variant.

use std::fmt::Write as _;

use crate::base::{EntropyError, Seconds};
use crate::keyring::{KeyringError, SigningError};
use crate::policy::{CelFailure, StatementsDenied, Unmatched};
use crate::store::StoreError;
use crate::verifier::{self, Check};

/// Reason to refuse an exchange; nothing was written.
#[derive(Debug, Clone, PartialEq)]
pub enum ExchangeRefusal {
    /// The token itself is invalid.
    Token(verifier::TokenRefusal),
    /// The token is signed by our key but has no record: the key may be stolen.
    NotRecorded,
    /// The token was revoked.
    Revoked,
    /// The token's build has finished.
    BuildFinished,
    /// The client of the token's build is disabled.
    ClientDisabled,
    /// The key that signed the token is revoked.
    KeyRevoked,
    /// The build is untrusted, and no matching entitlement accepts untrusted builds.
    Untrusted,
    /// The token has another audience than this flow requires.
    Audience {
        /// Audience that the flow requires.
        expected: String,
        /// Audience of the token.
        actual: String,
    },
    /// The requested audience is not the token's, or no grant is for it.
    Target {
        /// Audience that the request names.
        asked: String,
        /// Audience of the token.
        token: String,
    },
    /// No such role, user, publisher, policy or grant exists, or none is for this token.
    NoEntitlement {
        /// Kind of the entitlement.
        what: &'static str,
        /// Requested name, or how it was searched.
        asked: String,
    },
    /// The stored entitlement is invalid.
    Broken {
        /// Name of the entitlement.
        name: String,
        /// Error in its spec.
        problem: String,
    },
    /// The user is disabled.
    UserDisabled {
        /// Name of the user.
        user: String,
    },
    /// The role's statements deny the token.
    Statements(StatementsDenied),
    /// No criteria match: the name of each policy, and its mismatch.
    Criteria(Vec<(String, Unmatched)>),
    /// No grant's condition holds: the name of each grant, and the error of a condition that failed.
    Condition(Vec<(String, Option<CelFailure>)>),
    /// The grant does not allow a requested scope.
    Scope {
        /// Scope that the request names.
        asked: String,
        /// Scopes of the grant.
        allowed: Vec<String>,
    },
    /// The grant does not issue the requested type of token.
    TokenType {
        /// Token type that the request names.
        asked: String,
    },
    /// The token was exchanged before.
    Used,
    /// The token expires too soon to issue a credential bounded by its lifetime.
    ExpiresTooSoon,
    /// The key is missing, unknown, expired, revoked, or of another flow.
    Credential,
}

impl ExchangeRefusal {
    /// Stable code of the reason, for metrics and events.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.reason(),
            Self::NotRecorded => "not_recorded",
            Self::Revoked => "revoked",
            Self::BuildFinished => "build_finished",
            Self::ClientDisabled => "client_disabled",
            Self::KeyRevoked => "key_revoked",
            Self::Untrusted => "untrusted",
            Self::Audience { .. } => "audience",
            Self::Target { .. } => "target",
            Self::NoEntitlement { .. } => "no_entitlement",
            Self::Broken { .. } => "broken",
            Self::UserDisabled { .. } => "user_disabled",
            Self::Statements(_) => "statements",
            Self::Criteria(_) => "criteria",
            Self::Condition(_) => "condition",
            Self::Scope { .. } => "scope",
            Self::TokenType { .. } => "token_type",
            Self::Used => "used",
            Self::ExpiresTooSoon => "expires_too_soon",
            Self::Credential => "credential",
        }
    }

    /// The check that failed.
    #[must_use]
    pub const fn check(&self) -> Check {
        match self {
            Self::Token(refusal) => refusal.check(),
            Self::NotRecorded | Self::Revoked | Self::BuildFinished | Self::ClientDisabled | Self::KeyRevoked => {
                Check::Standing
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

    /// Value that would have passed the check.
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
            Self::Statements(_) => "a last matching statement that allows".to_owned(),
            Self::Criteria(unmatched) => each(unmatched, |found| format!("{} {}", found.claim, found.expected)),
            Self::Condition(_) => "a condition that holds".to_owned(),
            Self::Scope { allowed, .. } => format!("one of {}", allowed.join(" ")),
            Self::TokenType { .. } => "a type of token that the grant issues".to_owned(),
            Self::Used => "an unused token".to_owned(),
            Self::ExpiresTooSoon => "a token that is valid for at least 5 s more".to_owned(),
            Self::Credential => "a valid key of this flow".to_owned(),
        }
    }

    /// Value that was found.
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

    /// The claim that failed and its value in the token, for callers that may see it. Never the expected value.
    #[must_use]
    pub fn disclosed(&self) -> Option<(String, String)> {
        match self {
            Self::Token(verifier::TokenRefusal::RequiredClaim { claim }) => Some((claim.clone(), "missing".to_owned())),
            Self::Token(verifier::TokenRefusal::ProviderRule { claim, actual, .. }) => {
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

/// Error of ours. No credential was issued, but the transaction may have been committed.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The system's random generator failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// An internal invariant does not hold.
    #[error("{0}")]
    Internal(String),
    /// The keyring cannot be read, or the clock is not trusted.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// No signing key is active.
    #[error("no signing key is active")]
    NoSigner,
    /// The provider's keys could not be fetched.
    #[error("could not fetch the provider's keys: {reason}")]
    ProviderKeys {
        /// Cause of the failure.
        reason: String,
        /// Time to wait before the next try.
        retry_after: Seconds,
    },
    /// The signing pool is full, or the signing backend failed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One subject exchanges a reusable token too often.
    #[error("too many exchanges for this subject")]
    TooMany {
        /// Time to wait before the next try.
        retry_after: Seconds,
    },
}

/// Why no credential was issued.
#[derive(Debug)]
pub enum NotExchanged {
    /// The exchange failed.
    Failed(ExchangeError),
    /// The caller was refused.
    Refused(DisclosedRefusal),
}

/// A refusal, plus the part of it that the caller may see.
#[derive(Debug, Clone, PartialEq)]
pub struct DisclosedRefusal {
    /// The full reason, for the operator only.
    pub refusal: ExchangeRefusal,
    /// The claim that failed and its value in the token, if the caller may see them.
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
