//! What a keyring is opened with. Holds no key.

use std::sync::Arc;

use super::schedule::ScheduleSettings;
use crate::base::{Clock, Entropy, IssuerId};
use crate::jose::Algorithm;
use crate::store::Store;

/// What an operator decided about keys.
#[derive(Debug, Clone)]
pub struct KeyringSettings {
    /// The times.
    pub schedule: ScheduleSettings,
    /// Algorithms to have keys of, where the database does not say otherwise.
    pub algorithms: Vec<Algorithm>,
    /// Size of new RSA keys.
    pub rsa_bits: u32,
}

/// What a keyring is made of; each part comes from outside.
#[derive(Clone)]
pub struct KeyringParts {
    /// Where the rows are.
    pub store: Arc<dyn Store>,
    /// Whose keys they are.
    pub issuer: IssuerId,
    /// What an operator decided.
    pub settings: KeyringSettings,
    /// Where *now* comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub entropy: Arc<dyn Entropy>,
}
