//! The body of a request, which records whenever a handler waits for more of the body. Never changes the body.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};

use super::activity::Activity;

/// A request's body that records in its connection's activity when a handler waits for more.
pub(super) struct Awaited {
    body: Incoming,
    activity: Arc<Activity>,
}

impl Awaited {
    /// Wraps a request's body, so that `activity` shows whether the handler waits for more of the body. An empty body is
    /// returned as it is.
    pub(super) fn watch(body: Incoming, activity: &Arc<Activity>) -> Body {
        if body.is_end_stream() { Body::empty() } else { Body::new(Self { body, activity: Arc::clone(activity) }) }
    }
}

impl HttpBody for Awaited {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // Recorded before the poll, so that a connection that is asked to end during the poll knows that its handler
        // waits.
        self.activity.await_body(true);
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.activity.await_body(frame.is_pending());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.activity.await_body(false);
    }
}
