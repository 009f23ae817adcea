//! Seals private keys and other texts before they are stored, with AES-256-GCM under a key-encryption key. No other
//! file uses the cipher.
//!
//! A sealed text never opens for another owner than it was sealed for: issuer id, `kid` and algorithm are associated
//! data of the cipher.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::KeyringError;
use crate::base::{Entropy, IssuerId};
use crate::jose::Algorithm;
use crate::store::SealedText;

const NONCE_BYTES: usize = 12;

/// Key-encryption keys of an installation. The first key seals (encrypts) new texts; all keys open (decrypt) sealed
/// texts.
pub(super) struct KeyEncryptionKeys {
    keys: Vec<(String, LessSafeKey)>,
}

/// Owner of a sealed (encrypted) text: the issuer, and the key or record that was sealed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) issuer: &'a IssuerId,
    pub(super) what: Sealed<'a>,
}

/// Key or record that a sealed (encrypted) text holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sealed<'a> {
    /// Public key of a former issuer.
    Adopted { kid: &'a str },
    /// Private half of one of our keys.
    Private { kid: &'a str, alg: Algorithm },
    /// Record of the issuer that served our URL before us.
    Takeover,
}

impl Owner<'_> {
    /// Returns the associated data for the cipher. The text is unambiguous: no part can hold a line end, and no
    /// algorithm is called `adopted` or `takeover`.
    fn associated_data(&self) -> Aad<Vec<u8>> {
        let issuer = self.issuer;
        let text = match self.what {
            Sealed::Adopted { kid } => format!("{issuer}\n{kid}\nadopted"),
            Sealed::Private { kid, alg } => format!("{issuer}\n{kid}\n{alg}"),
            Sealed::Takeover => format!("{issuer}\n\ntakeover"),
        };
        Aad::from(text.into_bytes())
    }
}

impl KeyEncryptionKeys {
    /// Creates the key-encryption keys from pairs of a configured id and 32 bytes.
    ///
    /// # Errors
    /// [`KeyringError::NotAKey`].
    pub(super) fn new(keys: Vec<(String, Zeroizing<[u8; 32]>)>) -> Result<Self, KeyringError> {
        let keys = keys.into_iter().map(|(id, bytes)| match UnboundKey::new(&AES_256_GCM, bytes.as_ref()) {
            Ok(key) => Ok((id, LessSafeKey::new(key))),
            Err(_) => Err(KeyringError::NotAKey { id }),
        });
        Ok(Self { keys: keys.collect::<Result<_, _>>()? })
    }

    /// Returns the id of the first key-encryption key, which seals new texts.
    pub(super) fn first(&self) -> Option<&str> {
        self.keys.first().map(|(id, _)| id.as_str())
    }

    /// Seals a text under the first key-encryption key. The result is nonce, ciphertext and tag.
    pub(super) fn seal(
        &self,
        owner: &Owner<'_>,
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<SealedText, KeyringError> {
        let (id, key) = self.keys.first().ok_or_else(|| KeyringError::NotAKey { id: "none".to_owned() })?;
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce)?;
        let mut sealed = plain.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), owner.associated_data(), &mut sealed)
            .map_err(|_| KeyringError::NotAKey { id: id.clone() })?;
        Ok(SealedText { sealed: [nonce.as_slice(), &sealed].concat(), kek: id.clone() })
    }

    /// Opens a sealed text with any of the key-encryption keys. Returns `None` if the text belongs to another owner or
    /// was changed, or if the key that sealed the text is missing.
    pub(super) fn open(&self, owner: &Owner<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES)?;
        self.keys.iter().find_map(|(_, key)| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut plain = Zeroizing::new(text.to_vec());
            let length = key.open_in_place(nonce, owner.associated_data(), &mut plain).ok()?.len();
            plain.truncate(length);
            Some(plain)
        })
    }
}

impl std::fmt::Debug for KeyEncryptionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SystemEntropy;

    fn keys(bytes: &[u8]) -> KeyEncryptionKeys {
        let keys = bytes.iter().map(|byte| (format!("k{byte}"), Zeroizing::new([*byte; 32])));
        KeyEncryptionKeys::new(keys.collect()).unwrap()
    }

    #[test]
    fn a_sealed_key_opens_for_its_owner_and_for_no_other() {
        let issuer = IssuerId::main();
        let owner = |what| Owner { issuer: &issuer, what };
        let one = owner(Sealed::Private { kid: "one", alg: Algorithm::Rs256 });
        let SealedText { sealed, kek } = keys(&[1]).seal(&one, b"private", &SystemEntropy).unwrap();
        assert_eq!(kek, "k1");
        assert!(!sealed.windows(7).any(|window| window == b"private"));
        assert_eq!(keys(&[2, 1]).open(&one, &sealed).unwrap().as_slice(), b"private");
        assert!(keys(&[2]).open(&one, &sealed).is_none());
        for other in [
            Sealed::Private { kid: "two", alg: Algorithm::Rs256 },
            Sealed::Private { kid: "one", alg: Algorithm::Es256 },
            Sealed::Adopted { kid: "one" },
            Sealed::Takeover,
        ] {
            assert!(keys(&[1]).open(&owner(other), &sealed).is_none(), "{other:?}");
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(keys(&[1]).open(&one, &changed).is_none(), "byte {at}");
            assert!(keys(&[1]).open(&one, &sealed[..at]).is_none(), "cut at {at}");
        }
    }
}
