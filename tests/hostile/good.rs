//! A load of good requests, beside which the same attack's figures are read: as many connections at once, as many new
//! ones and as many requests a second. Never more than the attack had.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::client::Client;
use crate::target::Attack;

/// Returns a load of `open` connections at once that repeats what attackers did within `lasts`: connections and requests.
pub(crate) fn load(public: SocketAddr, open: usize, done: (usize, usize), lasts: Duration) -> Attack {
    let (connections, requests) = (done.0.max(1), done.1.max(done.0).max(1));
    let clients = open.clamp(1, connections);
    let each = requests.div_ceil(connections);
    let every = lasts.mul_f64(clients as f64 / connections as f64).max(Duration::from_millis(1));
    Box::pin(async move {
        let mut tasks = JoinSet::new();
        for number in 0..clients {
            let from = Ipv4Addr::from_bits(Ipv4Addr::new(127, 4, 0, 1).to_bits() + u32::try_from(number % 64).unwrap());
            let client = Client::new(from, public);
            tasks.spawn(keep_asking(client, each, every));
        }
        while tasks.join_next().await.is_some() {}
    })
}

/// Asks for the documents `each` times on one connection, and begins the next one when it is due.
async fn keep_asking(mut client: Client, each: usize, every: Duration) {
    let mut due = tokio::time::interval(every);
    loop {
        due.tick().await;
        for _ in 0..each {
            let _refused = client.ask(b"GET /.well-known/jwks HTTP/1.1\r\nHost: x\r\n\r\n").await;
        }
        client.hang_up();
    }
}
