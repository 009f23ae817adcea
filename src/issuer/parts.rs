//! The dependencies with which an issuer is created. An issuer uses no global state.

use std::sync::Arc;

use super::token_verifier::TokenVerifier;
use crate::base::{Clock, Entropy};
use crate::keyring::{Keyring, SigningPool};
use crate::store::Store;
use crate::telemetry::Metrics;

/// Dependencies with which an issuer is created.
pub(crate) struct IssuerParts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keyring: Arc<Keyring>,
    /// Thread pool that signs tokens.
    pub(crate) pool: Arc<SigningPool>,
    /// Verifier of the tokens that clients without a secret send.
    pub(crate) token_verifier: Arc<dyn TokenVerifier>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}
