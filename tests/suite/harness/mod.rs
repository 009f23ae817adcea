//! The real application on a real socket: a fresh SQLite file, a clock that a test sets, a key set made once.

mod clock;
pub(crate) mod exchange_setup;
pub(crate) mod forwarder;
mod logs;
pub(crate) mod postgres;
mod reply;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use buildpass::app::App;
use buildpass::base::{ClientId, Clock, Entropy, EntropyError, IssuerId, Moment, Secret, SystemClock};
use buildpass::config::{Config, Flags, Sources};
use buildpass::http::{Limits, Listeners, serve};
use buildpass::keyring::{Keyring, KeyringParts};
use buildpass::policy::{Client, Scope};
use buildpass::store::postgres::PostgresOptions;
use buildpass::store::sqlite::{SqliteOptions, SqliteStore};
use buildpass::store::{InFlight, KeyChange, KeyRow, Store, StoreUrl};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{OnceCell, oneshot};

pub(crate) use self::clock::SettableClock;
pub(crate) use self::logs::{capture, logged};
pub(crate) use self::reply::Reply;

/// When every test begins.
pub(crate) const START: Moment = Moment::from_unix(1_800_000_000);

/// The key-encryption key of every test: base64 of 32 bytes.
const KEK: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Bytes that are the same in every run, and different for every server.
pub(crate) struct SeededEntropy {
    random: Mutex<StdRng>,
    answers: AtomicU64,
    panics: AtomicU64,
    gate: Gate,
}

/// Where the maker of an RSA key can be held: nobody else asks for so many bytes at once.
#[derive(Default)]
struct Gate {
    shut: AtomicBool,
    held: AtomicBool,
}

impl Gate {
    fn pass(&self) {
        let waited = SystemClock::new();
        while self.shut.load(Ordering::SeqCst) && waited.monotonic() < Duration::from_secs(60) {
            self.held.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
        }
        self.held.store(false, Ordering::SeqCst);
    }
}

/// More than an id, a secret or a key on P-256 needs.
const OF_RSA: usize = 64;

impl SeededEntropy {
    pub(crate) fn new(seed: u64) -> Self {
        let random = Mutex::new(StdRng::seed_from_u64(seed));
        let (answers, panics) = (AtomicU64::new(u64::MAX), AtomicU64::new(u64::MAX));
        Self { random, answers, panics, gate: Gate::default() }
    }

    /// The generator gives so many answers more, and then fails.
    pub(crate) fn fail_after(&self, answers: u64) {
        self.answers.store(answers, Ordering::SeqCst);
    }

    /// The generator answers this many times more, and then panics.
    pub(crate) fn panic_after(&self, answers: u64) {
        self.panics.store(answers, Ordering::SeqCst);
    }

    /// Whoever makes an RSA key from now on is held until [`Self::let_rsa_go`], for a minute at most.
    pub(crate) fn hold_rsa(&self) {
        self.gate.shut.store(true, Ordering::SeqCst);
    }

    pub(crate) fn let_rsa_go(&self) {
        self.gate.shut.store(false, Ordering::SeqCst);
    }

    /// Whether a maker of an RSA key waits at the gate.
    pub(crate) fn holds_rsa(&self) -> bool {
        self.gate.held.load(Ordering::SeqCst)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        if bytes.len() >= OF_RSA {
            self.gate.pass();
        }
        let left = self.panics.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(left.is_ok(), "a deliberate panic");
        self.answers
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .map_err(|_| EntropyError)?;
        self.random.lock().unwrap().fill_bytes(bytes);
        Ok(())
    }
}

/// A client and its secret, as a CI server holds them.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// A running server. Stops when it is dropped, or by `stop`.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) admin: String,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<SettableClock>,
    pub(crate) app: Arc<App>,
    pub(crate) entropy: Arc<SeededEntropy>,
    folder: Arc<tempfile::TempDir>,
    database: Option<PostgresOptions>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<tokio::task::JoinHandle<()>>,
    http: reqwest::Client,
}

/// How a server is started where the defaults will not do.
pub(crate) struct Start {
    toml: String,
    clock: Arc<SettableClock>,
    folder: Arc<tempfile::TempDir>,
    limits: Limits,
    database: Option<PostgresOptions>,
    has_keys: bool,
}

impl Start {
    pub(crate) fn new(toml: &str) -> Self {
        Self {
            toml: toml.to_owned(),
            clock: Arc::new(SettableClock::at(START)),
            folder: Arc::new(tempfile::tempdir().unwrap()),
            limits: Limits::of(256),
            database: None,
            has_keys: true,
        }
    }

    /// On a store without keys, which the server must make.
    pub(crate) fn without_keys(mut self) -> Self {
        self.has_keys = false;
        self
    }

    /// By this clock.
    pub(crate) fn at(mut self, clock: &Arc<SettableClock>) -> Self {
        self.clock = Arc::clone(clock);
        self
    }

    /// On a database of a server, with the clock that its other servers have.
    pub(crate) fn on(mut self, database: &PostgresOptions, clock: &Arc<SettableClock>) -> Self {
        self.database = Some(PostgresOptions { clock_offset: clock.server_offset(), ..database.clone() });
        self.clock = Arc::clone(clock);
        self
    }

    pub(crate) fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub(crate) fn config(&self) -> Config {
        let file = self.folder.path().join("buildpass.toml");
        std::fs::write(&file, &self.toml).unwrap();
        let kek = format!("[{{ id = \"test\", value = \"{KEK}\" }}]");
        let environment = [
            ("BUILDPASS_SERVER__LISTEN", "127.0.0.1:0"),
            ("BUILDPASS_SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
            ("BUILDPASS_KEYS__KEY_ENCRYPTION_KEYS", kek.as_str()),
        ];
        let sources = Sources {
            file: Some(file),
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            working_dir: self.folder.path().to_owned(),
            flags: Flags::default(),
        };
        let mut config = Config::load(&sources).unwrap_or_else(|error| panic!("{error}"));
        if let Some(database) = &self.database {
            config.store.place = StoreUrl::Postgres(database.clone());
        }
        config
    }

    pub(crate) async fn go(self) -> Server {
        capture();
        let config = self.config();
        if self.has_keys {
            install_keys(&config).await;
        }
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, admin_address) = (public.local_addr().unwrap().port(), admin.local_addr().unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let entropy = Arc::new(SeededEntropy::new(u64::from(address.port()).wrapping_mul(0x9e37_79b9)));
        let given = Arc::clone(&entropy) as Arc<dyn Entropy>;
        let app = Arc::new(App::start(&config, address, clock, given).await.unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let listeners = Listeners { public, admin: Some(admin) };
        let served = serve(Arc::clone(&app), listeners, self.limits, async move {
            let _ = stopped.await;
        });
        Server {
            url: format!("http://{address}"),
            admin: format!("http://{admin_address}"),
            address,
            clock: self.clock,
            app,
            entropy,
            folder: self.folder,
            database: self.database,
            stop: Some(stop),
            task: Some(tokio::spawn(served)),
            http: reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
        }
    }
}

/// The same sealed keys in every test, so that none waits for RSA.
async fn install_keys(config: &Config) {
    static ROWS: OnceCell<Vec<KeyRow>> = OnceCell::const_new();
    let issuer = IssuerId::main();
    let store = config.store.place.open(InFlight::default(), config.store.waits).await.unwrap();
    if store.read_keys(&issuer).await.unwrap().rows.is_empty() {
        let rows = ROWS.get_or_init(|| async {
            let folder = tempfile::tempdir().unwrap();
            let scratch = SqliteStore::open(&folder.path().join("keys.db"), SqliteOptions::default()).await.unwrap();
            let scratch: Arc<dyn Store> = Arc::new(scratch);
            let parts = KeyringParts {
                store: Arc::clone(&scratch),
                issuer: issuer.clone(),
                settings: config.keyring(),
                clock: Arc::new(SettableClock::at(START)),
                entropy: Arc::new(SeededEntropy::new(1)),
            };
            Keyring::open(parts, &config.keys.kek_source()).await.unwrap();
            let rows = scratch.read_keys(&issuer).await.unwrap().rows;
            scratch.close().await;
            rows
        });
        let rows: Vec<_> = rows.await.iter().filter(|row| config.keys.algorithms.contains(&row.alg)).cloned().collect();
        let change = KeyChange { algorithms: Some(config.keys.algorithms.clone()), rows, ..KeyChange::default() };
        assert!(store.advance_keys(&issuer, 0, &change, &(Arc::new(|| true) as _)).await.unwrap());
    }
    store.close().await;
}

impl Server {
    pub(crate) async fn start() -> Self {
        Start::new("").go().await
    }

    pub(crate) async fn with(toml: &str) -> Self {
        Start::new(toml).go().await
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops, and starts again on the same folder with this configuration.
    pub(crate) async fn restart(mut self, toml: &str) -> Self {
        self.end().await;
        let start = Start {
            toml: toml.to_owned(),
            clock: Arc::clone(&self.clock),
            folder: Arc::clone(&self.folder),
            limits: Limits::of(256),
            database: self.database.clone(),
            has_keys: true,
        };
        start.go().await
    }

    /// Begins the shutdown without waiting for its end.
    pub(crate) fn ask_to_end(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) async fn end(&mut self) {
        self.ask_to_end();
        if let Some(task) = self.task.take() {
            task.await.unwrap();
            self.app.close().await;
        }
    }

    /// A CI server's client: everything that one needs, for every organisation.
    pub(crate) async fn client(&self) -> Credential {
        self.client_with(|_| {}).await
    }

    pub(crate) async fn client_with(&self, change: impl FnOnce(&mut Client)) -> Credential {
        let entropy = self.app.entropy();
        let secret = Secret::draw("bpc_", entropy).unwrap();
        let id = ClientId::new(START, entropy).unwrap();
        let mut client = Client {
            name: format!("client-{id}"),
            id,
            scopes: Scope::CI_SERVER.to_vec(),
            organizations: Vec::new(),
            audiences: Vec::new(),
            ids: None,
            identity: None,
            created_at: START,
            disabled_at: None,
            declared: false,
            revision: 0,
        };
        change(&mut client);
        let created = self.app.store().create_client(&IssuerId::main(), &client, secret.digest()).await.unwrap();
        created.unwrap();
        Credential { id: client.id.to_string(), secret: secret.expose_secret().clone() }
    }

    /// One request; `auth` is `Basic` for a client and `Bearer` for a token.
    pub(crate) async fn send(&self, method: Method, path: &str, auth: Auth<'_>, body: Option<&Value>) -> Reply {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        let mut request = self.http.request(method, url);
        request = match auth {
            Auth::Client(client) => request.basic_auth(&client.id, Some(&client.secret)),
            Auth::None => request,
            Auth::Token(token) => request.bearer_auth(token),
        };
        if let Some(body) = body {
            request = request.json(body);
        }
        Reply::read(request.send().await.unwrap()).await
    }

    /// A form, as RFC 6749 wants it.
    pub(crate) async fn form(&self, path: &str, auth: Auth<'_>, fields: &[(&str, &str)]) -> Reply {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = self.http.post(format!("{}{path}", self.url)).body(form);
        request = request.header("content-type", "application/x-www-form-urlencoded");
        request = match auth {
            Auth::Client(client) => request.basic_auth(&client.id, Some(&client.secret)),
            Auth::None => request,
            Auth::Token(token) => request.bearer_auth(token),
        };
        Reply::read(request.send().await.unwrap()).await
    }

    /// Exactly these headers and this body.
    pub(crate) async fn with_headers(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::read(request.body(body.to_owned()).send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, auth: Auth<'_>) -> Reply {
        self.send(Method::GET, path, auth, None).await
    }

    pub(crate) async fn post(&self, path: &str, auth: Auth<'_>, body: &Value) -> Reply {
        self.send(Method::POST, path, auth, Some(body)).await
    }

    /// A request that an ordinary client would not send: its bytes as they are, and all that comes back.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(20), read).await.expect("an answer in time");
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) async fn register(&self, client: &Credential, body: &Value) -> Build {
        let reply = self.post("/api/v1/builds", Auth::Client(client), body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        Build::read(&reply.json())
    }

    /// A registered build of a client of its own, ready to fetch tokens.
    pub(crate) async fn build(&self) -> (Credential, Build) {
        let client = self.client().await;
        let build = self.register(&client, &registration()).await;
        (client, build)
    }

    /// What the job gets for one audience.
    pub(crate) async fn pull(&self, build: &Build, query: &str) -> Reply {
        self.get(&format!("{}&{query}", build.request_url), Auth::Token(&build.request_token)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// Credential that a request carries.
#[derive(Clone, Copy)]
pub(crate) enum Auth<'a> {
    Client(&'a Credential),
    None,
    Token(&'a str),
}

/// What a registration answered.
pub(crate) struct Build {
    pub(crate) id: String,
    pub(crate) request_url: String,
    pub(crate) request_token: String,
    pub(crate) worker_token: String,
    pub(crate) answer: Value,
}

impl Build {
    pub(crate) fn read(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Self {
            id: text("id"),
            request_url: text("request_url"),
            request_token: text("request_token"),
            worker_token: text("worker_token"),
            answer: answer.clone(),
        }
    }
}

/// A good registration; each test spoils or changes one thing of it.
pub(crate) fn registration() -> Value {
    json!({
        "org": "acme", "org_id": "42", "repo": "app", "repo_id": "1001", "number": 17, "event": "push",
        "author": "octocat", "ref": "refs/heads/main", "sha": "0123456789abcdef0123456789abcdef01234567",
    })
}

/// A good registration with these fields changed.
pub(crate) fn registration_with(fields: &Value) -> Value {
    let mut body = registration();
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// A pull request from a fork.
pub(crate) fn fork() -> Value {
    registration_with(&json!({
        "event": "pull_request", "ref": "refs/pull/7/head", "fork": true, "head_repo_id": "666", "number": 18,
    }))
}

/// A token's claims, unverified.
pub(crate) fn claims(token: &str) -> Value {
    use base64::Engine;
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
