//! What a started server must do while its database is sick, and how soon it is well again: readiness answers at once,
//! documents are served, and no pull waits longer than the store's time limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use buildpass::base::{Clock, SystemClock};
use serde_json::Value;

use crate::cli::{Folder, Served};
use crate::harness::registration;

/// `store.acquire_timeout` and `store.statement_timeout` at their defaults, and a second for a busy machine.
const PULL_WITHIN: Duration = Duration::from_secs(2 + 5 + 1);

/// Longest answer of readiness.
const READY_WITHIN: Duration = Duration::from_millis(500);

/// Longest time until tokens are issued again.
const WELL_WITHIN: Duration = Duration::from_secs(5);

/// The binary, started on a database, with a build whose tokens are pulled.
pub(super) struct Patient {
    name: &'static str,
    pub(super) served: Served,
    _folder: Folder,
    http: reqwest::Client,
    registered: Value,
}

/// What was measured while the database was sick.
pub(super) struct Seen {
    name: &'static str,
    ready: Duration,
    status: String,
    pulls: Vec<(u16, Duration)>,
}

impl Patient {
    /// Starts a server on the database at `url` with one client and one build.
    pub(super) async fn on(name: &'static str, url: Option<&str>) -> Self {
        let mut folder = Folder::new();
        folder.set("BUILDPASS_KEYS__ALGORITHMS", "[\"ES256\"]");
        if let Some(url) = url {
            let kek = "[{ id = \"test\", value = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\" }]";
            folder.set("BUILDPASS_STORE__URL", url);
            folder.set("BUILDPASS_KEYS__KEY_ENCRYPTION_KEYS", kek);
        }
        let served = folder.serve(&[]);
        Self::begin(name, folder, served).await
    }

    /// Creates a client and a build at a server that was started in `folder`.
    pub(super) async fn begin(name: &'static str, folder: Folder, served: Served) -> Self {
        let client = folder.run(&["clients", "create", "ci", "--json"]).json();
        let (id, secret) = (client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        let request = http.post(format!("{}/api/v1/builds", served.url)).basic_auth(id, Some(secret));
        let registered: Value = request.json(&registration()).send().await.unwrap().json().await.unwrap();
        let patient = Self { name, served, _folder: folder, http, registered };
        patient.is_well().await;
        patient
    }

    /// Pulls a token. Returns the status and the time that the answer took.
    pub(super) async fn pull(&self) -> (u16, Duration) {
        let url = format!("{}&audience=x", self.registered["request_url"].as_str().unwrap());
        let token = self.registered["request_token"].as_str().unwrap();
        let clock = SystemClock::new();
        let status = self.http.get(url).bearer_auth(token).send().await.unwrap().status().as_u16();
        (status, clock.monotonic())
    }

    async fn ready(&self) -> (String, Duration) {
        let clock = SystemClock::new();
        let answer = self.http.get(format!("{}/health/ready", self.served.url)).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{}: {text}", self.name);
        let answer: Value = serde_json::from_str(&text).unwrap();
        (answer["status"].as_str().unwrap().to_owned(), clock.monotonic())
    }

    async fn documents(&self) {
        for path in ["/.well-known/openid-configuration", "/.well-known/jwks"] {
            let answer = self.http.get(format!("{}{path}", self.served.url)).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{}: {path}", self.name);
        }
    }

    /// Measures a server whose database is sick from now on: two pulls one after another, and meanwhile readiness and
    /// documents over and over. `is_degraded` is whether readiness must notice before the last pull is answered.
    pub(super) async fn falls_sick(&self, is_degraded: bool) -> Seen {
        let done = Arc::new(AtomicBool::new(false));
        let watching = async {
            let (mut slowest, mut last) = (Duration::ZERO, String::new());
            while !done.load(Ordering::Relaxed) {
                let (status, took) = self.ready().await;
                slowest = slowest.max(took);
                last = status;
                self.documents().await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            (slowest, last)
        };
        let pulling = async {
            let pulls = [self.pull().await, self.pull().await].to_vec();
            // A pulse that began before the first pull may have succeeded.
            tokio::time::sleep(Duration::from_millis(if is_degraded { 2_500 } else { 0 })).await;
            done.store(true, Ordering::Relaxed);
            pulls
        };
        let ((ready, status), pulls) = tokio::join!(watching, pulling);
        assert!(ready < READY_WITHIN, "{}: readiness took {ready:?}", self.name);
        assert!(!is_degraded || status == "degraded", "{}: readiness says {status}", self.name);
        for (status, took) in &pulls {
            assert!(*status == 503 && *took < PULL_WITHIN, "{}: {status} after {took:?}", self.name);
        }
        Seen { name: self.name, ready, status, pulls }
    }

    /// Waits until tokens are issued and readiness says so; returns the time until then.
    async fn is_well(&self) -> Duration {
        let clock = SystemClock::new();
        loop {
            let pulled = self.pull().await.0 == 200;
            if pulled && self.ready().await.0 == "ready" {
                return clock.monotonic();
            }
            assert!(clock.monotonic() < 6 * WELL_WITHIN, "{}: never well again", self.name);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Measures a server whose database is well from now on, and prints the row of the table.
    #[expect(clippy::print_stderr, reason = "the row is what the test measured")]
    pub(super) async fn recovers(&self, seen: Seen) {
        let after = self.is_well().await;
        let Seen { name, ready, status, pulls } = seen;
        let pulls: Vec<_> =
            pulls.iter().map(|(status, took)| format!("{status} in {:.1} s", took.as_secs_f32())).collect();
        eprintln!(
            "| {name} | {} ms, {status} | 200 | {} | {:.1} s |",
            ready.as_millis(),
            pulls.join(", "),
            after.as_secs_f32()
        );
        assert!(after < WELL_WITHIN, "{name}: well after {after:?}");
    }
}
