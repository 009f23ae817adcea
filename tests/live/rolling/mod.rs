//! A rolling update of three servers on one PostgreSQL, under load, behind nginx and behind a plain TCP balancer that
//! gives every client one address: no request fails.

mod balancer;
mod client;
mod nginx;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use self::balancer::Balancer;
use self::client::Client;
use self::nginx::Nginx;
use crate::postgres::PostgresServer;
use crate::replica::Replica;
use crate::rotation::{KEK, register};

/// Longer than every gap of a client that sends by itself, and than the balancer takes to notice.
const DRAIN_DELAY: Duration = Duration::from_secs(3);

/// Pauses of clients that send by themselves, in milliseconds.
const GAPS: [u64; 8] = [0, 0, 0, 0, 10, 200, 1_000, 2_000];

/// Clients that send before and after each server's end, and keep an idle connection meanwhile.
const RARE: usize = 3;

fn config(folder: &Path, url: &str) -> std::path::PathBuf {
    let toml = format!(
        "[server]\ndrain_delay = \"{}s\"\ntrusted_proxies = [\"127.0.0.1\"]\n[issuer]\nurl = \"http://127.0.0.1:9\"\n[store]\n\
         url = \"{url}\"\n[keys]\nkey_encryption_keys = [{{ id = \"k1\", value = \"{KEK}\" }}]\n[limits]\n\
         tokens_per_build = 0\nbuild_per_second = 0\nclient_per_second = 0\n",
        DRAIN_DELAY.as_secs()
    );
    let file = folder.join("buildpass.toml");
    std::fs::write(&file, toml).unwrap();
    file
}

/// Counts and failures of one balancer's clients.
#[derive(Default)]
struct Seen {
    answered: AtomicU64,
    failures: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl Seen {
    async fn ask(&self, client: &mut Client, what: &str) {
        match client.ask().await {
            Ok(()) => drop(self.answered.fetch_add(1, Ordering::Relaxed)),
            Err(failure) => self.failures.lock().unwrap().push(format!("{what}: {failure}")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL and nginx: cargo test -- --include-ignored"]
async fn a_rolling_update_under_load_fails_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let database = PostgresServer::shared().database().await;
    let config = config(folder.path(), &PostgresServer::url(&database));
    let mut replicas: Vec<_> = (0..3).map(|_| Replica::start(&config)).collect();
    let servers: Vec<_> = replicas.iter().map(|replica| replica.address()).collect();
    let (path, token) = register(&config, &replicas[0].url).await;

    let nginx = Nginx::start(folder.path(), &servers).await;
    let balancer = Balancer::start(&servers).await;
    let (round, rounds) = watch::channel(0);
    let (mut watched, mut tasks) = (Vec::new(), Vec::new());
    for (name, address) in [("nginx", nginx.address), ("tcp", balancer.address)] {
        let seen = Arc::new(Seen::default());
        watched.push((name, Arc::clone(&seen)));
        for gap in GAPS.map(Duration::from_millis) {
            let (mut client, seen) = (Client::new(address, &path, &token), Arc::clone(&seen));
            if gap.is_zero() && tasks.len().is_multiple_of(2) {
                client = client.that_keeps_nothing();
            }
            tasks.push(tokio::spawn(async move {
                while !seen.stop.load(Ordering::Relaxed) {
                    seen.ask(&mut client, &format!("{name}, gap {gap:?}")).await;
                    tokio::time::sleep(gap).await;
                }
            }));
        }
        for _ in 0..RARE {
            let (mut client, seen, mut rounds) =
                (Client::new(address, &path, &token), Arc::clone(&seen), rounds.clone());
            tasks.push(tokio::spawn(async move {
                while rounds.changed().await.is_ok() {
                    seen.ask(&mut client, &format!("{name}, after a pause")).await;
                }
            }));
        }
    }

    for (at, replica) in replicas.iter_mut().enumerate() {
        round.send_modify(|round| *round += 1);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let stopped = tokio::task::block_in_place(|| replica.stop());
        assert!(stopped.success(), "server {at}: {stopped}");
        round.send_modify(|round| *round += 1);
        tokio::task::block_in_place(|| replica.go_on());
        balancer.until_up(at).await;
        // As long as nginx leaves a server out that refused a connection.
        tokio::time::sleep(nginx::LEFT_OUT).await;
    }
    drop(round);
    for (_, seen) in &watched {
        seen.stop.store(true, Ordering::Relaxed);
    }
    for task in tasks {
        task.await.unwrap();
    }
    for (name, seen) in watched {
        let (answered, failures) = (seen.answered.load(Ordering::Relaxed), seen.failures.lock().unwrap().clone());
        assert!(failures.is_empty(), "{name}: {} failures beside {answered}: {failures:#?}", failures.len());
        assert!(answered > 200, "{name}: only {answered} requests");
    }
}
