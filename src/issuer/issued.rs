//! What comes of it: a token that may leave, or a look at one.

use crate::base::{Jti, Moment, Seconds, Secret};
use crate::claims::Audiences;
use crate::jose::Algorithm;

/// What a request for a token comes to.
#[derive(Debug)]
pub enum Issued {
    /// Everything but a token.
    Preview(Preview),
    /// A recorded token.
    Token(IssuedToken),
}

/// A token that may leave: its record is on disk.
#[derive(Debug)]
pub struct IssuedToken {
    /// The JWT.
    pub token: Secret<String>,
    /// Its `jti`.
    pub jti: Jti,
    /// Its `exp`.
    pub expires_at: Moment,
    /// From now to then.
    pub lifetime: Seconds,
    /// Its `sub`.
    pub subject: String,
    /// Its `aud`.
    pub audiences: Audiences,
    /// The rule that granted it; `None` where the default did.
    pub rule: Option<String>,
}

/// What a token would be.
#[derive(Debug)]
pub struct Preview {
    /// Its `sub`.
    pub subject: String,
    /// Its `aud`.
    pub audiences: Audiences,
    /// The rule that would grant it; `None` where the default would.
    pub rule: Option<String>,
    /// Its `alg`.
    pub algorithm: Algorithm,
    /// Its lifetime.
    pub lifetime: Seconds,
    /// Its claims, without a `jti`.
    pub claims: serde_json::Value,
}
