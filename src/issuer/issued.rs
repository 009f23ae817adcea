//! The result of a request for an ID token: a signed token, or a preview of the token.

use crate::base::{Jti, Moment, Seconds, Secret};
use crate::claims::Audiences;
use crate::jose::Algorithm;

/// Result of a request for an ID token.
#[derive(Debug)]
pub(crate) enum Issued {
    Preview(Preview),
    Token(IssuedToken),
}

/// A signed ID token that may leave the server, since the token's audit row is on disk.
#[derive(Debug)]
pub(crate) struct IssuedToken {
    pub(crate) token: Secret<String>,
    pub(crate) jti: Jti,
    pub(crate) expires_at: Moment,
    pub(crate) lifetime: Seconds,
    pub(crate) subject: String,
    pub(crate) audiences: Audiences,
    /// Name of the issuance rule that allowed the token; `None` if the policy's default allowed the token.
    pub(crate) rule: Option<String>,
}

/// Preview of an ID token: shows what the token would contain. No token is signed or recorded.
#[derive(Debug)]
pub(crate) struct Preview {
    pub(crate) subject: String,
    pub(crate) audiences: Audiences,
    /// Name of the issuance rule that would allow the token; `None` if the policy's default would allow the token.
    pub(crate) rule: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) lifetime: Seconds,
    /// All claims of the token except `jti`.
    pub(crate) claims: serde_json::Value,
}
