//! The accept loops of both listeners, and the shutdown. A shutdown loses no request: readiness fails first, the
//! listeners go on for `drain_delay`, and the requests in flight are answered.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::serve_connection;
use super::places::{Denied, Place, Places};
use super::router;
use super::state::{AppState, Limits, Listeners};
use crate::app::App;

/// Number of connections that may wait to be accepted. The kernel's own limit (`net.core.somaxconn`) may be lower.
const BACKLOG: u32 = 1024;

/// Bytes that the kernel buffers for a connection in each direction. The kernel's own bookkeeping takes as much again.
const SOCKET_BUFFER: u32 = 32 * 1024;

/// Maximum number of connections of the admin listener. `max_connections` does not include them, so that operators and
/// probes get an answer while the public listener is full.
pub(crate) const ADMIN_CONNECTIONS: usize = 64;

/// Pause after a connection could not be accepted. The usual cause is a lack of file descriptors, which an immediate
/// retry would meet again.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Maximum time that an accepted connection waits for another one to close. Later connections wait in the backlog.
const PLACE_WITHIN: Duration = Duration::from_secs(10);

/// Minimum interval between log lines that say that connections were refused.
const LOG_AGAIN: Duration = Duration::from_secs(10);

/// Listens on `address`.
///
/// # Errors
/// The operating system's error, for example that the address is in use.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted server can listen on its port although connections of the process before it still end.
    socket.set_reuseaddr(true)?;
    // Connections inherit both sizes. By default the kernel would buffer megabytes of requests, and as much of answers.
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    socket.set_send_buffer_size(SOCKET_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves both listeners until `shutdown` completes. From then on, readiness fails and each answer closes its
/// connection. The listeners accept connections for another `limits.drain_delay`. After that, open connections have
/// `limits.drain_within` to finish.
pub async fn serve(app: Arc<App>, listeners: Listeners, limits: Limits, shutdown: impl Future<Output = ()>) {
    let state = AppState::new(app, limits);
    let (stop, stopped) = watch::channel(());
    let places = Places::new(limits.max_connections, limits.per_address);
    let public = BoundedListener { name: "public", places, router: router::public(&state), state: state.clone() };
    let public = public.serve(listeners.public, stopped.clone());
    let admin = async {
        if let Some(listener) = listeners.admin {
            let places = Places::new(ADMIN_CONNECTIONS, ADMIN_CONNECTIONS);
            let admin =
                BoundedListener { name: "admin", places, router: router::operators(&state), state: state.clone() };
            admin.serve(listener, stopped).await;
        }
    };
    tokio::join!(public, admin, async {
        shutdown.await;
        state.leave();
        if !limits.drain_delay.is_zero() {
            let drain_delay = limits.drain_delay;
            tracing::info!(?drain_delay, "shutting down: readiness fails, and requests are served during drain_delay");
        }
        tokio::time::sleep(limits.drain_delay).await;
        drop(stop);
    });
}

/// A listener's routes, and the limit of its connections.
struct BoundedListener {
    name: &'static str,
    places: Arc<Places>,
    router: Router,
    state: AppState,
}

impl BoundedListener {
    async fn serve(self, listener: TcpListener, mut stopped: watch::Receiver<()>) {
        let (cut_off, drained) = watch::channel(());
        let mut refusals = Refusals { name: self.name, logged_at: None, count: 0 };
        loop {
            let found = tokio::select! {
                _ = stopped.changed() => break,
                found = self.accept(&listener, &mut refusals) => found,
            };
            let Some((stream, address, place)) = found else { continue };
            self.start(stream, address, place, drained.clone());
        }
        self.take_waiting(listener, &drained).await;
        self.places.end_all();
        let within = self.state.limits.drain_within;
        if tokio::time::timeout(within, self.places.emptied()).await.is_err() {
            let open = self.places.taken();
            tracing::warn!(drain_timeout = ?within, open, "closing connections that did not finish during shutdown");
        }
        drop(cut_off);
    }

    /// Serves a connection in a separate task, until it ends or the time for shutting down is over.
    fn start(&self, stream: TcpStream, address: SocketAddr, place: Place, mut drained: watch::Receiver<()>) {
        self.count();
        let connection = serve_connection(stream, address.ip(), place, self.router.clone(), self.state.clone());
        let (places, state, name) = (Arc::clone(&self.places), self.state.clone(), self.name);
        tokio::spawn(async move {
            tokio::select! {
                () = connection => {}
                _ = drained.changed() => {}
            }
            state.app.issuer().metrics().connections(name, places.taken());
        });
    }

    /// Ends the listener and serves the connections that wait to be accepted. Their clients are already connected, and
    /// would otherwise lose their requests.
    async fn take_waiting(&self, listener: TcpListener, drained: &watch::Receiver<()>) {
        let Ok(listener) = listener.into_std() else { return };
        for _ in 0..BACKLOG {
            let Ok((stream, address)) = listener.accept() else { return };
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            let is_trusted = self.state.app.is_trusted_proxy(address.ip());
            if let Ok(stream) = stream
                && let Ok(place) = self.places.find(address.ip(), is_trusted, Duration::ZERO).await
            {
                self.start(stream, address, place, drained.clone());
            }
        }
    }

    fn count(&self) {
        self.state.app.issuer().metrics().connections(self.name, self.places.taken());
    }

    async fn accept(&self, listener: &TcpListener, refusals: &mut Refusals) -> Option<(TcpStream, SocketAddr, Place)> {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, listener = self.name, "could not accept a connection");
                self.places.evict(None);
                tokio::time::sleep(ACCEPT_RETRY).await;
                return None;
            }
        };
        let is_trusted = self.state.app.is_trusted_proxy(address.ip());
        match self.places.find(address.ip(), is_trusted, PLACE_WITHIN).await {
            Ok(place) => Some((stream, address, place)),
            Err(denied) => {
                self.state.app.issuer().metrics().connection_ended(denied.name());
                refusals.note(denied, address);
                None
            }
        }
    }
}

/// Number of connections that were refused since the last log line.
struct Refusals {
    name: &'static str,
    logged_at: Option<Instant>,
    count: u64,
}

impl Refusals {
    fn note(&mut self, denied: Denied, address: SocketAddr) {
        self.count += 1;
        if self.logged_at.is_some_and(|at| at.elapsed() < LOG_AGAIN) {
            return;
        }
        tracing::warn!(
            listener = self.name,
            count = self.count,
            reason = denied.name(),
            peer = %address.ip(),
            "refused connections; see server.max_connections and server.connections_per_address"
        );
        (self.logged_at, self.count) = (Some(Instant::now()), 0);
    }
}
