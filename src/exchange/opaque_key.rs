//! Opaque API keys: `bpk_`, 43 random characters and 6 characters of checksum, so that secret scanners recognize keys
//! offline. The database must never hold a key, only the key's digest.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::{Entropy, EntropyError, Secret, Sha256};

/// Prefix of every opaque API key.
pub(crate) const KEY_PREFIX: &str = "bpk_";

/// Length of a key's checksum, in characters. The checksum is the start of the SHA-256 of prefix and random characters,
/// in base64url.
const CHECKSUM: usize = 6;

/// Creates a random key.
///
/// # Errors
/// [`EntropyError`] if the system's random generator fails.
pub(super) fn draw_key(entropy: &dyn Entropy) -> Result<Secret<String>, EntropyError> {
    let body = Secret::draw(KEY_PREFIX, entropy)?;
    let checksum = checksum(body.expose_secret());
    Ok(Secret::new(format!("{}{checksum}", body.expose_secret())))
}

/// Whether `text` has the form of an opaque key: prefix, ASCII characters and a correct checksum. The key need not
/// exist.
#[must_use]
pub fn is_key(text: &str) -> bool {
    let Some(at) = text.len().checked_sub(CHECKSUM) else { return false };
    text.starts_with(KEY_PREFIX)
        && text.is_ascii()
        && text.split_at_checked(at).is_some_and(|(body, found)| checksum(body) == found)
}

fn checksum(body: &str) -> String {
    let mut text = URL_SAFE_NO_PAD.encode(Sha256::of(body.as_bytes()).as_bytes());
    text.truncate(CHECKSUM);
    text
}
