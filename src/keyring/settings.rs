//! Settings and parts that a keyring is opened with. Holds no key.

use std::sync::Arc;

use super::schedule::ScheduleSettings;
use crate::base::{Clock, Entropy, IssuerId};
use crate::jose::Algorithm;
use crate::store::Store;

/// Configured settings of the signing keys.
#[derive(Debug, Clone)]
pub struct KeyringSettings {
    /// Times that a key's life is computed from.
    pub schedule: ScheduleSettings,
    /// Algorithms of the first keys; afterwards the list in the database counts.
    pub algorithms: Vec<Algorithm>,
    /// Size of new RSA keys, in bits.
    pub rsa_bits: u32,
}

/// Dependencies of a keyring.
#[derive(Clone)]
pub struct KeyringParts {
    /// Store of the key rows.
    pub store: Arc<dyn Store>,
    /// Id of the issuer that owns the keys.
    pub issuer: IssuerId,
    /// Configured settings of the keys.
    pub settings: KeyringSettings,
    /// Source of the current time.
    pub clock: Arc<dyn Clock>,
    /// Source of random bytes.
    pub entropy: Arc<dyn Entropy>,
}
