//! Three servers on one PostgreSQL, keys that rotate every few seconds, verifiers that trust their caches, and one server
//! killed in each round: no valid token is rejected, and only the killed server fails requests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use buildpass::base::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::postgres::PostgresServer;
use crate::replica::{Replica, run};
use crate::verifier::Verifier;

const ROTATIONS: usize = 30;

pub(crate) const KEK: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Announced for 4 s, retired for 4 s.
fn config(folder: &Path, url: &str) -> std::path::PathBuf {
    let toml = format!(
        "[issuer]\nurl = \"http://127.0.0.1:9\"\n[store]\nurl = \"{url}\"\n[keys]\nrotation_period = \"5m\"\n\
         jwks_max_age = \"1s\"\nannounce_at_least = \"0s\"\nrefresh_interval = \"1s\"\nclock_skew = \"1s\"\n\
         verifier_leeway = \"0s\"\nkey_encryption_keys = [{{ id = \"k1\", value = \"{KEK}\" }}]\n[tokens]\n\
         default_lifetime = \"2s\"\nmax_lifetime = \"2s\"\n[limits]\ntokens_per_build = 0\nbuild_per_second = 0\n\
         client_per_second = 0\n"
    );
    let file = folder.join("buildpass.toml");
    std::fs::write(&file, toml).unwrap();
    file
}

/// Counts and failures that the load observed.
#[derive(Default)]
struct Seen {
    verified: AtomicU64,
    /// Revoked kids; their tokens may fail.
    revoked: Mutex<Vec<String>>,
    failures: Mutex<Vec<String>>,
    /// Which server is being killed; its faults don't count.
    victim: AtomicUsize,
    stop: AtomicBool,
}

impl Seen {
    fn fail(&self, what: String) {
        self.failures.lock().unwrap().push(what);
    }
}

/// Requests tokens from one server after another, and verifies each at once and shortly before it expires.
async fn load(at: usize, servers: Vec<String>, job: (String, String), seen: Arc<Seen>) {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
    let mut verifier = Verifier::new(&http);
    let mut nearest = servers.clone();
    nearest.rotate_left(at);
    let (path, token) = job;
    let mut turn = 0_u32;
    while !seen.stop.load(Ordering::Relaxed) {
        turn += 1;
        let alg = if turn.is_multiple_of(2) { "RS256" } else { "ES256" };
        let url = format!("{}{path}&audience=live&algorithm={alg}", servers[at]);
        let pulled = SystemClock::new();
        match http.get(url).bearer_auth(&token).send().await {
            Ok(answer) if answer.status() == 200 => {
                let body: Value = answer.json().await.unwrap();
                let token = body["value"].as_str().unwrap().to_owned();
                check(&mut verifier, &nearest, &token, "at once", &seen).await;
                tokio::time::sleep(Duration::from_millis(40)).await;
                if turn.is_multiple_of(10) {
                    let rest = Duration::from_millis(1_400).saturating_sub(pulled.monotonic());
                    tokio::time::sleep(rest).await;
                    check(&mut verifier, &nearest, &token, "before its end", &seen).await;
                }
            }
            Ok(answer) if seen.victim.load(Ordering::SeqCst) != at => {
                let status = answer.status();
                seen.fail(format!("server {at}: {status} {}", answer.text().await.unwrap_or_default()));
            }
            Err(error) if seen.victim.load(Ordering::SeqCst) != at => seen.fail(format!("server {at}: {error}")),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn check(verifier: &mut Verifier, servers: &[String], token: &str, when: &str, seen: &Seen) {
    match verifier.verify(servers, token).await {
        Ok(()) => drop(seen.verified.fetch_add(1, Ordering::Relaxed)),
        Err(problem) if seen.revoked.lock().unwrap().iter().any(|kid| problem.contains(kid.as_str())) => {}
        Err(problem) => seen.fail(format!("{when}: {problem}")),
    }
}

fn rows_by_algorithm(config: &Path) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for row in run(config, &["keys", "list", "--json"]) {
        *count.entry(row["alg"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    count
}

fn kid(config: &Path, alg: &str, state: &str) -> Option<String> {
    let rows = run(config, &["keys", "list", "--json"]);
    let row = rows.iter().find(|row| row["alg"] == alg && row["state"] == state)?;
    Some(row["kid"].as_str().unwrap().to_owned())
}

/// Waits until the scheduled switch has happened and a new key is announced.
async fn wait_for_an_announced_key(config: &Path) {
    for _ in 0..200 {
        if ["RS256", "ES256"].iter().all(|alg| kid(config, alg, "announced").is_some()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("no key was announced: {:?}", run(config, &["keys", "list", "--json"]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn thirty_rotations_under_load_reject_no_valid_token() {
    let folder = tempfile::tempdir().unwrap();
    let database = PostgresServer::shared().database().await;
    let config = config(folder.path(), &PostgresServer::url(&database));
    let mut replicas: Vec<_> = (0..3).map(|_| Replica::start(&config)).collect();
    let servers: Vec<_> = replicas.iter().map(|replica| replica.url.clone()).collect();
    let seen = Arc::new(Seen { victim: AtomicUsize::new(usize::MAX), ..Seen::default() });
    let job = register(&config, &servers[0]).await;
    let tasks: Vec<_> =
        (0..3).map(|at| tokio::spawn(load(at, servers.clone(), job.clone(), Arc::clone(&seen)))).collect();

    for round in 0..ROTATIONS {
        wait_for_an_announced_key(&config).await;
        let switches = run(&config, &["keys", "rotate", "--json"]);
        assert_eq!(switches.len(), 2, "{switches:?}");
        let victim = round % 3;
        seen.victim.store(victim, Ordering::SeqCst);
        replicas[victim].kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        tokio::task::block_in_place(|| replicas[victim].go_on());
        tokio::time::sleep(Duration::from_millis(100)).await;
        seen.victim.store(usize::MAX, Ordering::SeqCst);
        for switch in &switches {
            let (alg, new) = (switch["alg"].as_str().unwrap(), switch["kid"].as_str().unwrap());
            while kid(&config, alg, "signing").as_deref() != Some(new) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    wait_for_an_announced_key(&config).await;
    let expected = BTreeMap::from([("ES256".to_owned(), 2 + ROTATIONS), ("RS256".to_owned(), 2 + ROTATIONS)]);
    assert_eq!(rows_by_algorithm(&config), expected, "one key row for each rotation and algorithm");

    // The announced key is in every cache after the time of announcement: an emergency then costs nothing but the
    // revoked key's tokens.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let lost = kid(&config, "ES256", "signing").unwrap();
    seen.revoked.lock().unwrap().push(lost.clone());
    let revoked = run(&config, &["keys", "revoke", &lost, "--reason", "drill", "--json"]);
    assert_eq!(revoked[0]["in_every_cache"], true);
    tokio::time::sleep(Duration::from_secs(5)).await;
    seen.stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let failures = seen.failures.lock().unwrap().clone();
    let verified = seen.verified.load(Ordering::Relaxed);
    assert!(
        failures.is_empty(),
        "{} failures beside {verified} verified: {:?}",
        failures.len(),
        &failures[..failures.len().min(10)]
    );
    assert!(verified > 1_000, "{verified}");
}

/// A client and a running build: the path of its pull endpoint, and its request token.
pub(crate) async fn register(config: &Path, server: &str) -> (String, String) {
    let client = run(config, &["clients", "create", "ci", "--json"]).remove(0);
    let body = json!({
        "org": "acme", "org_id": "42", "repo": "app", "repo_id": "1001", "number": 17, "event": "push",
        "author": "octocat", "ref": "refs/heads/main", "sha": "0123456789abcdef0123456789abcdef01234567",
    });
    let answer = reqwest::Client::new()
        .post(format!("{server}/api/v1/builds"))
        .basic_auth(client["client_id"].as_str().unwrap(), client["client_secret"].as_str())
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    let answer: Value = answer.json().await.unwrap();
    let url = answer["request_url"].as_str().unwrap();
    let path = url.split_once("//").unwrap().1.split_once('/').unwrap().1;
    (format!("/{path}"), answer["request_token"].as_str().unwrap().to_owned())
}
