//! Settings and dependencies with which a keyring is opened. Nothing here holds a key.

use std::sync::Arc;

use super::schedule::ScheduleSettings;
use crate::base::{Clock, Entropy, IssuerId};
use crate::jose::Algorithm;
use crate::store::Store;

/// Configured settings of our signing keys.
#[derive(Debug, Clone)]
pub struct KeyringSettings {
    /// Settings from which the schedule of every key is computed.
    pub schedule: ScheduleSettings,
    /// Signature algorithms of the first keys. Once keys exist, the list in the database counts instead.
    pub algorithms: Vec<Algorithm>,
    /// Size of new RSA keys, in bits.
    pub rsa_bits: u32,
}

/// Dependencies and settings that a keyring is opened with.
#[derive(Clone)]
pub struct KeyringParts {
    /// Store that holds the sealed keys.
    pub store: Arc<dyn Store>,
    /// Id of the issuer that owns the keys.
    pub issuer: IssuerId,
    /// Configured settings of the keys.
    pub settings: KeyringSettings,
    /// Clock that gives the current time.
    pub clock: Arc<dyn Clock>,
    /// Source of random bytes.
    pub entropy: Arc<dyn Entropy>,
}
