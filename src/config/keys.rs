//! `[keys]`: settings of the signing keys, of the rotation schedule, and of the key-encryption keys. The reader opens
//! no file with a key.

use std::path::{Path, PathBuf};

use super::declare::{section, table};
use super::describe::{Described, SecretText, ValueKind};
use super::entries::Origin;
use super::reader::{Reader, period};
use crate::base::Seconds;
use crate::jose::Algorithm;
use crate::keyring::{KekPlace, KekSource, ScheduleSettings};
use crate::toml_input::{Fault, PathStep};
use crate::verifier::MAX_TOLERANCE;

const KEY_ENCRYPTION_KEYS: &str = "keys.key_encryption_keys";

section! {
    /// Signing keys, their rotation schedule, and the key-encryption keys that encrypt the private signing keys.
    pub struct Keys in ("keys", KekKeys::TABLE) {
        /// Signature algorithms of the tokens that this server signs. The first algorithm with a key that signs is the
        /// default.
        algorithms: Vec<Algorithm> = default r#"["RS256", "ES256"]"#, read algorithms;
        /// Size of new RSA signing keys in bits: 2048, 3072 or 4096.
        rsa_bits: u32 = default "2048", read rsa_bits;
        /// Time for which a signing key signs before the next signing key replaces it.
        rotation_period: Seconds = default r#""7d""#, read period;
        /// Time for which verifiers may cache the key set: the `max-age` of the key set's response.
        jwks_max_age: Seconds = default r#""5m""#, read period;
        /// Minimum time between the publication of a signing key and its first signature, for verifiers that ignore
        /// cache headers.
        announce_at_least: Seconds = default r#""20m""#;
        /// Interval at which each replica reads the signing keys from the database again. A change of keys may reach
        /// the other replicas this late.
        refresh_interval: Seconds = default r#""5s""#, read period;
        /// Maximum expected difference between the clocks of replicas and verifiers. At most 5m.
        clock_skew: Seconds = default r#""30s""#, read clock_skew;
        /// Leeway of verifiers other than this server: the time after `exp` for which they may still accept a token.
        verifier_leeway: Seconds = default r#""300s""#;
        /// Key-encryption keys, which encrypt the private keys in the database. The first key in the list encrypts, and
        /// every key in the list decrypts. If this list is absent, a first start on SQLite creates the file
        /// `keys/master.key`.
        key_encryption_keys: Vec<KeyEncryptionKey> =
            default r#"[{ id = "k1", file = "keys/master.key" }]"#, each key_encryption_key;
    }
}

table! {
    /// A key-encryption key, which encrypts the private keys in the database.
    struct KekKeys in "[[keys.key_encryption_keys]]" {
        /// Unique id of the key-encryption key, stored with each value that the key encrypted.
        id: String;
        /// File with the key-encryption key, as `buildpass keys new-kek` creates it. Exactly one of `file` and `value`
        /// is required.
        file: Option<PathBuf>;
        /// The key-encryption key itself, in place of `file`.
        value: Option<SecretText>;
    }
}

/// A key-encryption key, which encrypts the private keys in the database.
#[derive(Debug, Clone)]
pub struct KeyEncryptionKey {
    /// Unique id of the key-encryption key, stored with each value that the key encrypted.
    pub id: String,
    /// File that holds the key-encryption key, or the key itself.
    pub place: KekPlace,
}

impl Described for KeyEncryptionKey {
    const KIND: ValueKind = ValueKind::Table;
}

/// Reads `[keys]`. `max_lifetime` is `tokens.max_lifetime`.
pub(super) fn read(
    reader: &mut Reader<'_>,
    state_dir: &Path,
    max_lifetime: Option<Seconds>,
    shares_database: bool,
) -> Option<Keys> {
    let mut keys = Keys::read_keys(reader)?;
    // Servers that share a database would each create a key of their own.
    let is_made = !shares_database && reader.origin(KEY_ENCRYPTION_KEYS) == Origin::Default;
    for key in &mut keys.key_encryption_keys {
        if let KekPlace::File { path, may_be_made } = &mut key.place {
            *path = state_dir.join(&*path);
            *may_be_made = is_made;
        }
    }
    let problem = match keys.key_encryption_keys.as_slice() {
        [] => Some("must list at least one key".into()),
        listed => duplicate(listed),
    };
    if let Some(problem) = problem {
        reader.refuse(KEY_ENCRYPTION_KEYS, problem);
        return None;
    }
    if let Some(problem) = keys.schedule(max_lifetime?).refusal() {
        reader.refuse("keys.rotation_period", problem);
        return None;
    }
    Some(keys)
}

impl Keys {
    /// Returns the durations from which the states of a signing key are computed. `max_lifetime` is
    /// `tokens.max_lifetime`.
    #[must_use]
    pub fn schedule(&self, max_lifetime: Seconds) -> ScheduleSettings {
        ScheduleSettings {
            rotation_period: self.rotation_period,
            jwks_max_age: self.jwks_max_age,
            announce_at_least: self.announce_at_least,
            refresh_interval: self.refresh_interval,
            clock_skew: self.clock_skew,
            verifier_leeway: self.verifier_leeway,
            max_lifetime,
        }
    }

    /// Returns the file or value of each key-encryption key, without reading a file. A first start may create the
    /// default file, and no other file.
    #[must_use]
    pub fn kek_source(&self) -> KekSource {
        let keys = self.key_encryption_keys.iter().map(|key| (key.id.clone(), key.place.clone()));
        KekSource { keys: keys.collect() }
    }
}

fn algorithms(algorithms: Vec<Algorithm>) -> Result<Vec<Algorithm>, String> {
    if algorithms.is_empty() {
        return Err("must list at least one of RS256, ES256".to_owned());
    }
    for (index, algorithm) in algorithms.iter().enumerate() {
        if algorithms.iter().take(index).any(|earlier| earlier == algorithm) {
            return Err(format!("lists {algorithm} twice"));
        }
    }
    Ok(algorithms)
}

fn rsa_bits(bits: u32) -> Result<u32, &'static str> {
    if matches!(bits, 2048 | 3072 | 4096) { Ok(bits) } else { Err("must be 2048, 3072 or 4096") }
}

/// Checks that `keys.clock_skew` is at most [`MAX_TOLERANCE`]. This server accepts its own tokens for `clock_skew`
/// after `exp`, but remembers used tokens only for [`MAX_TOLERANCE`]: with a larger skew a used token could be redeemed
/// again.
fn clock_skew(skew: Seconds) -> Result<Seconds, String> {
    if skew <= MAX_TOLERANCE { Ok(skew) } else { Err(format!("must be at most {MAX_TOLERANCE}")) }
}

fn key_encryption_key(keys: KekKeys) -> Result<KeyEncryptionKey, Fault> {
    let empty = |field: &str| Err(Fault::from("must not be empty").below([PathStep::Field(field.to_owned())]));
    let place = match (keys.file, keys.value) {
        (Some(file), None) if file.as_os_str().is_empty() => return empty("file"),
        (None, Some(SecretText(value))) if value.expose_secret().is_empty() => return empty("value"),
        (Some(path), None) => KekPlace::File { path, may_be_made: false },
        (None, Some(SecretText(value))) => KekPlace::Value(value),
        (Some(_), Some(_)) => return Err("has both file and value; keep one".into()),
        (None, None) => return Err("has neither file nor value".into()),
    };
    if keys.id.is_empty() { empty("id") } else { Ok(KeyEncryptionKey { id: keys.id, place }) }
}

fn duplicate(keys: &[KeyEncryptionKey]) -> Option<Fault> {
    let is_duplicate = |(index, key): &(usize, &KeyEncryptionKey)| keys.iter().take(*index).any(|k| k.id == key.id);
    let (index, _) = keys.iter().enumerate().find(is_duplicate)?;
    let path = [PathStep::Item(index), PathStep::Field("id".to_owned())];
    Some(Fault::from("is another key's id too; ids are unique").below(path))
}
