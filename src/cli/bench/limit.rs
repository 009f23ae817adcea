//! The limit of the hardware: bare RS256 signatures on one core, with a prepared key and no other work.

use std::time::Duration;

use super::cores::Cores;
use crate::base::{Clock as _, SystemClock, SystemEntropy};
use crate::cli::failure::Failure;
use crate::jose::{Algorithm, PrivateKey, SigningKey};

/// Measures how many signatures the core of the server can make, without any other work.
pub(super) struct Signing {
    key: SigningKey,
    cores: Cores,
}

impl Signing {
    pub(super) fn new(cores: Cores) -> Result<Self, Failure> {
        let key = PrivateKey::generate(Algorithm::Rs256, 2048, &SystemEntropy).map_err(Failure::unreachable)?;
        Ok(Self { key: SigningKey::from_private(&key).map_err(Failure::unreachable)?, cores })
    }

    /// Signs on the server's core for the time `length`, and returns the signatures per second. Encoding a token would
    /// take about a thousandth more time, which the figure leaves out.
    pub(super) fn measure(&self, length: Duration) -> Result<f64, Failure> {
        let measured = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    self.cores.use_server_core();
                    self.count(length)
                })
                .join()
        });
        measured.map_err(|_| Failure::unreachable("the signing thread panicked"))?
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
