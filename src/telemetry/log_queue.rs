//! Queue of log lines between the code that logs and the thread that writes standard error. Enqueueing never waits: a
//! full disk or a pipe that nobody reads costs log lines, and must never cost an answer.
//!
//! Written here and not taken from `tracing-appender`, whose queue has no bound in bytes, does not count lines that
//! standard error refuses, and prints on standard output when the process ends while standard error is stuck.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Maximum number of lines that wait to be written.
const MAX_LINES: usize = 2_048;

/// Maximum total size of the lines that wait to be written, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Writer that puts each log line into the queue.
#[derive(Clone)]
pub(super) struct LogQueue {
    lines: SyncSender<Vec<u8>>,
    counts: Arc<Counts>,
}

/// Counter of the log lines that were dropped. Can be read even while standard error is stuck.
#[derive(Debug, Clone)]
pub(crate) struct DroppedLines(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    now: Mutex<Count>,
    written: Condvar,
}

#[derive(Debug, Default)]
struct Count {
    waiting_bytes: usize,
    dropped: u64,
}

impl LogQueue {
    /// Starts the thread that writes the lines to `output`. `notice` returns the line that says how many lines were
    /// dropped. This line is written after the first line that `output` accepts again.
    ///
    /// # Errors
    /// The reason if the thread cannot be started.
    pub(super) fn start(
        output: impl Write + Send + 'static,
        notice: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Self> {
        let (lines, queued) = sync_channel(MAX_LINES);
        let counts = Arc::new(Counts::default());
        let writer = Writing { output, notice, counts: Arc::clone(&counts), reported: 0 };
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(&queued))?;
        Ok(Self { lines, counts })
    }

    pub(super) fn dropped(&self) -> DroppedLines {
        DroppedLines(Arc::clone(&self.counts))
    }

    /// Puts a line into the queue, or drops and counts it if the queue is full.
    pub(super) fn enqueue(&self, line: &[u8]) {
        let mut count = self.counts.lock();
        let waiting = count.waiting_bytes.saturating_add(line.len());
        if waiting <= MAX_BYTES && self.lines.try_send(line.to_vec()).is_ok() {
            count.waiting_bytes = waiting;
        } else {
            count.dropped += 1;
        }
    }

    /// Waits until every line is written, but no longer than `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let waiting = |count: &mut Count| count.waiting_bytes > 0;
        let _stuck = self.counts.written.wait_timeout_while(self.counts.lock(), limit, waiting);
    }
}

impl DroppedLines {
    pub(crate) fn count(&self) -> u64 {
        self.0.lock().dropped
    }
}

impl Counts {
    /// Locks the counts. Ignores poisoning, since no change under the lock can stop half-way.
    fn lock(&self) -> MutexGuard<'_, Count> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `tracing-subscriber` writes each line with one call.
impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.enqueue(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogQueue {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// State of the thread that writes.
struct Writing<W, N> {
    output: W,
    notice: N,
    counts: Arc<Counts>,
    /// Number of dropped lines that notices have reported.
    reported: u64,
}

impl<W: Write, N: Fn(u64) -> String> Writing<W, N> {
    fn run(mut self, queued: &Receiver<Vec<u8>>) {
        while let Ok(line) = queued.recv() {
            let taken = self.output.write_all(&line).and_then(|()| self.output.flush()).is_ok();
            if taken {
                self.report();
            }
            let mut count = self.counts.lock();
            count.dropped += u64::from(!taken);
            count.waiting_bytes = count.waiting_bytes.saturating_sub(line.len());
            if count.waiting_bytes == 0 {
                self.counts.written.notify_all();
            }
        }
    }

    fn report(&mut self) {
        let dropped = self.counts.lock().dropped;
        let notice = match dropped - self.reported {
            0 => return,
            new => (self.notice)(new),
        };
        if self.output.write_all(notice.as_bytes()).is_ok() {
            self.reported = dropped;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Sender};

    use super::*;

    /// Output that blocks until the test lets a line through, and passes the line on.
    struct Gate {
        opened: Receiver<bool>,
        seen: Sender<String>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.opened.recv().unwrap_or(true) {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            let _nobody = self.seen.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gated() -> (LogQueue, Sender<bool>, Receiver<String>) {
        let (open, opened) = mpsc::channel();
        let (seen, lines) = mpsc::channel();
        let queue = LogQueue::start(Gate { opened, seen }, |count| format!("dropped {count}\n")).unwrap();
        (queue, open, lines)
    }

    #[test]
    fn a_stuck_output_costs_lines_and_never_a_wait() {
        let (queue, open, lines) = gated();
        for n in 0..2 * MAX_LINES {
            queue.enqueue(format!("line {n}\n").as_bytes());
        }
        let dropped = queue.dropped().count();
        // The thread may have taken one line out of the queue.
        assert!((MAX_LINES as u64 - 1..=MAX_LINES as u64).contains(&dropped), "{dropped}");
        queue.flush(Duration::from_millis(10));
        drop(open);
        queue.flush(Duration::from_secs(60));
        let written: Vec<String> = lines.try_iter().collect();
        assert_eq!(written.len(), 2 * MAX_LINES - usize::try_from(dropped).unwrap() + 1);
        assert_eq!(written[..2], ["line 0\n".to_owned(), format!("dropped {dropped}\n")]);
        assert!(written[2..].iter().all(|line| line.starts_with("line ")), "reported once");
    }

    #[test]
    fn the_lines_that_wait_have_a_bound_in_bytes() {
        let (queue, _open, _lines) = gated();
        let line = vec![b'a'; MAX_BYTES / 4];
        (0..10).for_each(|_| queue.enqueue(&line));
        assert_eq!(queue.dropped().count(), 6);
        queue.enqueue(&vec![b'a'; MAX_BYTES + 1]);
        assert_eq!(queue.dropped().count(), 7);
    }

    #[test]
    fn a_line_that_a_full_disk_refuses_is_counted() {
        let (queue, open, lines) = gated();
        for line in ["lost\n", "kept\n"] {
            queue.enqueue(line.as_bytes());
        }
        open.send(false).unwrap();
        drop(open);
        queue.flush(Duration::from_secs(60));
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["kept\n", "dropped 1\n"]);
        assert_eq!(queue.dropped().count(), 1);
    }
}
