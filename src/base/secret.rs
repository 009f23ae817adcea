//! Generates, hashes and compares secrets. No code in this file prints or serialises a secret.

use std::fmt;

use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize, Zeroizing};

use super::entropy::{Entropy, EntropyError};

/// A value that no log, message or document may show. `Debug` prints `[secret]`, and there is no `Serialize`.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps `value`, so that the value is never printed and is cleared from memory on drop.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the secret value. Review each call of this method, because the value may leak through the call.
    pub const fn expose_secret(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Secret<String> {
    /// Generates a bearer secret of 256 random bits: the text `prefix`, then 43 base64url characters.
    ///
    /// # Errors
    /// [`EntropyError`] when the random generator fails.
    pub fn draw(prefix: &str, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        entropy.fill(bytes.as_mut())?;
        let mut text = String::with_capacity(prefix.len() + 43);
        text.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(bytes.as_ref(), &mut text);
        Ok(Self(text))
    }

    /// Returns the SHA-256 digest of the secret. The store keeps and looks up this digest instead of the secret.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }
}

/// Returns the secret in the text of a file or variable, without what editors and shells add: a byte order mark at the
/// start, and one line end at the end. Every other character belongs to the secret.
pub(crate) fn secret_text(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text))
}

/// A SHA-256 digest. Two digests are compared in constant time.
#[derive(Clone, Copy)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Computes the digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(&digest::digest(&digest::SHA256, bytes))
    }

    /// Computes the digests of `start` and of `start` followed by `rest`, in one pass.
    #[must_use]
    pub fn of_start_and_whole(start: &[u8], rest: &[u8]) -> (Self, Self) {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(start);
        let of_start = context.clone().finish();
        context.update(rest);
        (Self::from_digest(&of_start), Self::from_digest(&context.finish()))
    }

    fn from_digest(digest: &digest::Digest) -> Self {
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self(out)
    }

    /// Converts the bytes of a stored digest. `None` if the number of bytes is not 32.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Returns the 32 bytes of the digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Sha256 {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Sha256 {}

impl std::hash::Hash for Sha256 {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Writes the digest as 64 lower-case hexadecimal digits.
impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new("bpr_x".to_owned())), "[secret]");
    }

    #[test]
    fn one_line_end_and_a_byte_order_mark_are_cut_from_a_secret() {
        for text in ["x", "x\n", "x\r\n", "\u{feff}x", "\u{feff}x\r\n"] {
            assert_eq!(secret_text(text), "x", "{text:?}");
        }
        for (text, secret) in [("x\n\n", "x\n"), (" x ", " x "), ("x\r", "x\r"), ("x\u{feff}", "x\u{feff}")] {
            assert_eq!(secret_text(text), secret, "{text:?}");
        }
    }

    #[test]
    fn digests_of_one_pass_equal_those_of_two_passes() {
        let (start, whole) = Sha256::of_start_and_whole(b"ab", b"c");
        assert_eq!((start, whole), (Sha256::of(b"ab"), Sha256::of(b"abc")));
    }

    #[test]
    fn a_digest_matches_the_example_of_fips_180() {
        assert_eq!(Sha256::of(b"abc").to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
