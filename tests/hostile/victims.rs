//! Three good clients that ask at a steady pace while a case runs: for the documents, for a build's tokens from the
//! attackers' address, and for another build's tokens from an address of its own. Never slows down because answers do.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::client::Client;

/// The address that attackers and the good client of [`PULL`] share.
pub(crate) const SHARED: Ipv4Addr = Ipv4Addr::new(127, 2, 0, 1);

/// Longest wait for an answer, after which it counts as none.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) const DOCUMENTS: usize = 0;
pub(crate) const PULL: usize = 1;
pub(crate) const ANOTHERS_PULL: usize = 2;
pub(crate) const NAMES: [&str; 3] = ["documents", "pull", "another's pull"];

/// What one good client met.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    /// Times from when a request was due to its answer.
    pub(crate) took: Vec<Duration>,
    /// What was not answered with success.
    pub(crate) failures: Vec<String>,
    /// When the request was due that has no answer yet.
    due: Option<Instant>,
}

impl Samples {
    pub(crate) fn p99(&self) -> Duration {
        let mut sorted = self.took.clone();
        sorted.sort_unstable();
        let at = sorted.len().saturating_mul(99).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }

    pub(crate) fn longest(&self) -> Duration {
        self.took.iter().max().copied().unwrap_or_default()
    }

    /// Whether there are a few answers, and the last few came in time.
    pub(crate) fn ends_well(&self, within: Duration) -> bool {
        const FEW: usize = 3;
        self.took.len() >= FEW && self.took.iter().rev().take(FEW).all(|took| *took < within)
    }
}

/// The three clients, on a thread of their own.
#[derive(Debug)]
pub(crate) struct Victims {
    met: Arc<[Mutex<Samples>; 3]>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Victims {
    /// Starts the clients. `pulls` are the requests of the two builds.
    pub(crate) fn start(public: SocketAddr, pulls: [Vec<u8>; 2]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let met: Arc<[Mutex<Samples>; 3]> = Arc::default();
        let [pull, anothers] = pulls;
        let documents = ["jwks", "openid-configuration"]
            .map(|name| format!("GET /.well-known/{name} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes());
        for (who, from, requests, every) in [
            (DOCUMENTS, Ipv4Addr::new(127, 3, 0, 1), documents.to_vec(), 20),
            (PULL, SHARED, vec![pull], 40),
            (ANOTHERS_PULL, Ipv4Addr::new(127, 3, 0, 2), vec![anothers], 40),
        ] {
            let client = Client::new(from, public);
            runtime.spawn(keep_asking(client, requests, Duration::from_millis(every), Arc::clone(&met), who));
        }
        Self { met, runtime: Some(runtime) }
    }

    /// Returns what the clients met since the last call. A request without an answer counts with its wait until now.
    pub(crate) fn take(&self) -> [Samples; 3] {
        [0, 1, 2].map(|who| {
            let mut met = self.met[who].lock().unwrap();
            let still = Samples { due: met.due, ..Samples::default() };
            let mut taken = std::mem::replace(&mut *met, still);
            taken.took.extend(taken.due.map(|due| due.elapsed()));
            taken
        })
    }

    /// Returns what the clients met since the last [`Self::take`].
    pub(crate) fn seen(&self) -> [Samples; 3] {
        [0, 1, 2].map(|who| self.met[who].lock().unwrap().clone())
    }
}

impl Drop for Victims {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Asks whenever it is due. Every fifth request comes on a new connection, as most relying parties ask.
async fn keep_asking(
    mut client: Client,
    requests: Vec<Vec<u8>>,
    every: Duration,
    met: Arc<[Mutex<Samples>; 3]>,
    who: usize,
) {
    let mut due = tokio::time::interval(every);
    for (number, request) in requests.iter().cycle().enumerate() {
        let due = due.tick().await;
        met[who].lock().unwrap().due = Some(due);
        if number % 5 == 0 {
            client.hang_up();
        }
        let failure = match tokio::time::timeout(PATIENCE, client.ask(request)).await {
            Ok(Ok(answer)) if answer.status == 200 => None,
            Ok(Ok(answer)) => Some(format!("{}: {}", answer.status, answer.body)),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {PATIENCE:?}")),
        };
        let took = Instant::now() - due;
        let mut met = met[who].lock().unwrap();
        met.due = None;
        match failure {
            None => met.took.push(took),
            Some(failure) => {
                // Nobody is served by an error, however fast it comes.
                met.took.push(took.max(PATIENCE));
                met.failures.push(failure);
                client.hang_up();
            }
        }
    }
}
