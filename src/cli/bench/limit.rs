//! What the hardware allows: bare RS256 signatures of one core, with the key held and nothing else done.

use std::time::Duration;

use super::cores::Cores;
use crate::base::{Clock as _, SystemClock, SystemEntropy};
use crate::cli::failure::Failure;
use crate::jose::{Algorithm, PrivateKey, SigningKey};

/// Signs on a core.
pub(super) struct Signing {
    key: SigningKey,
    cores: Cores,
}

impl Signing {
    pub(super) fn new(cores: Cores) -> Result<Self, Failure> {
        let key = PrivateKey::generate(Algorithm::Rs256, 2048, &SystemEntropy).map_err(Failure::unreachable)?;
        Ok(Self { key: SigningKey::from_private(&key).map_err(Failure::unreachable)?, cores })
    }

    /// Signatures a second, on the server's core. A few bytes of base64 beside each signature are a thousandth of it.
    pub(super) fn measure(&self, length: Duration) -> Result<f64, Failure> {
        let measured = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    self.cores.take_servers();
                    self.count(length)
                })
                .join()
        });
        measured.map_err(|_| Failure::unreachable("a signature could not be made"))?
    }

    fn count(&self, length: Duration) -> Result<f64, Failure> {
        let clock = SystemClock::new();
        let mut signatures: u32 = 0;
        loop {
            for _ in 0..16 {
                std::hint::black_box(self.key.sign(b"{}").map_err(Failure::unreachable)?);
            }
            signatures += 16;
            let passed = clock.monotonic();
            if passed >= length {
                return Ok(f64::from(signatures) / passed.as_secs_f64());
            }
        }
    }
}
