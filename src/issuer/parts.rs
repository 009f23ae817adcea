//! What an issuer is put together from.

use std::sync::Arc;

use super::token_verifier::TokenVerifier;
use crate::base::{Clock, Entropy};
use crate::keyring::{Keyring, SigningPool};
use crate::store::Store;
use crate::telemetry::Metrics;

/// What the issuer is made of; each part comes from outside.
pub struct IssuerParts {
    /// Where everything is remembered.
    pub store: Arc<dyn Store>,
    /// Our signing keys.
    pub keyring: Arc<Keyring>,
    /// The threads that sign.
    pub pool: Arc<SigningPool>,
    /// Who tells whose token a client without a secret sends.
    pub judge: Arc<dyn TokenVerifier>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where *now* comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub entropy: Arc<dyn Entropy>,
}
