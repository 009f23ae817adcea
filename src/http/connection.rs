//! Serves one connection from its first byte to its last. Before the server ends a connection because of its age, its
//! number of requests or a shutdown, the last answer must say `Connection: close`.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::activity::{Activity, Ending, RequestInFlight};
use super::awaited::Awaited;
use super::held::Held;
use super::peer::SocketAddress;
use super::places::{Place, Places};
use super::socket::TimedSocket;
use super::state::AppState;

/// Maximum size of a request's head (URL and headers together), in bytes. hyper answers 431 to a larger head, before
/// any layer of ours runs.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Serves the connection until it ends. Then the next connection may take its place.
pub(super) async fn serve_connection(
    stream: TcpStream,
    address: IpAddr,
    place: Place,
    router: Router,
    state: AppState,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
    let end = LastAnswer { activity: Arc::clone(place.activity()), places: Arc::clone(place.places()), state };
    let (limits, activity) = (end.state.limits, Arc::clone(place.activity()));
    let app = Arc::clone(&end.state.app);
    let socket =
        TimedSocket::new(stream, activity, limits, move |why| app.issuer().metrics().connection_ended(why.name()));
    let end = Arc::new(end);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let is_pipelined = end.activity.is_pipelined();
        let in_flight = end.activity.request_began();
        let mut request = request.map(|body| Awaited::watch(body, &end.activity));
        request.extensions_mut().insert(SocketAddress(address));
        let turns = is_pipelined.then(|| Arc::clone(&end.state.pipelined));
        let answer = answer(router.clone(), request, in_flight, Arc::clone(&end));
        async move {
            // Pipelined requests wait for a turn. Otherwise hyper would answer many of them before the runtime serves
            // another connection.
            if let Some(turns) = turns {
                let _turn = turns.acquire().await;
                tokio::task::yield_now().await;
            }
            answer.await
        }
    });
    let connection = http1::Builder::new().max_buf_size(MAX_HEAD_BYTES).serve_connection(TokioIo::new(socket), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection closed early");
    }
    drop(place);
}

async fn answer(
    router: Router,
    request: Request<Body>,
    in_flight: RequestInFlight,
    end: Arc<LastAnswer>,
) -> Result<Response<Held<RequestInFlight>>, Infallible> {
    let mut response = router.oneshot(request).await?;
    if end.is_due() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| Held::new(body, in_flight)))
}

/// Decides whether an answer is the last one of its connection.
struct LastAnswer {
    activity: Arc<Activity>,
    places: Arc<Places>,
    state: AppState,
}

impl LastAnswer {
    fn is_due(&self) -> bool {
        let Self { activity, places, state } = self;
        state.is_leaving()
            || activity.ending() != Ending::None
            || places.are_scarce()
            || activity.requests() >= state.limits.max_requests
            || activity.age() >= state.limits.max_age
    }
}
