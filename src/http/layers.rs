//! The layers around every route. The layers determine request id and caller's address, enforce limits, write the body
//! of a problem, and have each request logged.

use std::any::Any;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_request};
use axum::response::IntoResponse;
use tower_http::catch_panic::CatchPanicLayer;

use super::error::{Code, Noted, Problem};
use super::forwarded;
use super::log::{LogLine, method_name};
use super::peer::{Peer, SocketAddress, peer};
use super::state::AppState;
use super::unread::drain_rest;
use crate::base::RequestId;

/// Maximum size of a request target (path and query), in bytes.
const MAX_URI_BYTES: usize = 8 * 1024;

/// Maximum size of all header names and values of a request together, in bytes.
const MAX_HEADER_BYTES: usize = 16 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Id of the current request, which handlers read as an extension of the request.
#[derive(Debug, Clone)]
pub(super) struct CurrentRequest(pub(super) String);

/// Wraps the routes in the layers. The layer that is added first is the innermost.
pub(super) fn wrap(router: Router<AppState>, state: &AppState) -> Router<AppState> {
    router
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), limit_time))
        .layer(map_request(drain_rest))
        .layer(from_fn_with_state(state.clone(), forwarded::share))
        .layer(from_fn_with_state(state.clone(), identify))
}

fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    // The panic hook has logged where the panic happened. The panic's text may hold a secret, so it is not logged here.
    Problem::internal("panic in a handler").into_response()
}

async fn limit_time(State(state): State<AppState>, request: Request, next: Next) -> Response<Body> {
    match tokio::time::timeout(state.limits.whole_within, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("the request exceeded its time limit").into_response(),
    }
}

/// Outermost layer: creates the request's id, turns the problem of an inner layer or handler into the answer, and logs
/// the request.
async fn identify(State(state): State<AppState>, mut request: Request, next: Next) -> Response<Body> {
    let started = state.app.clock().monotonic();
    let Ok(id) = RequestId::new(state.app.clock().now(), state.app.entropy()) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let id = id.to_string();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let peer = caller(&state, &request);
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(CurrentRequest(id.clone()));

    let mut response = match oversize(&request) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = &problem {
        let allow = response.headers_mut().remove(header::ALLOW);
        response = problem.render(state.app.issuer().paths(), &id);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        if method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
    }
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }

    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status();
    state.app.issuer().metrics().answered(status.as_u16());
    let took = state.app.clock().monotonic().saturating_sub(started);
    let line = LogLine { method: method_name(&method), route, status, micros: took.as_micros(), id: &id, peer: peer.0 };
    let noted = response.extensions_mut().remove::<Noted>();
    let noted = problem.map(Noted::from).or(noted);
    if let Some(noted) = &noted {
        state.app.issuer().metrics().refused(noted.code);
    }
    state.log.log(&line, noted.as_ref(), started.saturating_add(took));
    response
}

fn caller(state: &AppState, request: &Request) -> Peer {
    peer(SocketAddress::of(request.extensions()), request.headers(), |address| state.app.is_trusted_proxy(address))
}

fn oversize(request: &Request) -> Option<Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_URI_BYTES {
        return Some(Problem::new(Code::UriTooLong, format!("the request target is over {MAX_URI_BYTES} bytes")));
    }
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers > MAX_HEADER_BYTES {
        return Some(Problem::new(Code::InvalidRequest, format!("headers: over {MAX_HEADER_BYTES} bytes in all")));
    }
    None
}
