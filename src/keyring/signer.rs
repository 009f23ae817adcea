//! Thread pool for signing tokens, separate from the async threads, so that many RSA signatures never delay other
//! requests. Builds take turns, and no work is done for a caller who is gone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::fair_queue::FairQueue;
use crate::base::{BuildId, Clock};
use crate::store::InFlight;

/// Stack size of each thread, which suffices for the deepest rule expression that a policy may contain.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Maximum share of the queue that one build or subject may take.
const SHARE_OF_KEY: usize = 8;

/// Error returned when the pool does not complete a signing task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The queue of signing tasks is full, or the task waited in it for too long.
    #[error("the signing queue is full; retry later")]
    Busy,
    /// The signing task panicked.
    #[error("a signing task panicked")]
    Panicked,
    /// The threads of the pool cannot be started.
    #[error("could not start the signing threads: {0}")]
    Threads(String),
}

/// Whose work a signing task is. The pool serves builds and subjects in turn.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WorkOf {
    /// Work for a build that this server knows.
    Build(BuildId),
    /// Work for the subject of a verified token.
    Subject {
        /// Name of the provider that accepted the token.
        provider: String,
        /// The token's `sub`.
        subject: String,
    },
}

impl WorkOf {
    /// Returns the key of the work for the subject of a verified token.
    #[must_use]
    pub fn subject(provider: &str, subject: Option<&str>) -> Self {
        Self::Subject { provider: provider.to_owned(), subject: subject.unwrap_or_default().to_owned() }
    }
}

/// Bounds of the queue in front of a signing pool.
#[derive(Debug, Clone, Copy)]
pub struct QueueLimits {
    /// Maximum number of signing tasks that wait.
    pub tasks: usize,
    /// Time after which a waiting task is dropped, since its caller has given up.
    pub wait: Duration,
}

/// Thread pool for signing tasks, which evaluate rules, render claims and sign tokens.
pub struct SigningPool {
    threads: rayon::ThreadPool,
    queue: Arc<TaskQueue>,
    pending: InFlight,
}

impl SigningPool {
    /// Starts the threads of the pool. `pending` counts the signing tasks that wait or run.
    ///
    /// # Errors
    /// [`SigningError::Threads`].
    pub fn new(
        threads: usize,
        limits: QueueLimits,
        pending: InFlight,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SigningError> {
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .stack_size(STACK_BYTES)
            .thread_name(|index| format!("sign-{index}"))
            .build()
            .map_err(|error| SigningError::Threads(error.to_string()))?;
        let tasks = FairQueue::new(limits.tasks, limits.tasks.div_ceil(SHARE_OF_KEY));
        let queue = Arc::new(TaskQueue { tasks: Mutex::new(tasks), wait: limits.wait, clock });
        Ok(Self { threads, queue, pending })
    }

    /// Returns the number of signing tasks that wait or run.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending.count()
    }

    /// Runs `work` as a signing task on the pool, when it is the turn of `key`. A task that has begun completes even if
    /// the returned future is dropped; a task that waits is dropped with the future.
    ///
    /// # Errors
    /// [`SigningError::Busy`], [`SigningError::Panicked`].
    pub async fn run<T: Send + 'static>(
        &self,
        key: WorkOf,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SigningError> {
        let counted = self.pending.enter();
        let (reply, answer) = oneshot::channel();
        let caller = Arc::new(());
        let task = Task {
            caller: Arc::downgrade(&caller),
            queued_at: self.queue.clock.monotonic(),
            work: Box::new(move || {
                let done = catch_unwind(AssertUnwindSafe(work)).map_err(|_| SigningError::Panicked);
                // The finished task is uncounted before the answer, so that the store's writer does not wait for it.
                drop(counted);
                let _ = reply.send(done);
            }),
        };
        if !self.queue.push(&key, task) {
            return Err(SigningError::Busy);
        }
        let queue = Arc::clone(&self.queue);
        // One call for each task. Calls for tasks that were dropped find nothing to do.
        self.threads.spawn_fifo(move || queue.run_next());
        let answer = answer.await;
        drop(caller);
        answer.map_err(|_| SigningError::Busy)?
    }
}

/// A signing task that waits.
struct Task {
    caller: Weak<()>,
    queued_at: Duration,
    work: Box<dyn FnOnce() + Send>,
}

struct TaskQueue {
    tasks: Mutex<FairQueue<WorkOf, Task>>,
    wait: Duration,
    clock: Arc<dyn Clock>,
}

impl TaskQueue {
    /// Adds a task, and drops tasks that nobody waits for to make room. Returns whether there was room.
    fn push(&self, key: &WorkOf, task: Task) -> bool {
        let mut tasks = self.lock();
        if tasks.is_full_for(key) {
            let now = self.clock.monotonic();
            tasks.retain(|task| self.is_wanted(task, now));
        }
        tasks.push(key, task)
    }

    /// Runs the next task that a caller still waits for.
    fn run_next(&self) {
        while let Some(task) = self.next() {
            if self.is_wanted(&task, self.clock.monotonic()) {
                (task.work)();
                return;
            }
        }
    }

    fn next(&self) -> Option<Task> {
        self.lock().pop()
    }

    fn is_wanted(&self, task: &Task, now: Duration) -> bool {
        task.caller.strong_count() > 0 && now.saturating_sub(task.queued_at) <= self.wait
    }

    /// Locks the queue. Ignores poisoning, since no change under the lock can stop half-way.
    fn lock(&self) -> MutexGuard<'_, FairQueue<WorkOf, Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
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

    /// Starts a task and waits until it stands in the queue.
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
}
