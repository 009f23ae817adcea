//! Tests of the signing pool: its bounds, whose turn it is, and work that nobody waits for.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use super::*;

/// Clock that stands still until a test moves it.
#[derive(Default)]
struct Still(AtomicU64);

impl Clock for Still {
    fn millis(&self) -> i64 {
        0
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// Time for which a task of these tests may wait.
const WAIT: Duration = Duration::from_secs(30);

fn pool_with_clock(tasks: usize) -> (Arc<SigningPool>, InFlight, Arc<Still>) {
    let (pending, clock) = (InFlight::default(), Arc::new(Still::default()));
    let limits = QueueLimits { tasks, wait: WAIT };
    let pool = SigningPool::new(1, limits, pending.clone(), Arc::<Still>::clone(&clock)).unwrap();
    (Arc::new(pool), pending, clock)
}

fn pool(tasks: usize) -> (Arc<SigningPool>, InFlight) {
    let (pool, pending, _) = pool_with_clock(tasks);
    (pool, pending)
}

fn key(name: &str) -> WorkOf {
    WorkOf::subject(name, None)
}

/// Occupies the only thread of the pool until the returned sender is dropped.
async fn occupied(pool: &Arc<SigningPool>) -> Sender<()> {
    let (release, released) = channel::<()>();
    let (begin, begun) = oneshot::channel();
    let pool = Arc::clone(pool);
    tokio::spawn(async move {
        let work = move || {
            let _ = begin.send(());
            let _ = released.recv();
        };
        pool.run(key("occupied"), work).await
    });
    begun.await.unwrap();
    release
}

/// Starts a task and waits until it is queued.
async fn queued<T: Send + 'static>(
    pool: &Arc<SigningPool>,
    pending: &InFlight,
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> tokio::task::JoinHandle<Result<T, SigningError>> {
    let before = pending.count();
    let (of, key) = (Arc::clone(pool), key(name));
    let task = tokio::spawn(async move { of.run(key, work).await });
    while pending.count() == before {
        tokio::task::yield_now().await;
    }
    task
}

#[tokio::test]
async fn a_panic_is_an_error_and_the_pool_goes_on() {
    let (pool, pending) = pool(10);
    let panicked: Result<(), _> = pool.run(key("a"), || std::panic::panic_any("on purpose")).await;
    assert_eq!(panicked, Err(SigningError::Panicked));
    assert_eq!(pool.run(key("a"), || 1 + 1).await, Ok(2));
    assert_eq!(pending.count(), 0);
}

#[tokio::test]
async fn a_full_queue_refuses_as_busy_and_one_key_cannot_fill_it() {
    let (pool, pending) = pool(8);
    let release = occupied(&pool).await;
    let first = queued(&pool, &pending, "0", || ()).await;
    assert_eq!(pool.run(key("0"), || ()).await, Err(SigningError::Busy), "its share is one of eight");
    let mut others = Vec::new();
    for n in 1..8 {
        others.push(queued(&pool, &pending, &n.to_string(), || ()).await);
    }
    assert_eq!(pool.run(key("8"), || ()).await, Err(SigningError::Busy));
    drop(release);
    for task in others.into_iter().chain([first]) {
        assert_eq!(task.await.unwrap(), Ok(()));
    }
    assert_eq!(pending.count(), 0);
}

#[tokio::test]
async fn work_whose_caller_is_gone_is_never_done_and_makes_room() {
    let (pool, pending) = pool(80);
    let release = occupied(&pool).await;
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        for _ in 0..10 {
            let done = Arc::clone(&done);
            let task = queued(&pool, &pending, "gone", move || done.fetch_add(1, Ordering::Relaxed)).await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    }
    let wanted = queued(&pool, &pending, "gone", || 7).await;
    drop(release);
    assert_eq!(wanted.await.unwrap(), Ok(7));
    assert_eq!((done.load(Ordering::Relaxed), pending.count()), (0, 0));
}

#[tokio::test]
async fn work_that_waited_longer_than_its_caller_would_is_dropped() {
    let (pool, pending, clock) = pool_with_clock(80);
    let release = occupied(&pool).await;
    let late = queued(&pool, &pending, "late", || ()).await;
    clock.0.store(31, Ordering::Relaxed);
    let timely = queued(&pool, &pending, "timely", || ()).await;
    drop(release);
    assert_eq!((late.await.unwrap(), timely.await.unwrap()), (Err(SigningError::Busy), Ok(())));
    assert_eq!(pending.count(), 0);
}

#[tokio::test]
async fn the_work_of_one_build_does_not_delay_another_builds() {
    let (pool, pending) = pool(8_000);
    let release = occupied(&pool).await;
    let done = Arc::new(AtomicUsize::new(0));
    let mut many = Vec::new();
    for _ in 0..200 {
        let done = Arc::clone(&done);
        many.push(queued(&pool, &pending, "many", move || done.fetch_add(1, Ordering::Relaxed)).await);
    }
    let before = Arc::clone(&done);
    let other = queued(&pool, &pending, "other", move || before.load(Ordering::Relaxed)).await;
    drop(release);
    assert_eq!(other.await.unwrap(), Ok(1), "one of the many comes first");
    for task in many {
        task.await.unwrap().unwrap();
    }
}
