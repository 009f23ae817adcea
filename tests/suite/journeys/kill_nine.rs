//! `kill -9` at random moments under load: nothing that was acknowledged is lost.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::cli::Folder;
use crate::harness::{claims, registration_with};

const KILLS: u64 = 50;
const JOBS: usize = 8;

#[test]
fn every_token_that_a_client_received_is_in_the_record_after_fifty_kills() {
    let folder = Folder::installed();
    let client = folder.run(&["clients", "create", "ci", "--json"]).json();
    let (id, secret) = (client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
    let kids = folder.run(&["keys", "list", "--json"]).done();
    let mut random = StdRng::seed_from_u64(50);
    let mut received = BTreeSet::new();
    for round in 0..KILLS {
        let server = folder.serve(&[]);
        let http = reqwest_blocking();
        let body = registration_with(&serde_json::json!({"number": round}));
        let url = format!("{}/api/v1/builds", server.url);
        let registered: Value = http(&url, Some((id, secret)), Some(&body), None).expect("a registration");
        let stop = Arc::new(AtomicBool::new(false));
        let arrived = Arc::new(AtomicUsize::new(0));
        let jobs: Vec<_> = (0..JOBS)
            .map(|job| {
                let (stop, arrived, registered) = (Arc::clone(&stop), Arc::clone(&arrived), registered.clone());
                thread::spawn(move || load(job, &registered, &stop, &arrived))
            })
            .collect();
        // Waits until requests succeed, however slow the machine is, and then for a random time.
        for _ in 0..1_000 {
            if arrived.load(Ordering::Relaxed) >= 8 {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(Duration::from_millis(random.random_range(0..250)));
        drop(server); // SIGKILL
        stop.store(true, Ordering::Relaxed);
        for job in jobs {
            received.extend(job.join().unwrap());
        }
    }
    assert!(received.len() > 500, "only {} tokens were received", received.len());
    let recorded: BTreeSet<String> = folder
        .run(&["audit", "list", "--json"])
        .json_lines()
        .iter()
        .map(|row| row["jti"].as_str().unwrap().to_owned())
        .collect();
    let lost: Vec<_> = received.difference(&recorded).collect();
    assert!(lost.is_empty(), "{} of {} tokens have no record", lost.len(), received.len());
    assert_eq!(folder.run(&["keys", "list", "--json"]).done(), kids);
    let database = folder.path().join("data/buildpass.db");
    let sound = tokio::runtime::Runtime::new().unwrap().block_on(async {
        use sqlx::Connection;
        let url = format!("sqlite://{}", database.display());
        let mut connection = sqlx::sqlite::SqliteConnection::connect(&url).await.unwrap();
        sqlx::query_scalar::<_, String>("pragma integrity_check").fetch_one(&mut connection).await.unwrap()
    });
    assert_eq!(sound, "ok");
}

/// Fetches tokens until a signal to stop or until the server is killed. Returns the ids of the tokens that arrived whole.
fn load(job: usize, registered: &Value, stop: &AtomicBool, arrived: &AtomicUsize) -> Vec<String> {
    let http = reqwest_blocking();
    let token = registered["request_token"].as_str().unwrap().to_owned();
    let algorithm = if job.is_multiple_of(2) { "ES256" } else { "RS256" };
    let url = format!("{}&audience=x&algorithm={algorithm}", registered["request_url"].as_str().unwrap());
    let mut ids = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Some(answer) = http(&url, None, None, Some(&token)) else { continue };
        if let Some(token) = answer["value"].as_str() {
            ids.push(claims(token)["jti"].as_str().unwrap().to_owned());
            arrived.fetch_add(1, Ordering::Relaxed);
        }
    }
    ids
}

type Call = Box<dyn Fn(&str, Option<(&str, &str)>, Option<&Value>, Option<&str>) -> Option<Value>>;

/// A keep-alive connection. Failures are `None`, since the server may be killed at any moment.
fn reqwest_blocking() -> Call {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
    Box::new(move |url, basic, body, bearer| {
        let mut request = if body.is_some() { client.post(url) } else { client.get(url) };
        if let Some((id, secret)) = basic {
            request = request.basic_auth(id, Some(secret));
        }
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        runtime.block_on(async { request.send().await.ok()?.json().await.ok() })
    })
}

#[test]
fn a_first_start_that_is_killed_is_repeated_without_help() {
    let mut random = StdRng::seed_from_u64(51);
    for _ in 0..6 {
        let folder = Folder::new();
        let mut child = Command::new(env!("CARGO_BIN_EXE_buildpass"))
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", ""])
            .current_dir(folder.path())
            .stderr(std::process::Stdio::null())
            .env_clear()
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(random.random_range(0..400)));
        child.kill().unwrap();
        child.wait().unwrap();
        let served = folder.serve(&[]);
        let keys = folder.run(&["keys", "list", "--json"]).json_lines();
        assert_eq!(keys.len(), 4);
        served.end();
    }
    // Killed between writing the key file and the rows: the file exists, the database holds no key.
    let folder = Folder::new();
    folder.run(&["store", "migrate"]).done();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    folder.run(&["keys", "new-kek", "keys/master.key"]).done();
    let before = std::fs::read(folder.path().join("keys/master.key")).unwrap();
    folder.serve(&[]).end();
    assert_eq!(std::fs::read(folder.path().join("keys/master.key")).unwrap(), before);
}
