//! Opaque keys: `bpk_`, 43 random characters, 6 characters of checksum, so that secret scanners recognize keys offline.
//! Only digests are stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::{Entropy, EntropyError, Secret, Sha256};

/// Prefix of every key.
pub const KEY_PREFIX: &str = "bpk_";

/// Length of the checksum: the first characters of the digest in base64url.
const CHECKSUM: usize = 6;

/// Draws a key.
///
/// # Errors
/// [`EntropyError`].
pub(super) fn draw_key(entropy: &dyn Entropy) -> Result<Secret<String>, EntropyError> {
    let body = Secret::draw(KEY_PREFIX, entropy)?;
    let checksum = checksum(body.expose_secret());
    Ok(Secret::new(format!("{}{checksum}", body.expose_secret())))
}

/// Whether `text` is well-formed: prefix, alphabet and checksum. Does not check that the key exists.
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
