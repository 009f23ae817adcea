//! Thread pool for signing tokens, separate from the async threads, so that many RSA signatures never delay other
//! requests.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::store::InFlight;

/// Stack size of each thread, which suffices for the deepest rule expression that a policy may contain.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Error returned when the pool does not complete a signing task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The queue of signing tasks is full.
    #[error("the signing queue is full; retry later")]
    Busy,
    /// The signing task panicked.
    #[error("a signing task panicked")]
    Panicked,
    /// The threads of the pool cannot be started.
    #[error("could not start the signing threads: {0}")]
    Threads(String),
}

/// Thread pool for signing tasks, which evaluate rules, render claims and sign tokens.
pub struct SigningPool {
    threads: rayon::ThreadPool,
    queue: usize,
    pending: InFlight,
}

impl SigningPool {
    /// Starts the threads of the pool. At most `queue` signing tasks wait or run; `pending` counts these tasks.
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

    /// Returns the number of signing tasks that wait or run.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending.count()
    }

    /// Runs `work` as a signing task on the pool. The task completes even if the returned future is dropped.
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
            // The finished task is uncounted before the answer, so that the store's writer does not wait for it.
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
    async fn a_full_queue_refuses_as_busy() {
        let pending = InFlight::default();
        let pool = SigningPool::new(1, 1, pending.clone()).unwrap();
        let _other = pending.enter();
        assert_eq!(pool.run(|| ()).await, Err(SigningError::Busy));
    }
}
