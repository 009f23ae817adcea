//! Thread pool for signing tokens, separate from the async threads, so that many RSA signatures never delay other
//! requests. Builds take turns, and no work is done for a caller who has left.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::fair_queue::FairQueue;
use crate::base::{BuildId, Clock};
use crate::store::InFlight;

/// Stack size of each thread, which suffices for the deepest rule expression that a policy may contain.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Divisor of the queue's size. The quotient is the maximum number of waiting tasks of one build or subject.
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

/// Owner of a signing task: a build, or the subject of a token. The pool serves the owners in turn.
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
    /// Returns the owner of a signing task for the subject of a verified token.
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
                // The task stops counting as in flight before its answer is sent, so that the store's group commit does
                // not wait for it.
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
    /// Adds a task to the queue. If there is no room, first drops the tasks whose callers no longer wait. Returns
    /// whether the task was added.
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
#[path = "signer_tests.rs"]
mod tests;
