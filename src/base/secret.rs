//! Secrets: generation, digests, comparison. Never prints or serialises a secret by accident.

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
    /// Wraps `value` so that it is not printed and is cleared on drop.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value. Review each call: the value may leave through it.
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
    /// Generates a bearer secret of 256 bits: `prefix` and 43 base64url characters.
    ///
    /// # Errors
    /// [`EntropyError`] when the generator fails.
    pub fn draw(prefix: &str, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        entropy.fill(bytes.as_mut())?;
        let mut text = String::with_capacity(prefix.len() + 43);
        text.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(bytes.as_ref(), &mut text);
        Ok(Self(text))
    }

    /// Returns the digest, which is stored and looked up instead of the secret.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }
}

/// A SHA-256 digest. Comparison takes constant time.
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

    /// Reads a stored digest. `None` unless it has 32 bytes.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Returns the 32 bytes.
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

/// Lower-case hexadecimal, 64 characters.
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
    fn digests_of_one_pass_equal_those_of_two_passes() {
        let (start, whole) = Sha256::of_start_and_whole(b"ab", b"c");
        assert_eq!((start, whole), (Sha256::of(b"ab"), Sha256::of(b"abc")));
    }

    #[test]
    fn a_digest_matches_the_example_of_fips_180() {
        assert_eq!(Sha256::of(b"abc").to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
