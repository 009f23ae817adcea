//! Errors of fetching a provider's documents. Hold no secret, and nothing of a document but names.

use crate::jose::JwkSetError;

/// Error returned when a provider's documents cannot be fetched or are unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URL may not be fetched.
    #[error("{url} {problem}")]
    Url {
        /// URL without user and query.
        url: String,
        /// Problem with the URL, and what would be right.
        problem: &'static str,
    },
    /// The key set is on a host that is not allowed.
    #[error("jwks_uri is on the host {actual}: must be on the issuer's host {expected} or on one in jwks_hosts")]
    Host {
        /// Host of the issuer.
        expected: String,
        /// Host of the key set.
        actual: String,
    },
    /// The server redirects to where no redirect is followed.
    #[error("{url} redirects {problem}")]
    Redirect {
        /// URL without user and query.
        url: String,
        /// Reason why the redirect is not followed.
        problem: &'static str,
    },
    /// The connection failed.
    #[error("could not connect to {url}: {reason}")]
    Connection {
        /// URL without user and query.
        url: String,
        /// Cause of the failure.
        reason: String,
    },
    /// The server did not answer in time.
    #[error("{url} did not answer within 5 seconds")]
    Timeout {
        /// URL without user and query.
        url: String,
    },
    /// The server answered with another status than 200.
    #[error("{url} answered {status}, not 200")]
    Status {
        /// URL without user and query.
        url: String,
        /// HTTP status of the answer.
        status: u16,
    },
    /// The server compressed the answer without being asked.
    #[error("{url} answered with a Content-Encoding that was not requested")]
    Encoding {
        /// URL without user and query.
        url: String,
    },
    /// The document is longer than 1 MiB.
    #[error("{url} answered with more than 1 MiB")]
    TooLarge {
        /// URL without user and query.
        url: String,
    },
    /// The discovery document is malformed.
    #[error("{url} is not a discovery document: {problem}")]
    Discovery {
        /// URL without user and query.
        url: String,
        /// Description of the problem.
        problem: String,
    },
    /// The discovery document is of another issuer (OpenID Connect Discovery 1.0 §4.3).
    #[error("{url} is the discovery document of {actual}, not of {expected}")]
    Issuer {
        /// URL without user and query.
        url: String,
        /// Issuer in the configuration.
        expected: String,
        /// `issuer` in the document.
        actual: String,
    },
    /// The document is not a key set.
    #[error("{url} is not a key set: {error}")]
    KeySet {
        /// URL or file of the key set.
        url: String,
        /// Cause of the failure.
        error: JwkSetError,
    },
    /// The key set holds more than 100 keys.
    #[error("{url} holds {count} keys, more than 100")]
    TooManyKeys {
        /// URL or file of the key set.
        url: String,
        /// Number of keys.
        count: usize,
    },
    /// The key set holds no usable key.
    #[error("{url} holds no usable key{first}")]
    NoUsableKey {
        /// URL or file of the key set.
        url: String,
        /// Reason why the first key is unusable, after a separator; empty if there is no key.
        first: String,
    },
    /// A file cannot be read or is unusable.
    #[error("{file}: {reason}")]
    File {
        /// Path of the file.
        file: String,
        /// Cause of the failure.
        reason: String,
    },
    /// The HTTP client cannot be set up, for example because the system has no root certificates.
    #[error("could not set up the HTTP client: {0}")]
    Client(String),
}
