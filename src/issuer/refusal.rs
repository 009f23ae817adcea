//! Why an act of the issuer did not happen: the caller's doing, or ours.

use crate::base::{BuildId, EntropyError, FieldError, Seconds};
use crate::claims::SubjectUnavailable;
use crate::jose::Algorithm;
use crate::keyring::{KeyringError, SigningError};
use crate::policy::{Denied, Scope};
use crate::store::{NameKind, StoreError};

/// A request that cannot be fulfilled as it was made. Nothing was written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum IssueRefusal {
    /// The issuer does not sign with the requested algorithm.
    AlgorithmNotOffered {
        requested: Algorithm,
        offered: Vec<Algorithm>,
    },
    AudienceRequired,
    /// The client has registered a build under this key before.
    BuildExists(BuildId),
    BuildFinished,
    /// The issuance policy denies the request.
    Denied(Denied),
    /// The client may not request this audience.
    ForbiddenAudience(String),
    /// The client may not act for this organisation.
    ForbiddenOrganization(String),
    /// The client lacks this scope.
    ForbiddenScope(Scope),
    /// The id is bound to a name that this client may not act for.
    IdBound(NameKind),
    /// The subject format needs an id that the registration lacks.
    IdsRequired,
    /// A field has a value that is not allowed.
    Invalid(FieldError),
    LifetimeNotAllowed {
        /// Rule that granted the audience.
        rule: Option<String>,
        requested: Seconds,
        /// Longest lifetime that would be allowed now.
        allowed: Seconds,
    },
    /// The name is bound to another id, or was registered with an id that is missing now.
    NameBound {
        kind: NameKind,
        name: String,
    },
    /// The object does not exist or belongs to another client. The two are not told apart.
    NotFound,
    /// A quota is used up.
    Quota(Quota),
    RateLimited {
        /// Time until the next request is accepted.
        retry_after: Seconds,
    },
    SubjectUnavailable(SubjectUnavailable),
    TokenTooLarge {
        /// Size of the token, in bytes.
        bytes: usize,
        /// Largest claims with their sizes in bytes.
        largest: Vec<(String, usize)>,
    },
    /// The credential is missing, unknown, revoked, expired, or of another kind. The cases are not told apart.
    Unauthenticated,
}

/// A quota that is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Quota {
    /// Tokens of one build.
    Build { allowed: u64 },
    /// Tokens of one build granted by one rule.
    Rule { rule: String, allowed: u64 },
    /// Uses of one request token.
    RequestToken { allowed: u64 },
}

/// A failure of ours. Whether something was written may be unknown; no token left the server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A failure that the code rules out elsewhere.
    #[error("{0}")]
    Internal(String),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// No active key of this algorithm, or of any.
    #[error("no active signing key{}", .algorithm.map_or_else(String::new, |alg| format!(" of {alg}")))]
    NoSigner {
        algorithm: Option<Algorithm>,
        /// Time until the first announced key is active.
        signs_in: Option<Seconds>,
    },
    /// The signing keys of the provider that issued a client's token could not be fetched.
    #[error("could not fetch the signing keys of the token's issuer: {reason}")]
    ProviderKeys { reason: String, retry_after: Seconds },
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an act did not happen.
#[derive(Debug)]
pub(crate) enum NotIssued {
    Failed(IssueError),
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
