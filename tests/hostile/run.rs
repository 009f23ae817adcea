//! One case from the start of its server to its recovery. Measures, and judges nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::attacks::tokens::{AUDIENCE, build, patterns};
use crate::cases::{Case, SETTINGS};
use crate::client::Client;
use crate::cores::Cores;
use crate::measure::{State, forget_peak, memory, state};
use crate::server::{Server, Setup, copy_of, run};
use crate::target::{Build, Running, Target};
use crate::victims::{SHARED, Samples, Victims};
use crate::{good, victims};

/// Longest time to recovery, and longest wait for an answer that is not lost.
pub(crate) const RECOVERED_WITHIN: Duration = Duration::from_secs(5);
pub(crate) const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// How all cases run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// How long each attack lasts.
    pub(crate) lasts: Duration,
    pub(crate) cores: Option<Cores>,
    pub(crate) cgroup: Option<PathBuf>,
    /// Settings that replace those of every case.
    pub(crate) settings: Vec<(String, String)>,
    /// Whether an equal load of good requests follows.
    pub(crate) has_good_load: bool,
}

/// An installation with a client, which every case copies.
#[derive(Debug)]
pub(crate) struct Installation {
    folder: TempDir,
    basic: String,
}

impl Installation {
    pub(crate) fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let client = run(folder.path(), &["clients", "create", "ci", "--json"]);
        let client: Value = serde_json::from_str(&client).unwrap();
        let text = |name: &str| client[name].as_str().unwrap().to_owned();
        Self { folder, basic: STANDARD.encode(format!("{}:{}", text("client_id"), text("client_secret"))) }
    }
}

/// What was measured.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// What the good clients met during the attack.
    pub(crate) met: [Samples; 3],
    /// What they met beside an equal load of good requests.
    pub(crate) beside_good: Option<[Samples; 3]>,
    /// Memory beyond what the server had: at its peak, and at the end of the attack, in KiB.
    pub(crate) peak: usize,
    pub(crate) held: usize,
    /// The whole process's peak, in KiB.
    pub(crate) whole: usize,
    /// Size of the log, in bytes.
    pub(crate) log: usize,
    /// Most open connections that the server told of.
    pub(crate) connections: usize,
    /// Connections of the attackers, and the answers that they caused.
    pub(crate) done: (usize, usize),
    /// The longest wait for the admin listener.
    pub(crate) admin: Duration,
    /// Time to recovery, or what was not as before in time.
    pub(crate) recovery: Result<Duration, String>,
    /// An answer that was not right.
    pub(crate) wrong: Option<String>,
    pub(crate) is_running: bool,
}

/// Runs one case.
pub(crate) async fn measure(case: &Case, plan: &Plan, installation: &Installation) -> Figures {
    let mut server = Server::start(copy_of(installation.folder.path()), &setup(case, plan));
    let process = server.process();
    let mut ci = Client::new(SHARED, server.public);
    let mut builds = Vec::new();
    for number in 1..=3 {
        builds.push(register(&mut ci, &installation.basic, number).await);
    }
    ci.hang_up();
    let [good, other, own] = builds.try_into().unwrap();
    let victims = Victims::start(server.public, [&good, &other].map(|build: &Build| build.pull_request(AUDIENCE)));
    let well = recovery(&mut server, &victims, false).await;
    assert!(well.is_ok(), "the server is not well before the attack: {well:?}");
    let target = Target::new(server.public, installation.basic.clone(), own, case.addresses);

    let (before, logged) = (memory(process, "VmRSS:"), server.logged());
    forget_peak(process);
    server.pause_log(case.is_log_stuck);
    victims.take();
    let mut attack = Running::start((case.attack)(&target));
    let (connections, answered, admin) = watch(server.admin, plan.lasts).await;
    let met = victims.take();
    let done = (target.connections(), answered.saturating_sub(met.iter().map(|met| met.took.len()).sum()));
    let beyond = |field| memory(process, field).saturating_sub(before);
    let (whole, peak, held) = (memory(process, "VmHWM:"), beyond("VmHWM:"), beyond("VmRSS:"));
    attack.freeze();
    server.pause_log(false);
    victims.take();
    let recovered = recovery(&mut server, &victims, case.is_log_stuck).await;
    let log = server.logged() - logged;
    drop(attack);
    let beside_good = if plan.has_good_load {
        let _calm = recovery(&mut server, &victims, false).await;
        victims.take();
        let _good = Running::start(good::load(server.public, connections, done, plan.lasts));
        watch(server.admin, plan.lasts).await;
        Some(victims.take())
    } else {
        None
    };
    let (wrong, is_running) = (target.wrong(), server.is_running());
    Figures {
        met,
        beside_good,
        peak,
        held,
        whole,
        log,
        connections,
        done,
        admin,
        recovery: recovered,
        wrong,
        is_running,
    }
}

fn setup(case: &Case, plan: &Plan) -> Setup {
    let settings = SETTINGS.iter().chain(case.settings).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let settings = settings.chain(plan.settings.iter().cloned()).collect();
    Setup { settings, files: case.files, cores: plan.cores, cgroup: plan.cgroup.clone() }
}

/// Registers a build, whose tokens may have the audience of the good clients and those of many long patterns.
async fn register(ci: &mut Client, basic: &str, number: u32) -> Build {
    let mut audiences = patterns();
    audiences[0] = AUDIENCE.to_owned();
    let body = build(number, &audiences).to_string();
    let head = format!(
        "POST /api/v1/builds HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = ci.ask(format!("{head}{body}").as_bytes()).await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    let registered: Value = serde_json::from_str(&answer.body).unwrap();
    let text = |name: &str| registered[name].as_str().unwrap().to_owned();
    let url = text("request_url");
    let path = url.find("/api/").unwrap();
    Build {
        id: text("id"),
        pull: url[path..].to_owned(),
        request_token: text("request_token"),
        worker_token: text("worker_token"),
    }
}

/// Asks the admin listener now and then for as long as the attack lasts. Returns the most open connections, the number
/// of answers and the longest wait.
async fn watch(admin: SocketAddr, lasts: Duration) -> (usize, usize, Duration) {
    let before = state(admin).await.answered;
    let (mut most, mut answered, mut longest) = (0, 0, Duration::ZERO);
    let end = Instant::now() + lasts;
    while Instant::now() < end {
        let begun = Instant::now();
        let state = state(admin).await;
        most = most.max(state.connections);
        answered = state.answered - before;
        longest = longest.max(begun.elapsed());
        tokio::time::sleep_until(end.min(begun + Duration::from_millis(250))).await;
    }
    (most, answered, longest)
}

/// Waits until all is as before the attack. Returns how long it took.
async fn recovery(server: &mut Server, victims: &Victims, was_stuck: bool) -> Result<Duration, String> {
    let begun = Instant::now();
    loop {
        let State { connections, body_bytes, dropped_lines, is_ready, .. } = match server.is_running() {
            true => state(server.admin).await,
            false => return Err("the process has ended".to_owned()),
        };
        let slow: Vec<_> = victims
            .seen()
            .iter()
            .zip(victims::NAMES)
            .filter(|(met, _)| !met.ends_well(ANSWERED_WITHIN))
            .map(|(_, name)| name)
            .collect();
        let is_log_right = !was_stuck || (dropped_lines > 0 && server.told_of_dropped_lines());
        let is_calm = connections <= victims::NAMES.len() && body_bytes == 0 && is_ready;
        if is_calm && slow.is_empty() && is_log_right {
            return Ok(begun.elapsed());
        }
        if begun.elapsed() > RECOVERED_WITHIN {
            return Err(format!(
                "{connections} connections, {body_bytes} bytes of bodies, ready: {is_ready}, slow: {slow:?}, \
                 {dropped_lines} dropped lines"
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
