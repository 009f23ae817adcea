//! Logs every few seconds that long work, such as a migration, still runs, and whom it waits for. Such work has no time
//! limit, so that it must never be silent.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::error::StoreError;

/// Time between two log lines about the same work.
pub(super) const SAY_EVERY: Duration = Duration::from_secs(10);

/// Runs `work` without a time limit. Meanwhile calls `look` once in `every`, with the time that has passed. If `look`
/// fails, because the work can never end, drops the work and returns the error.
pub(super) async fn watched<T>(
    every: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
    mut look: impl FnMut(Duration) -> BoxFuture<'static, Result<(), StoreError>>,
) -> Result<T, StoreError> {
    let mut work = pin!(work);
    let mut took = Duration::ZERO;
    loop {
        if let Ok(done) = tokio::time::timeout(every, &mut work).await {
            return done;
        }
        took += every;
        look(took).await?;
    }
}

/// Logs that the work `what` still runs, and for how long it has run.
pub(super) fn goes_on(what: &dyn fmt::Display, took: Duration) {
    tracing::warn!("{what} for {} s", took.as_secs());
}

/// Logs which sessions or processes the work `what` waits for, and for how long it has waited.
pub(super) fn waits(what: &dyn fmt::Display, took: Duration, holders: &[String]) {
    let holders = if holders.is_empty() { "another session".to_owned() } else { holders.join(", ") };
    tracing::warn!("{what}: waits for {holders}, for {} s so far", took.as_secs());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const EVERY: Duration = Duration::from_millis(5);

    #[tokio::test]
    async fn long_work_is_told_of_again_and_again_and_never_cut() {
        let told = Arc::new(AtomicU32::new(0));
        let ends = Arc::clone(&told);
        let work = async {
            while ends.load(Ordering::Relaxed) < 20 {
                tokio::task::yield_now().await;
            }
            Ok(7)
        };
        let done = watched(EVERY, work, |took| {
            let told = Arc::clone(&told);
            Box::pin(async move {
                assert_eq!(took, EVERY * (told.fetch_add(1, Ordering::Relaxed) + 1));
                Ok(())
            })
        });
        assert_eq!(done.await, Ok(7));
        assert_eq!(told.load(Ordering::Relaxed), 20);
    }

    #[tokio::test]
    async fn work_that_can_never_end_is_given_up() {
        let work = std::future::pending::<Result<(), _>>();
        let done = watched(EVERY, work, |_| Box::pin(async { Err(StoreError::Contended) }));
        assert_eq!(done.await, Err(StoreError::Contended));
    }
}
