//! Opaque keys: `bpk_`, 43 characters of randomness, 6 of a checksum, so that scanners know one without asking us. Kept
//! as a digest alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::{Entropy, EntropyError, Secret, Sha256};

/// What every key begins with.
pub const KEY_PREFIX: &str = "bpk_";

/// Characters of the checksum: the first of the digest's base64url.
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

/// Has it the form of a key of ours, its checksum among it? Says nothing of whether it opens anything.
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
