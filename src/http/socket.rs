//! A connection's socket with its deadlines: for the next request, for the rest of a head, and for receiving an answer.
//! Never looks into the bytes.
//!
//! hyper's own time-out of a head is not used: it counts the idle time between two requests, and does not run while an
//! answer waits to be written.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::activity::{Activity, Ending, Phase};
use super::places::SAFE_FOR;
use super::state::Limits;

/// Why a socket ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    KeepAlive,
    Head,
    Write,
    Asked,
}

impl Expired {
    /// Returns the reason's name in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep_alive",
            Self::Head => "head",
            Self::Write => "write",
            Self::Asked => "asked",
        }
    }
}

/// A socket with deadlines. When a read's deadline passes, the stream ends as if the peer had hung up; a write's
/// deadline is an error.
pub(super) struct TimedSocket<S> {
    stream: S,
    activity: Arc<Activity>,
    limits: Limits,
    on_expiry: Box<dyn FnMut(Expired) + Send>,
    reads: Timer,
    writes: Timer,
    /// When the first byte of the current head arrived.
    head_began: Option<Instant>,
    /// When the peer stopped receiving; `None` if no bytes wait, or the peer has just received some.
    moved: Option<Instant>,
    /// When bytes first had to wait to be written, since the last flush.
    waits_since: Option<Instant>,
    /// Whether something was written since the last flush.
    is_dirty: bool,
}

impl<S> TimedSocket<S> {
    pub(super) fn new(
        stream: S,
        activity: Arc<Activity>,
        limits: Limits,
        on_expiry: impl FnMut(Expired) + Send + 'static,
    ) -> Self {
        Self {
            stream,
            activity,
            limits,
            on_expiry: Box::new(on_expiry),
            reads: Timer(None),
            writes: Timer(None),
            head_began: None,
            moved: None,
            waits_since: None,
            is_dirty: false,
        }
    }

    /// Ends the connection if it was asked to end, or if its deadline has passed. Called when nothing can be read.
    fn check_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.activity.watched_by(cx.waker());
        let ending = self.activity.ending();
        let (deadline, reason) = match self.activity.phase() {
            // A client that has just connected may have sent its first request already.
            Phase::Idle if ending == Ending::Politely && self.activity.requests() == 0 => {
                (self.activity.quiet_since() + SAFE_FOR, Expired::Asked)
            }
            Phase::Idle if ending != Ending::None => return self.expire(Expired::Asked),
            Phase::Head if ending == Ending::Evicted => return self.expire(Expired::Asked),
            Phase::Request if ending == Ending::Evicted && self.activity.awaits_body() => {
                return self.expire(Expired::Asked);
            }
            Phase::Idle => (self.activity.quiet_since() + self.limits.keep_alive, Expired::KeepAlive),
            Phase::Head => {
                let began = *self.head_began.get_or_insert_with(Instant::now);
                (began + self.limits.head_within, Expired::Head)
            }
            Phase::Request | Phase::Answered => return Poll::Pending,
        };
        ready!(self.reads.poll_until(deadline, cx));
        self.expire(reason)
    }

    /// Ends the stream as if the peer had hung up, so that hyper closes the connection properly.
    fn expire(&mut self, reason: Expired) -> Poll<io::Result<()>> {
        (self.on_expiry)(reason);
        Poll::Ready(Ok(()))
    }

    /// Checks the two deadlines of a write: for the next bytes that the peer receives, and for the whole answer.
    fn check_write(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.is_dirty = true;
        if written.is_ready() {
            if self.moved.take().is_some() {
                self.activity.moved();
            }
            return written;
        }
        self.activity.watched_by(cx.waker());
        let now = Instant::now();
        let waits_since = *self.waits_since.get_or_insert(now);
        if self.moved.is_none() {
            self.activity.stalled();
        }
        let moved = *self.moved.get_or_insert(now);
        if self.activity.ending() == Ending::Evicted {
            (self.on_expiry)(Expired::Asked);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let deadline = (moved + self.limits.write_within).min(waits_since + self.limits.whole_within);
        ready!(self.writes.poll_until(deadline, cx));
        (self.on_expiry)(Expired::Write);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedSocket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.activity.phase() == Phase::Answered && !this.is_dirty {
            this.activity.flushed();
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        match read {
            Poll::Pending => this.check_wait(cx),
            Poll::Ready(Ok(())) if buffer.filled().len() > before && this.activity.phase() == Phase::Idle => {
                this.head_began = Some(Instant::now());
                this.activity.head_began();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(result) => Poll::Ready(result),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedSocket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.check_write(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.check_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
        // hyper flushes only after every byte was written.
        (this.is_dirty, this.moved, this.waits_since) = (false, None, None);
        this.activity.flushed();
        // hyper may have read ahead during the request. It then reads again only when woken, so that the time for
        // keep-alive would never run without this timer.
        if this.activity.phase() == Phase::Idle {
            let _woken_then = this.reads.poll_until(this.activity.quiet_since() + this.limits.keep_alive, cx);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// A timer that is reset only for an earlier deadline: a later deadline is checked when the timer runs out. A busy
/// connection thus sets its timer once per keep-alive time instead of once per request.
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Completes when `deadline` has passed.
    fn poll_until(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn limits() -> Limits {
        Limits {
            keep_alive: Duration::from_millis(750),
            head_within: Duration::from_millis(100),
            write_within: Duration::from_millis(100),
            whole_within: Duration::from_millis(300),
            ..Limits::of(1)
        }
    }

    /// Checks that a wait takes as long as its deadline. The timer counts whole milliseconds.
    fn took(begun: Instant, millis: u64) {
        let took = begun.elapsed();
        let deadline = Duration::from_millis(millis);
        assert!(took >= deadline && took <= deadline + Duration::from_millis(1), "{took:?}");
    }

    fn socket() -> (TimedSocket<tokio::io::DuplexStream>, tokio::io::DuplexStream, Arc<Activity>) {
        let (ours, theirs) = tokio::io::duplex(64);
        let activity = Activity::begin();
        (TimedSocket::new(ours, Arc::clone(&activity), limits(), |_| {}), theirs, activity)
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_without_a_request_ends_after_the_time_for_keep_alive() {
        let (mut socket, _peer, _) = socket();
        let begun = Instant::now();
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
        took(begun, 750);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_for_a_head_starts_with_its_first_byte_and_no_byte_prolongs_it() {
        let (mut socket, mut peer, _) = socket();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let begun = Instant::now();
        tokio::spawn(async move {
            while peer.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        while socket.read(&mut [0; 8]).await.unwrap() > 0 {}
        took(begun, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_flight_has_no_deadline_here_and_idle_time_counts_from_its_end() {
        let (mut socket, mut peer, activity) = socket();
        peer.write_all(b"head").await.unwrap();
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 4);
        let request = activity.request_began();
        let waited = tokio::time::timeout(Duration::from_millis(1500), socket.read(&mut [0; 8])).await;
        assert!(waited.is_err(), "a request that is handled is not the socket's to end");
        drop(request);
        socket.write_all(b"answer").await.unwrap();
        socket.flush().await.unwrap();
        let begun = Instant::now();
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
        took(begun, 750);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_for_keep_alive_runs_although_the_last_read_came_before_the_answer() {
        let (mut socket, mut peer, activity) = socket();
        peer.write_all(b"head").await.unwrap();
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 4);
        let mut request = Some(activity.request_began());
        let begun = Instant::now();
        let ended = std::future::poll_fn(|cx| {
            let mut bytes = [0; 8];
            let read = Pin::new(&mut socket).poll_read(cx, &mut ReadBuf::new(&mut bytes));
            if request.take().is_some() {
                assert!(read.is_pending() && Pin::new(&mut socket).poll_flush(cx).is_ready());
            }
            read
        });
        tokio::time::timeout(Duration::from_secs(5), ended).await.expect("a wake-up").unwrap();
        took(begun, 750);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_ends_the_connection() {
        let (mut socket, _peer, _) = socket();
        let begun = Instant::now();
        assert_eq!(socket.write_all(&[0; 1000]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        took(begun, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_byte_now_and_then_has_the_time_of_a_request() {
        let (mut socket, mut peer, _) = socket();
        let begun = Instant::now();
        tokio::spawn(async move {
            while peer.read(&mut [0; 1]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        });
        assert_eq!(socket.write_all(&[0; 1000]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        took(begun, 300);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_socket_that_is_asked_to_end_reads_what_is_there_first() {
        let (mut socket, mut peer, activity) = socket();
        peer.write_all(b"head").await.unwrap();
        activity.end(Ending::Politely);
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 4, "a request that had arrived is not lost");
        peer.write_all(b"more").await.unwrap();
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 4, "nor one whose head has begun");
        drop(activity.request_began());
        socket.flush().await.unwrap();
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_sent_body_ends_for_another_connection_and_a_request_that_is_handled_does_not() {
        let (mut socket, mut peer, activity) = socket();
        peer.write_all(b"head").await.unwrap();
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 4);
        let _request = activity.request_began();
        activity.end(Ending::Evicted);
        let waited = tokio::time::timeout(Duration::from_millis(100), socket.read(&mut [0; 8])).await;
        assert!(waited.is_err(), "the server's turn");
        activity.await_body(true);
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0, "the peer's turn");
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_sent_head_ends_for_another_connection() {
        let (mut socket, mut peer, activity) = socket();
        peer.write_all(b"head").await.unwrap();
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 4);
        activity.end(Ending::Evicted);
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
    }
}
