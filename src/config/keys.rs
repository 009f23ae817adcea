//! `[keys]`: signing keys, and the arithmetic of their lives. Reads no key.

use std::path::Path;

use super::reader::{Reader, each, list, number, seconds, table, text};
use super::source::Origin;
use super::value::Value;
use crate::base::{Seconds, Secret};
use crate::jose::Algorithm;
use crate::keyring::{KekPlace, KekSource, ScheduleSettings};
use crate::verifier::MAX_TOLERANCE;

/// Signing keys.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The first that can sign is the default.
    pub algorithms: Vec<Algorithm>,
    /// Size of new RSA keys: 2048, 3072 or 4096.
    pub rsa_bits: u32,
    /// How long a key signs.
    pub rotation_period: Seconds,
    /// How long verifiers may cache the key set.
    pub jwks_max_age: Seconds,
    /// Shortest time between a key's publication and its first signature.
    pub announce_at_least: Seconds,
    /// How often replicas read the keys again.
    pub refresh_interval: Seconds,
    /// How far clocks may differ.
    pub clock_skew: Seconds,
    /// What strangers' verifiers may add to `exp`.
    pub verifier_leeway: Seconds,
    /// The first seals, all open.
    pub key_encryption_keys: Vec<KeyEncryptionKey>,
}

/// A key that seals private halves in the store.
#[derive(Debug, Clone)]
pub struct KeyEncryptionKey {
    /// Its name in sealed values.
    pub id: String,
    /// Where it is.
    pub place: KekPlace,
}

pub(super) fn read(
    reader: &mut Reader<'_>,
    state_dir: &Path,
    max_lifetime: Option<Seconds>,
    shares_database: bool,
) -> Option<Keys> {
    let algorithms = reader.read("keys.algorithms", algorithms);
    let rsa_bits = reader.read("keys.rsa_bits", |value| match number::<u32>(value)? {
        bits @ (2048 | 3072 | 4096) => Ok(bits),
        _ => Err("must be 2048, 3072 or 4096".to_owned()),
    });
    let rotation_period = reader.period("keys.rotation_period");
    let jwks_max_age = reader.period("keys.jwks_max_age");
    let announce_at_least = reader.read("keys.announce_at_least", seconds);
    let refresh_interval = reader.period("keys.refresh_interval");
    // Our own tokens are taken so much longer, and are remembered as spent no longer than any tolerance may be.
    let clock_skew = reader.read("keys.clock_skew", |value| match seconds(value)? {
        skew if skew <= MAX_TOLERANCE => Ok(skew),
        _ => Err(format!("must be {MAX_TOLERANCE} at most")),
    });
    let verifier_leeway = reader.read("keys.verifier_leeway", seconds);
    // Where several servers share a database each would make another one up.
    let may_be_made = !shares_database && reader.origin("keys.key_encryption_keys") == Origin::Default;
    let key_encryption_keys =
        reader.read("keys.key_encryption_keys", |value| key_encryption_keys(value, state_dir, may_be_made));
    let keys = Keys {
        algorithms: algorithms?,
        rsa_bits: rsa_bits?,
        rotation_period: rotation_period?,
        jwks_max_age: jwks_max_age?,
        announce_at_least: announce_at_least?,
        refresh_interval: refresh_interval?,
        clock_skew: clock_skew?,
        verifier_leeway: verifier_leeway?,
        key_encryption_keys: key_encryption_keys?,
    };
    if let Some(problem) = keys.schedule(max_lifetime?).refusal() {
        reader.refuse("keys.rotation_period", &problem);
        return None;
    }
    Some(keys)
}

impl Keys {
    /// The times that a key's life is computed from; `max_lifetime` is `tokens.max_lifetime`.
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

    /// The key-encryption keys, not read yet. The default file alone may be made at a first start.
    #[must_use]
    pub fn kek_source(&self) -> KekSource {
        let keys = self.key_encryption_keys.iter().map(|key| (key.id.clone(), key.place.clone()));
        KekSource { keys: keys.collect() }
    }
}

fn algorithms(value: &Value) -> Result<Vec<Algorithm>, String> {
    let algorithms = each(value, |text| text.parse::<Algorithm>().map_err(str::to_owned))?;
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

fn key_encryption_keys(value: &Value, state_dir: &Path, may_be_made: bool) -> Result<Vec<KeyEncryptionKey>, String> {
    let mut keys: Vec<KeyEncryptionKey> = Vec::new();
    for (index, item) in list(value)?.iter().enumerate() {
        let place = |problem: String| format!("item {} (line {}): {problem}", index + 1, item.line);
        let key = key_encryption_key(&item.value, state_dir, may_be_made).map_err(place)?;
        if keys.iter().any(|earlier| earlier.id == key.id) {
            return Err(place(format!("another key has the id {:?} too; ids are unique", key.id)));
        }
        keys.push(key);
    }
    if keys.is_empty() { Err("must list at least one key".to_owned()) } else { Ok(keys) }
}

fn key_encryption_key(value: &Value, state_dir: &Path, may_be_made: bool) -> Result<KeyEncryptionKey, String> {
    let fields = table(value)?;
    if let Some(name) = fields.keys().find(|name| !["id", "file", "value"].contains(&name.as_str())) {
        return Err(format!("there is no such key as {name:?}; it has id and either file or value"));
    }
    let field = |name: &str| {
        let text = fields.get(name).map(|field| text(&field.value)).transpose();
        match text.map_err(|problem| format!("{name}: {problem}"))? {
            Some("") => Err(format!("{name}: must not be empty")),
            other => Ok(other),
        }
    };
    let id = field("id")?.ok_or("id: is missing")?.to_owned();
    let place = match (field("file")?, field("value")?) {
        (Some(file), None) => KekPlace::File { path: state_dir.join(file), may_be_made },
        (None, Some(value)) => KekPlace::Value(Secret::new(value.trim_end_matches(['\r', '\n']).to_owned())),
        (Some(_), Some(_)) => return Err("has both file and value; keep one".to_owned()),
        (None, None) => return Err("has neither file nor value".to_owned()),
    };
    Ok(KeyEncryptionKey { id, place })
}
