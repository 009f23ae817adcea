//! The errors of fetching a provider's documents. An error never contains a secret, and repeats only names from a
//! fetched document.

use crate::jose::JwkSetError;

/// Error returned when a provider's documents cannot be fetched or are unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URL must not be fetched.
    #[error("{url} {problem}")]
    Url {
        /// URL of the request, without user and query.
        url: String,
        /// What is wrong with the URL, and what would be right.
        problem: &'static str,
    },
    /// The provider's key set is on a host that is not allowed.
    #[error("jwks_uri is on the host {actual}, but must be on the issuer's host {expected} or on a host in jwks_hosts")]
    Host {
        /// Host of the issuer's URL.
        expected: String,
        /// Host of the key set's URL.
        actual: String,
    },
    /// The provider's server redirects in a way that is not followed.
    #[error("{url} redirects {problem}")]
    Redirect {
        /// URL of the request, without user and query.
        url: String,
        /// Reason for which the redirect is not followed.
        problem: &'static str,
    },
    /// The connection to the provider's server failed.
    #[error("could not connect to {url}: {reason}")]
    Connection {
        /// URL of the request, without user and query.
        url: String,
        /// Text of the connection's error.
        reason: String,
    },
    /// The provider's server did not answer within five seconds.
    #[error("{url} did not answer within 5 seconds")]
    Timeout {
        /// URL of the request, without user and query.
        url: String,
    },
    /// The provider's server answered with another status than 200.
    #[error("{url} answered {status}, not 200")]
    Status {
        /// URL of the request, without user and query.
        url: String,
        /// HTTP status of the server's answer.
        status: u16,
    },
    /// The provider's server compressed the answer without a request to do so.
    #[error("{url} answered with a Content-Encoding that was not requested")]
    Encoding {
        /// URL of the request, without user and query.
        url: String,
    },
    /// The document in the server's answer is longer than 1 MiB.
    #[error("{url} answered with more than 1 MiB")]
    TooLarge {
        /// URL of the request, without user and query.
        url: String,
    },
    /// The provider's discovery document is malformed.
    #[error("{url} is not a discovery document: {problem}")]
    Discovery {
        /// URL of the request, without user and query.
        url: String,
        /// What is wrong with the discovery document.
        problem: String,
    },
    /// The discovery document names another issuer than the configuration (OpenID Connect Discovery 1.0 §4.3).
    #[error("{url} is the discovery document of {actual}, not of {expected}")]
    Issuer {
        /// URL of the request, without user and query.
        url: String,
        /// Issuer in the provider's configuration.
        expected: String,
        /// Value of `issuer` in the discovery document.
        actual: String,
    },
    /// The fetched document is not a key set.
    #[error("{url} is not a key set: {error}")]
    KeySet {
        /// URL or file of the key set.
        url: String,
        /// Why the document is not a usable key set.
        error: JwkSetError,
    },
    /// The provider's key set contains more than 100 keys.
    #[error("{url} holds {count} keys, more than 100")]
    TooManyKeys {
        /// URL or file of the key set.
        url: String,
        /// Number of keys in the key set.
        count: usize,
    },
    /// The provider's key set contains no usable key.
    #[error("{url} holds no usable key{first}")]
    NoUsableKey {
        /// URL or file of the key set.
        url: String,
        /// Reason for which the first key of the set is unusable, after the words `; the first key: `. Empty if the set
        /// has no key.
        first: String,
    },
    /// A file that the provider's configuration names cannot be read or is unusable.
    #[error("{file}: {reason}")]
    File {
        /// Path of the configured file.
        file: String,
        /// Why the file could not be read.
        reason: String,
    },
    /// The HTTP client cannot be set up, for example because the system has no root certificates.
    #[error("could not set up the HTTP client: {0}")]
    Client(String),
}
