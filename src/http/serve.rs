//! The accept loop of both listeners. The loop bounds the number of connections and the size of request heads, and a
//! shutdown must still answer the requests in flight.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt;

use super::peer::SocketAddress;
use super::router;
use super::state::{AppState, Limits, Listeners};
use crate::app::App;

/// Maximum size of a request's head (URL and headers together), in bytes. hyper answers 431 to a larger head, before
/// any layer of ours runs.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Pause after a connection could not be accepted. The usual cause is a lack of file descriptors, which an immediate
/// retry would meet again.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves both listeners until `shutdown` completes, then answers the requests in flight, for at most
/// `limits.drain_within`.
pub async fn serve(app: Arc<App>, listeners: Listeners, limits: Limits, shutdown: impl Future<Output = ()>) {
    let state = AppState::new(app, limits);
    let (stop, stopped) = watch::channel(());
    let public = listen(listeners.public, router::public(&state), limits, stopped.clone());
    let admin = async {
        if let Some(listener) = listeners.admin {
            listen(listener, router::operators(&state), limits, stopped).await;
        }
    };
    tokio::join!(public, admin, async {
        shutdown.await;
        drop(stop);
    });
}

async fn listen(listener: TcpListener, router: Router, limits: Limits, mut stopped: watch::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    let (cut_off, drained) = watch::channel(());
    loop {
        let accepted = tokio::select! {
            _ = stopped.changed() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, address, slot)) = accepted else { continue };
        let connection = graceful.watch(connection(stream, address, router.clone(), limits));
        let mut drained = drained.clone();
        tokio::spawn(async move {
            tokio::select! {
                result = connection => if let Err(error) = result {
                    tracing::debug!(%error, "connection closed early");
                },
                _ = drained.changed() => {}
            }
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_within, graceful.shutdown()).await.is_err() {
        tracing::warn!(drain_within = ?limits.drain_within, "closing connections that did not finish during shutdown");
    }
    drop(cut_off);
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => Some((stream, address, slot)),
        Err(error) => {
            tracing::warn!(%error, "could not accept a connection");
            tokio::time::sleep(ACCEPT_RETRY).await;
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
        tracing::debug!(%error, "could not set TCP_NODELAY");
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
