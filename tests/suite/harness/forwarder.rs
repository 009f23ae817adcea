//! A TCP forwarder between a server under test and its database, which can freeze, cut, and lead to another port. It
//! never changes a byte.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Behaviour of the network between the two peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// Forwards to this port of the loopback interface.
    Leads(u16),
    /// Accepts connections and forwards nothing, as a network that drops every packet.
    Frozen,
    /// Ends every connection at once.
    Cut,
}

/// A forwarder on a port of its own.
pub(crate) struct Forwarder {
    pub(crate) port: u16,
    network: Arc<watch::Sender<Network>>,
}

impl Forwarder {
    pub(crate) async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (network, seen) = watch::channel(Network::Leads(target));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(forward(stream, seen.clone()));
            }
        });
        Self { port, network: Arc::new(network) }
    }

    /// Changes the network. Connections that are open stay where they lead, unless they are cut.
    pub(crate) fn becomes(&self, network: Network) {
        self.network.send_replace(network);
    }
}

async fn forward(mut client: TcpStream, mut network: watch::Receiver<Network>) {
    let target = loop {
        let now = *network.borrow_and_update();
        match now {
            Network::Leads(target) => break target,
            Network::Frozen => {}
            Network::Cut => return,
        }
        if network.changed().await.is_err() {
            return;
        }
    };
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    let copied = tokio::io::copy_bidirectional(&mut client, &mut server);
    tokio::pin!(copied);
    loop {
        let now = *network.borrow_and_update();
        match now {
            Network::Cut => return,
            Network::Frozen => {
                if network.changed().await.is_err() {
                    return;
                }
            }
            Network::Leads(_) => tokio::select! {
                _ended = &mut copied => return,
                changed = network.changed() => if changed.is_err() { return },
            },
        }
    }
}
