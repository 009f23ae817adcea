//! The result of a request for a token: a token, or a preview of one.

use crate::base::{Jti, Moment, Seconds, Secret};
use crate::claims::Audiences;
use crate::jose::Algorithm;

/// Result of a request for a token.
#[derive(Debug)]
pub(crate) enum Issued {
    Preview(Preview),
    Token(IssuedToken),
}

/// A signed token that may leave the server: its audit row is on disk.
#[derive(Debug)]
pub(crate) struct IssuedToken {
    pub(crate) token: Secret<String>,
    pub(crate) jti: Jti,
    pub(crate) expires_at: Moment,
    pub(crate) lifetime: Seconds,
    pub(crate) subject: String,
    pub(crate) audiences: Audiences,
    /// Rule that granted the token. `None` if the default did.
    pub(crate) rule: Option<String>,
}

/// The token that would be issued (dry run).
#[derive(Debug)]
pub(crate) struct Preview {
    pub(crate) subject: String,
    pub(crate) audiences: Audiences,
    /// Rule that would grant the token. `None` if the default would.
    pub(crate) rule: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) lifetime: Seconds,
    /// All claims but `jti`.
    pub(crate) claims: serde_json::Value,
}
