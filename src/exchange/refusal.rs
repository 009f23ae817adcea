//! Why nothing was given for a token: the caller's doing, or ours. One variant a reason; each dialect maps them all.

use std::fmt::Write as _;

use crate::base::{EntropyError, Seconds};
use crate::keyring::{KeyringError, SigningError};
use crate::policy::{CelFailure, StatementsDenied, Unmatched};
use crate::store::StoreError;
use crate::verifier::{self, Check};

/// The caller gets nothing. Nothing was written.
#[derive(Debug, Clone, PartialEq)]
pub enum ExchangeRefusal {
    /// The token itself is not taken.
    Token(verifier::TokenRefusal),
    /// Signed by our key, and never recorded by us: somebody else signs with it.
    NotRecorded,
    /// The token was revoked.
    Revoked,
    /// The token's build has ended.
    BuildOver,
    /// The client of the token's build is disabled.
    ClientDisabled,
    /// The key that signed the token is revoked.
    KeyRevoked,
    /// Of a build whose code was not accepted, and what would give something does not take those.
    Untrusted,
    /// Another audience than is due at this door.
    Audience {
        /// The one that is due.
        expected: String,
        /// The token's.
        actual: String,
    },
    /// The audience that was asked for is not the token's, or none that anything is given for.
    Target {
        /// What was asked for.
        asked: String,
        /// The token's.
        token: String,
    },
    /// There is no such role, user, publisher, policy or grant, or none for this token.
    NoEntitlement {
        /// What kind of thing.
        what: &'static str,
        /// What was asked for, or the token's name for it.
        asked: String,
    },
    /// What was written of it can't be used.
    Broken {
        /// Which.
        name: String,
        /// Why.
        problem: String,
    },
    /// The user is disabled.
    UserDisabled {
        /// Which.
        user: String,
    },
    /// A role's statements say no.
    Statements(StatementsDenied),
    /// No criteria fit: each policy's name, and why not.
    Criteria(Vec<(String, Unmatched)>),
    /// No grant's condition holds: each grant's name, and why it gave no answer where it gave none.
    Condition(Vec<(String, Option<CelFailure>)>),
    /// A scope beyond what is given.
    Scope {
        /// What was asked for.
        asked: String,
        /// What may be asked for.
        allowed: Vec<String>,
    },
    /// A kind of token that is not given.
    TokenType {
        /// What was asked for.
        asked: String,
    },
    /// The token was traded before.
    Spent,
    /// The token ends too soon for anything that ends with it.
    EndsTooSoon,
    /// No key, or one that opens nothing here: unknown, dead, or another door's.
    Credential,
}

impl ExchangeRefusal {
    /// A stable name of the reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.reason(),
            Self::NotRecorded => "not_recorded",
            Self::Revoked => "revoked",
            Self::BuildOver => "build_over",
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
            Self::Spent => "spent",
            Self::EndsTooSoon => "ends_too_soon",
            Self::Credential => "credential",
        }
    }

    /// The check that failed.
    #[must_use]
    pub const fn check(&self) -> Check {
        match self {
            Self::Token(refusal) => refusal.check(),
            Self::NotRecorded | Self::Revoked | Self::BuildOver | Self::ClientDisabled | Self::KeyRevoked => {
                Check::Standing
            }
            Self::Audience { .. } => Check::Audience,
            Self::EndsTooSoon => Check::Time,
            Self::Untrusted
            | Self::NoEntitlement { .. }
            | Self::Broken { .. }
            | Self::UserDisabled { .. }
            | Self::Statements(_)
            | Self::Criteria(_)
            | Self::Condition(_) => Check::Policy,
            Self::Target { .. } | Self::Scope { .. } | Self::TokenType { .. } => Check::Request,
            Self::Spent | Self::Credential => Check::Use,
        }
    }

    /// What would have passed.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Token(refusal) => refusal.expected(),
            Self::NotRecorded => "a record of a token with this digest".to_owned(),
            Self::Revoked => "a token that nobody revoked".to_owned(),
            Self::BuildOver => "a build that runs".to_owned(),
            Self::ClientDisabled => "a client that is enabled".to_owned(),
            Self::KeyRevoked => "a signing key that nobody revoked".to_owned(),
            Self::Untrusted => "trusted: true, or allow_untrusted = true".to_owned(),
            Self::Audience { expected, .. } => expected.clone(),
            Self::Target { token, .. } => format!("the token's own audience, {token}, and a grant for it"),
            Self::NoEntitlement { what, .. } => format!("a {what} for this token"),
            Self::Broken { .. } => "terms that can be used".to_owned(),
            Self::UserDisabled { .. } => "a user who is enabled".to_owned(),
            Self::Statements(_) => "a last matching statement that allows".to_owned(),
            Self::Criteria(unmatched) => each(unmatched, |found| format!("{} {}", found.claim, found.expected)),
            Self::Condition(_) => "a condition that holds".to_owned(),
            Self::Scope { allowed, .. } => format!("of {}", allowed.join(" ")),
            Self::TokenType { .. } => "a kind of token that is given".to_owned(),
            Self::Spent => "a token that nobody traded".to_owned(),
            Self::EndsTooSoon => "a token that is good for 5 s more".to_owned(),
            Self::Credential => "a key of this door that lives".to_owned(),
        }
    }

    /// What was there.
    #[must_use]
    pub fn actual(&self) -> String {
        match self {
            Self::Token(refusal) => refusal.actual(),
            Self::NotRecorded => "none: somebody signs with our key, or the record was lost".to_owned(),
            Self::Revoked | Self::KeyRevoked => "a revoked one".to_owned(),
            Self::BuildOver => "one that ended".to_owned(),
            Self::ClientDisabled => "a disabled one".to_owned(),
            Self::Untrusted => "trusted: false".to_owned(),
            Self::Audience { actual, .. } => actual.clone(),
            Self::Target { asked, .. } | Self::TokenType { asked } | Self::Scope { asked, .. } => asked.clone(),
            Self::NoEntitlement { asked, .. } => format!("none ({asked})"),
            Self::Broken { name, problem } => format!("{name}: {problem}"),
            Self::UserDisabled { user } => format!("{user}, who is not"),
            Self::Statements(denied) => denied.to_string(),
            Self::Criteria(unmatched) => each(unmatched, |found| format!("{} {}", found.claim, found.actual)),
            Self::Condition(grants) => {
                let mut text = String::new();
                for (grant, failure) in grants {
                    let _ = match failure {
                        Some(failure) => write!(text, "{grant}: no answer, {failure}; "),
                        None => write!(text, "{grant}: does not hold; "),
                    };
                }
                text.trim_end_matches("; ").to_owned()
            }
            Self::Spent => "one that was".to_owned(),
            Self::EndsTooSoon => "less".to_owned(),
            Self::Credential => "none".to_owned(),
        }
    }

    /// The claim that failed and the token's own value, for whoever may know: never what was expected.
    #[must_use]
    pub fn told(&self) -> Option<(String, String)> {
        match self {
            Self::Token(verifier::TokenRefusal::RequiredClaim { claim }) => {
                Some((claim.clone(), "not there".to_owned()))
            }
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
            Self::BuildOver => Some(("build".to_owned(), "ended".to_owned())),
            Self::Revoked | Self::Spent => Some(("jti".to_owned(), "used or revoked".to_owned())),
            _ => None,
        }
    }
}

fn each(unmatched: &[(String, Unmatched)], text: impl Fn(&Unmatched) -> String) -> String {
    let all: Vec<String> = unmatched.iter().map(|(name, found)| format!("{name}: {}", text(found))).collect();
    all.join("; ")
}

/// We could not do it. Whether something was written may be unknown; nothing was given.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The system's generator failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Something that can't be happened all the same.
    #[error("{0}")]
    Internal(String),
    /// The keys can't be read, or the clock can't be believed.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// No key signs now.
    #[error("no key signs now")]
    NoSigner,
    /// The provider's keys can't be had.
    #[error("the provider's keys can't be had: {reason}")]
    ProviderKeys {
        /// Why.
        reason: String,
        /// When it is worth trying again.
        retry_after: Seconds,
    },
    /// The signing pool is full, or the backend refused to sign.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The database could not do its work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One subject asks too often for what may be given again and again.
    #[error("too much is given to this subject at once")]
    TooMany {
        /// When it is worth trying again.
        retry_after: Seconds,
    },
}

/// Why an act did not happen.
#[derive(Debug)]
pub enum NotExchanged {
    /// Our doing.
    Failed(ExchangeError),
    /// The caller's doing.
    Refused(DisclosedRefusal),
}

/// A refusal, and what of it its caller may read.
#[derive(Debug, Clone, PartialEq)]
pub struct DisclosedRefusal {
    /// Why. For the operator alone.
    pub refusal: ExchangeRefusal,
    /// The claim that failed and the token's own value, where the caller may read that.
    pub told: Option<(String, String)>,
}

impl<E: Into<ExchangeError>> From<E> for NotExchanged {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ExchangeRefusal> for NotExchanged {
    fn from(refusal: ExchangeRefusal) -> Self {
        Self::Refused(DisclosedRefusal { refusal, told: None })
    }
}
