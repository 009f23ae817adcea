//! The threads that sign: a small pool of its own, so that a burst of RSA never delays another request.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::store::InFlight;

/// Large enough for the deepest rule that the policy floor lets in.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Why work was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// Too much is waiting already.
    #[error("too many signatures are waiting")]
    Busy,
    /// The work ended in a panic.
    #[error("signing panicked")]
    Panicked,
    /// The threads can't be started.
    #[error("the signing threads can't be started: {0}")]
    Threads(String),
}

/// Threads for everything that computes: rules, rendering, signing.
pub struct SigningPool {
    threads: rayon::ThreadPool,
    queue: usize,
    pending: InFlight,
}

impl SigningPool {
    /// So many threads, before which at most `queue` pieces of work wait; `pending` counts them.
    ///
    /// # Errors
    /// [`SigningError::Threads`].
    pub fn new(threads: usize, queue: usize, pending: InFlight) -> Result<Self, SigningError> {
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .stack_size(STACK_BYTES)
            .thread_name(|index| format!("sign-{index}"))
            .build()
            .map_err(|error| SigningError::Threads(error.to_string()))?;
        Ok(Self { threads, queue, pending })
    }

    /// How many pieces of work wait or run.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending.count()
    }

    /// Does `work` on the pool. It goes on even if nobody waits for its result.
    ///
    /// # Errors
    /// [`SigningError::Busy`], [`SigningError::Panicked`].
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, SigningError> {
        if self.pending.count() >= self.queue {
            return Err(SigningError::Busy);
        }
        let counted = self.pending.enter();
        let (reply, answer) = oneshot::channel();
        self.threads.spawn_fifo(move || {
            let done = catch_unwind(AssertUnwindSafe(work)).map_err(|_| SigningError::Panicked);
            // Uncounted first: what is answered is no longer on its way to the writer's next group.
            drop(counted);
            let _ = reply.send(done);
        });
        answer.await.map_err(|_| SigningError::Panicked)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_pool_goes_on() {
        let pending = InFlight::default();
        let pool = SigningPool::new(1, 10, pending.clone()).unwrap();
        let panicked: Result<(), _> = pool.run(|| std::panic::panic_any("on purpose")).await;
        assert_eq!(panicked, Err(SigningError::Panicked));
        assert_eq!(pool.run(|| 1 + 1).await, Ok(2));
        assert_eq!(pending.count(), 0);
    }

    #[tokio::test]
    async fn a_full_queue_says_that_it_is_busy() {
        let pending = InFlight::default();
        let pool = SigningPool::new(1, 1, pending.clone()).unwrap();
        let _other = pending.enter();
        assert_eq!(pool.run(|| ()).await, Err(SigningError::Busy));
    }
}
