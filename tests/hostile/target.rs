//! What attackers know of a server: its addresses, and the tokens of a build of their own. Attackers run on a thread of
//! their own and come again as soon as their connection ends.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::client::{connect, connect_narrowly};
use crate::victims::SHARED;

/// A build, as its job and its CI server know it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Build {
    pub(crate) id: String,
    /// Path and query of the request URL.
    pub(crate) pull: String,
    pub(crate) request_token: String,
    pub(crate) worker_token: String,
}

impl Build {
    /// Returns a request for a token of this audience.
    pub(crate) fn pull_request(&self, audience: &str) -> Vec<u8> {
        let joint = if self.pull.contains('?') { '&' } else { '?' };
        format!(
            "GET {}{joint}audience={audience} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
            self.pull, self.request_token
        )
        .into_bytes()
    }
}

/// The server under attack.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) public: SocketAddr,
    /// Credentials of a client, for `Authorization: Basic`.
    pub(crate) basic: String,
    /// The attackers' own build.
    pub(crate) build: Build,
    /// Number of addresses that attackers come from.
    pub(crate) addresses: usize,
    connections: AtomicUsize,
    wrong: Mutex<Option<String>>,
}

impl Target {
    pub(crate) fn new(public: SocketAddr, basic: String, build: Build, addresses: usize) -> Arc<Self> {
        let (connections, wrong) = (AtomicUsize::new(0), Mutex::default());
        Arc::new(Self { public, basic, build, addresses, connections, wrong })
    }

    /// Opens a connection from the attacker's address.
    pub(crate) async fn open(&self, attacker: usize) -> io::Result<TcpStream> {
        let stream = connect(self.address(attacker), self.public).await?;
        self.connections.fetch_add(1, Ordering::Relaxed);
        Ok(stream)
    }

    /// Opens a connection with room for few bytes of answers.
    pub(crate) async fn open_narrowly(&self, attacker: usize) -> io::Result<TcpStream> {
        let stream = connect_narrowly(self.address(attacker), self.public).await?;
        self.connections.fetch_add(1, Ordering::Relaxed);
        Ok(stream)
    }

    fn address(&self, attacker: usize) -> Ipv4Addr {
        let nth = u32::try_from(attacker % self.addresses).unwrap();
        Ipv4Addr::from_bits(SHARED.to_bits() + nth)
    }

    /// Returns the number of connections that were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Keeps what was answered wrongly.
    pub(crate) fn expect(&self, is_right: bool, what: impl FnOnce() -> String) {
        if !is_right {
            self.wrong.lock().unwrap().get_or_insert_with(what);
        }
    }

    pub(crate) fn wrong(&self) -> Option<String> {
        self.wrong.lock().unwrap().clone()
    }
}

/// An attack, which goes on until it is dropped.
pub(crate) type Attack = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes an attack of `count` attackers at once. Each lives from connection to connection, with `rest` in between.
pub(crate) fn swarm<L, F>(target: &Arc<Target>, count: usize, rest: Duration, life: L) -> Attack
where
    L: Fn(Arc<Target>, usize) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let target = Arc::clone(target);
    Box::pin(async move {
        let mut attackers = JoinSet::new();
        for attacker in 0..count {
            let (target, life) = (Arc::clone(&target), life.clone());
            attackers.spawn(async move {
                loop {
                    let rest = if life(Arc::clone(&target), attacker).await.is_ok() { rest } else { REFUSED };
                    tokio::time::sleep(rest).await;
                }
            });
        }
        while attackers.join_next().await.is_some() {}
    })
}

/// Rest of an attacker whose connection was refused or ended early.
const REFUSED: Duration = Duration::from_millis(50);

/// Rest of an attacker who is in no hurry.
pub(crate) const CALM: Duration = Duration::from_millis(100);

/// An attack on a thread of its own. When dropped, its connections are closed.
#[derive(Debug)]
pub(crate) struct Running {
    runtime: Option<Runtime>,
    frozen: Option<Sender<()>>,
}

impl Running {
    pub(crate) fn start(attack: Attack) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(attack);
        Self { runtime: Some(runtime), frozen: None }
    }

    /// Stops every attacker where it is, its connections open: as machines do that lose their power. The server alone
    /// can end what they hold.
    pub(crate) fn freeze(&mut self) {
        let (release, released) = channel();
        // Holds up the only thread until the sender is dropped.
        self.runtime.as_ref().unwrap().spawn(async move {
            let _released = released.recv();
        });
        self.frozen = Some(release);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.frozen = None;
        if let Some(runtime) = self.runtime.take() {
            // Waits for the end of the tasks, so that no socket of theirs is open afterwards. A runtime may not wait
            // inside another, so a thread does.
            let _panicked = std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5))).join();
        }
    }
}
