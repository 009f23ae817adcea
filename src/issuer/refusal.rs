//! Why an act of the issuer did not happen: the caller's doing, or ours.

use crate::base::{BuildId, EntropyError, FieldError, Seconds};
use crate::claims::SubjectUnavailable;
use crate::jose::Algorithm;
use crate::keyring::{KeyringError, SigningError};
use crate::policy::{Denied, Scope};
use crate::store::{NameKind, StoreError};

/// The caller asked for what can't be given. Nothing was written.
#[derive(Debug, Clone, PartialEq)]
pub enum IssueRefusal {
    /// The algorithm is not one that this issuer signs with.
    AlgorithmNotOffered {
        /// What was asked.
        asked: Algorithm,
        /// What may be asked.
        offered: Vec<Algorithm>,
    },
    /// No audience was named.
    AudienceRequired,
    /// The client has registered this key already.
    BuildExists(BuildId),
    /// The build ended.
    BuildFinished,
    /// The rules grant nothing.
    Denied(Denied),
    /// The client may not address this audience.
    ForbiddenAudience(String),
    /// The client may not act for this organisation.
    ForbiddenOrganization(String),
    /// The client lacks this scope.
    ForbiddenScope(Scope),
    /// The id is bound to a name that this client may not act for.
    IdBound(NameKind),
    /// The subject's format needs an id that was not given.
    IdsRequired,
    /// A value can't be taken.
    Invalid(FieldError),
    /// The lifetime is beyond a cap.
    LifetimeNotAllowed {
        /// The rule that granted the audience.
        rule: Option<String>,
        /// What was asked.
        asked: Seconds,
        /// The longest that would be given now.
        allowed: Seconds,
    },
    /// The name is bound to another id, or came without its id.
    NameBound {
        /// Organisation or repository.
        kind: NameKind,
        /// The name that was asked for.
        name: String,
    },
    /// There is no such thing, or it is another client's: which of the two is not told.
    NotFound,
    /// A count is used up.
    Quota(Quota),
    /// Too many requests in a short time.
    RateLimited {
        /// When one more will be taken.
        retry_after: Seconds,
    },
    /// The build has no subject.
    SubjectUnavailable(SubjectUnavailable),
    /// The token would be too large.
    TokenTooLarge {
        /// How large it would be, in bytes.
        bytes: usize,
        /// The largest claims and their sizes in bytes.
        largest: Vec<(String, usize)>,
    },
    /// No credential, or one that opens nothing here: unknown, dead, or of another kind.
    Unauthenticated,
}

/// Which count is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quota {
    /// Tokens of one build.
    Build {
        /// How many it may have.
        allowed: u64,
    },
    /// Tokens of one build by one rule.
    Rule {
        /// The rule.
        rule: String,
        /// How many it grants.
        allowed: u64,
    },
    /// Uses of one request token.
    RequestToken {
        /// How many it has.
        allowed: u64,
    },
}

/// We could not do it. Whether something was written may be unknown; no token left.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The system's generator failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Something that can't be happened all the same.
    #[error("{0}")]
    Internal(String),
    /// The keys can't be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// No key signs now: none of the algorithm that was asked for, or none at all.
    #[error("no key {}signs now", .wanted.map_or_else(String::new, |alg| format!("of {alg} ")))]
    NoSigner {
        /// What was asked for.
        wanted: Option<Algorithm>,
        /// After how long the first of them signs, where one is announced.
        signs_in: Option<Seconds>,
    },
    /// The keys of the provider whose token a client sent can't be had.
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
}

/// Why an act did not happen.
#[derive(Debug)]
pub enum NotIssued {
    /// Our doing.
    Failed(IssueError),
    /// The caller's doing.
    Refused(IssueRefusal),
}

impl<E: Into<IssueError>> From<E> for NotIssued {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<IssueRefusal> for NotIssued {
    fn from(refusal: IssueRefusal) -> Self {
        Self::Refused(refusal)
    }
}
