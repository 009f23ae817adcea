//! Keys, signatures and tokens in the compact form (RFC 7515, 7517, 7518, 7638). This module has no clock, no store and
//! no HTTP.
//!
//! aws-lc signs with a key that is parsed once ([`SigningKey`]). jsonwebtoken alone checks signatures
//! ([`VerificationKey`]), and only of tokens that [`peek()`] parsed strictly.

mod algorithm;
mod check;
mod foreign_jwk;
#[cfg(feature = "server")]
mod generate;
mod json;
mod jwk;
mod key_set;
mod peek;
mod private_key;
mod public_key;
mod roca;
mod sign;
mod signature_algorithm;

pub use self::algorithm::Algorithm;
pub use self::check::{CheckError, VerificationKey};
pub use self::foreign_jwk::{JwkError, JwkSetError, UnusableKey};
#[cfg(feature = "server")]
pub(crate) use self::json::JsonProblem;
pub(crate) use self::json::require_unique_members;
pub use self::jwk::{Jwk, JwkSet};
pub use self::key_set::KeySet;
pub use self::peek::{LONGEST_TOKEN, Part, PeekError, UnverifiedToken, peek};
pub use self::private_key::{KeyError, PrivateKey};
pub use self::public_key::{PublicKey, PublicKeyError};
pub use self::sign::{SignError, SigningKey};
pub use self::signature_algorithm::SignatureAlgorithm;
