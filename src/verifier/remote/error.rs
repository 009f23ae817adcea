//! Why a provider's documents could not be had. Holds no secret and nothing of a document but names.

use crate::jose::JwkSetError;

/// Why a provider's documents could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// A URL that is not asked.
    #[error("{url} {problem}")]
    Url {
        /// Which, without query and user.
        url: String,
        /// What is wrong, and what would be right.
        problem: &'static str,
    },
    /// Keys at a host that is not the issuer's.
    #[error("jwks_uri must be at the issuer's host {expected}, or at one that jwks_hosts names; it is at {actual}")]
    Host {
        /// The issuer's.
        expected: String,
        /// The keys'.
        actual: String,
    },
    /// A redirect that is not followed.
    #[error("{url} redirects {problem}")]
    Redirect {
        /// Which.
        url: String,
        /// Why it is not followed.
        problem: &'static str,
    },
    /// No connection, or one that broke.
    #[error("{url} can't be reached: {reason}")]
    Connection {
        /// Which.
        url: String,
        /// Why.
        reason: String,
    },
    /// No answer, or none that ended, in time.
    #[error("{url} did not answer within 5 seconds")]
    Timeout {
        /// Which.
        url: String,
    },
    /// Another status than 200.
    #[error("{url} answers {status}, not 200")]
    Status {
        /// Which.
        url: String,
        /// The status.
        status: u16,
    },
    /// Compressed, though nothing was said of that.
    #[error("{url} answers in a content coding that was not asked for")]
    Encoding {
        /// Which.
        url: String,
    },
    /// Longer than 1 MiB.
    #[error("{url} answers with more than 1 MiB")]
    TooLarge {
        /// Which.
        url: String,
    },
    /// A discovery document that can't be read.
    #[error("{url} is no discovery document: {problem}")]
    Discovery {
        /// Which.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// Another issuer's discovery document (OpenID Connect Discovery 1.0 §4.3).
    #[error("{url} is the discovery document of {actual}, not of {expected}")]
    Issuer {
        /// Which.
        url: String,
        /// The configured issuer.
        expected: String,
        /// Its `issuer`.
        actual: String,
    },
    /// Not a key set.
    #[error("{url} is no key set: {error}")]
    KeySet {
        /// Which.
        url: String,
        /// What is wrong.
        error: JwkSetError,
    },
    /// More than 100 keys.
    #[error("{url} holds {count} keys, more than 100")]
    TooManyKeys {
        /// Which.
        url: String,
        /// How many.
        count: usize,
    },
    /// Keys, and none that can be used.
    #[error("{url} holds no key that can be used{first}")]
    NoUsableKey {
        /// Which.
        url: String,
        /// Why the first of them can't be used, with a colon before it.
        first: String,
    },
    /// A file that can't be read or used.
    #[error("{file}: {reason}")]
    File {
        /// Which.
        file: String,
        /// Why.
        reason: String,
    },
    /// No client can be made: certificates that can't be read, or none in the system.
    #[error("no connection can be made: {0}")]
    Client(String),
}
