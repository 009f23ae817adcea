//! Bodies that no handler reads to their end. An answer may be sent before the body has arrived. Closing the connection
//! at that moment would reset it, and the client would lose the answer. The rest of the body is therefore read in the
//! background, within limits of bytes and time, and must never be kept.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::runtime::Handle;

/// Maximum size of the rest of a body that is read and dropped, in bytes.
const MOST: usize = 1024 * 1024;

/// Time within which the rest of a body must arrive.
const WITHIN: Duration = Duration::from_secs(1);

/// Body whose rest is read and dropped if the handler drops the body before the end.
struct Drained {
    body: Option<Body>,
    /// Whether the client waits for a `100 Continue` before it sends the body (`Expect: 100-continue`).
    waits: bool,
}

/// Replaces the body of a request by a body whose rest is read and dropped.
pub(super) async fn drain_rest(request: Request) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    let waits = request.headers().contains_key(header::EXPECT);
    request.map(|body| Body::new(Drained { body: Some(body), waits }))
}

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.waits = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        if self.waits || body.is_end_stream() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(tokio::time::timeout(WITHIN, drain(body)));
        }
    }
}

async fn drain(mut body: Body) {
    let mut size = 0;
    while let Some(Ok(frame)) = body.frame().await {
        size += frame.data_ref().map_or(0, Bytes::len);
        if size > MOST {
            return;
        }
    }
}
