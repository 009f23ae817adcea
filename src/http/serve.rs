//! The accept loop: bounded connections, bounded heads, an end that waits for what was accepted.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use super::peer::SocketAddress;
use super::router;
use super::state::{AppState, Limits, Listeners};
use crate::app::App;

/// The most bytes of a request's head, URL and headers together; over that the library answers 431 alone.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Serves until `end` is ready, then waits for what was accepted.
pub async fn serve(app: Arc<App>, listeners: Listeners, limits: Limits, end: impl Future<Output = ()>) {
    let max_age = format!("public, max-age={}", app.jwks_max_age().get());
    let max_age = HeaderValue::from_str(&max_age).unwrap_or(HeaderValue::from_static("no-store"));
    let state = AppState { app, limits, max_age };
    let (stop, stopped) = watch::channel(());
    let public = listen(listeners.public, router::public(&state), limits, stopped.clone());
    let admin = async {
        if let Some(listener) = listeners.admin {
            listen(listener, router::operators(&state), limits, stopped).await;
        }
    };
    tokio::join!(public, admin, async {
        end.await;
        drop(stop);
    });
}

async fn listen(listener: TcpListener, router: Router, limits: Limits, mut stopped: watch::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.max_connections));
    loop {
        let accepted = tokio::select! {
            _ = stopped.changed() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, address, place)) = accepted else { continue };
        let connection = connection(stream, address, router.clone(), limits);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_within, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time and are cut off");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => Some((stream, address, place)),
        Err(error) => {
            // Out of file descriptors, mostly: the next try is not better at once.
            tracing::warn!(%error, "a connection can't be accepted");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

fn connection(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    limits: Limits,
) -> http1::Connection<
    TokioIo<TcpStream>,
    impl hyper::service::HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send>,
> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY can't be set");
    }
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(SocketAddress(address.ip()));
        router.clone().oneshot(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
}
