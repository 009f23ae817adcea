//! A source of random bytes. Only this file may use the system's random generator; all other code draws random bytes
//! through `Entropy`.

use rand::TryRng;

/// Error returned when the random generator fails. The operation that needed random bytes must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct EntropyError;

/// A source of random bytes: the system in production, a seed in tests.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes` with unpredictable bytes.
    ///
    /// # Errors
    /// [`EntropyError`] when the generator fails; the contents of `bytes` must then not be used.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The random generator of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        rand::rngs::SysRng.try_fill_bytes(bytes).map_err(|_| EntropyError)
    }
}
