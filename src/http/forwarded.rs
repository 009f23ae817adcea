//! The layer that limits the requests in flight of one caller behind a trusted proxy. A caller without a proxy is
//! limited by its number of connections instead, and never counted here.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::middleware::Next;
use axum::response::IntoResponse;

use super::error::Problem;
use super::held::Held;
use super::peer::{Peer, SocketAddress};
use super::state::AppState;

/// Layer that answers 503 if the caller behind a trusted proxy already has its share of the requests in flight.
pub(super) async fn share(State(state): State<AppState>, request: Request, next: Next) -> Response<Body> {
    let caller = request.extensions().get::<Peer>().map(|peer| peer.0);
    // A caller without a trusted proxy is limited by its number of connections.
    let Some(caller) = caller.filter(|caller| *caller != SocketAddress::of(request.extensions()).to_canonical()) else {
        return next.run(request).await;
    };
    match state.forwarded.enter(caller) {
        Some(forwarded) => next.run(request).await.map(|body| Body::new(Held::new(body, forwarded))),
        None => Problem::unavailable("the caller's address has its full share of the requests").into_response(),
    }
}
