//! A balancer of TCP connections: passes bytes on, and asks each server's readiness, as balancers do that know nothing of
//! HTTP. A connection that its server refuses is lost: the balancer never tries another server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

const CHECK_EVERY: Duration = Duration::from_millis(200);
const CHECK_WITHIN: Duration = Duration::from_secs(1);

struct Server {
    address: SocketAddr,
    is_up: AtomicBool,
}

pub(super) struct Balancer {
    pub(super) address: SocketAddr,
    servers: Arc<Vec<Server>>,
}

impl Balancer {
    pub(super) async fn start(servers: &[SocketAddr]) -> Self {
        let servers = servers.iter().map(|address| Server { address: *address, is_up: AtomicBool::new(true) });
        let servers: Arc<Vec<_>> = Arc::new(servers.collect());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for at in 0..servers.len() {
            tokio::spawn(check(Arc::clone(&servers), at));
        }
        tokio::spawn(accept(listener, Arc::clone(&servers)));
        Self { address, servers }
    }

    /// Waits until new connections go to this server too.
    pub(super) async fn until_up(&self, at: usize) {
        while !self.servers[at].is_up.load(Ordering::SeqCst) {
            tokio::time::sleep(CHECK_EVERY / 4).await;
        }
    }
}

async fn check(servers: Arc<Vec<Server>>, at: usize) {
    let http = reqwest::Client::builder().no_proxy().timeout(CHECK_WITHIN).pool_max_idle_per_host(0).build().unwrap();
    let server = &servers[at];
    loop {
        let answer = http.get(format!("http://{}/health/ready", server.address)).send().await;
        server.is_up.store(answer.is_ok_and(|answer| answer.status() == 200), Ordering::SeqCst);
        tokio::time::sleep(CHECK_EVERY).await;
    }
}

async fn accept(listener: TcpListener, servers: Arc<Vec<Server>>) {
    let next = Arc::new(AtomicUsize::new(0));
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let (servers, next) = (Arc::clone(&servers), Arc::clone(&next));
        tokio::spawn(async move {
            let up: Vec<_> = servers.iter().filter(|server| server.is_up.load(Ordering::SeqCst)).collect();
            let server = up[next.fetch_add(1, Ordering::Relaxed) % up.len()];
            if let Ok(mut stream) = TcpStream::connect(server.address).await {
                let _ended = tokio::io::copy_bidirectional(&mut client, &mut stream).await;
            }
        });
    }
}
