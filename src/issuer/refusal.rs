//! Refusals and errors of the issuer: a refusal is caused by the request, an error by the server. No token leaves the
//! server after a refusal or an error.

use crate::base::{BuildId, EntropyError, FieldError, Seconds};
use crate::claims::SubjectUnavailable;
use crate::jose::Algorithm;
use crate::keyring::{KeyringError, SigningError};
use crate::policy::{Denied, Scope};
use crate::store::{NameKind, StoreError};

/// Reason why the issuer refused a request; nothing was written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum IssueRefusal {
    /// The issuer does not sign with the requested signature algorithm.
    AlgorithmNotOffered {
        requested: Algorithm,
        offered: Vec<Algorithm>,
    },
    AudienceRequired,
    /// The client has already registered a build under this key. Holds the id of that build.
    BuildExists(BuildId),
    BuildFinished,
    /// The issuance policy denies the request.
    Denied(Denied),
    /// The client may not request tokens for this audience.
    ForbiddenAudience(String),
    /// The client may not act for this organisation.
    ForbiddenOrganization(String),
    /// The client lacks this scope.
    ForbiddenScope(Scope),
    /// The id of the organisation or repository is bound to a name that this client may not act for.
    IdBound(NameKind),
    /// The subject format needs the repository's immutable id, and the registration has none.
    IdsRequired,
    /// A field of the request has a value that is not allowed.
    Invalid(FieldError),
    LifetimeNotAllowed {
        /// Name of the issuance rule that allows the requested audience; `None` for the policy's default.
        rule: Option<String>,
        requested: Seconds,
        /// Longest lifetime that the token could have now.
        allowed: Seconds,
    },
    /// The name of the organisation or repository is bound to another id, or the registration lacks the id that the
    /// name is bound to.
    NameBound {
        kind: NameKind,
        name: String,
    },
    /// The build or step token that the request names does not exist, or belongs to another client. The answer does not
    /// tell the two cases apart.
    NotFound,
    /// A limit on the number of tokens is used up.
    Quota(Quota),
    RateLimited {
        /// Time after which the next request is accepted.
        retry_after: Seconds,
    },
    SubjectUnavailable(SubjectUnavailable),
    TokenTooLarge {
        /// Size of the refused token, in bytes.
        bytes: usize,
        /// Names of the token's largest claims, with the size of each claim in bytes.
        largest: Vec<(String, usize)>,
    },
    /// The client's secret or the request's token is missing, unknown, revoked, expired or of a kind that is not
    /// accepted here. The answer does not tell the cases apart.
    Unauthenticated,
}

/// The limit on a number of tokens that was reached. Each variant holds the number that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Quota {
    /// Limit of ID tokens issued to one build.
    Build { allowed: u64 },
    /// Limit of one build's ID tokens that one issuance rule may allow.
    Rule { rule: String, allowed: u64 },
    /// Limit of step tokens of one build that are valid at the same time.
    StepTokens { allowed: u64 },
    /// Limit of ID tokens fetched with one request token.
    RequestToken { allowed: u64 },
}

/// Failure of the server, because of which a request was not fulfilled. The database may or may not have been changed.
/// No token left the server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// An error that should be impossible, with a description.
    #[error("{0}")]
    Internal(String),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// No key can sign now with the requested signature algorithm, or with any algorithm if none was requested.
    #[error("no active signing key{}", .algorithm.map_or_else(String::new, |alg| format!(" of {alg}")))]
    NoSigner {
        algorithm: Option<Algorithm>,
        /// Time until the first announced key signs; `None` if no key is announced.
        signs_in: Option<Seconds>,
    },
    /// The signing keys of a provider could not be fetched, so that a client's token could not be verified.
    #[error("could not fetch the signing keys of the token's issuer: {reason}")]
    ProviderKeys { reason: String, retry_after: Seconds },
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reason why the issuer did not fulfil a request: the request was refused, or the server failed.
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
