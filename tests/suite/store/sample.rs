//! Clients, builds and tokens to put into a store, and the backends to put them into.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use buildpass::base::{
    BuildId, ClientId, Entropy, EntropyError, IssuerId, Jti, Moment, RequestTokenId, Seconds, Sha256,
};
use buildpass::claims::{Build, BuildStep, Event};
use buildpass::jose::Algorithm;
use buildpass::policy::{Client, Scope};
use buildpass::store::sqlite::{SqliteOptions, SqliteStore};
use buildpass::store::{
    AuditRow, BuildRegistration, DeclaredClient, InFlight, Issuance, KeyChange, KeyRow, NewBuild, NewRequestToken,
    Still, Store, StoreWaits, StoredBuild, TokenBearer, TokenKind,
};
use tempfile::TempDir;

/// When all of it happens.
pub(crate) const NOW: Moment = Moment::from_unix(1_795_000_000);

/// A store of a test's own, gone with it.
pub(crate) struct Sqlite {
    pub(crate) store: SqliteStore,
    pub(crate) folder: TempDir,
}

impl Sqlite {
    pub(crate) async fn fresh() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: SqliteOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("state/buildpass.db"), options).await.unwrap();
        Self { store, folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("state/buildpass.db")
    }

    /// A connection of a stranger to the same file, as an operator's tool would make.
    pub(crate) async fn stranger(&self) -> sqlx::SqliteConnection {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path());
        sqlx::ConnectOptions::connect(&options).await.unwrap()
    }

    /// Does something to the file that no method of the store does.
    pub(crate) async fn meddle(&self, statement: &'static str) {
        let mut stranger = self.stranger().await;
        sqlx::raw_sql(statement).execute(&mut stranger).await.unwrap();
        sqlx::Connection::close(stranger).await.unwrap();
    }
}

pub(crate) fn options() -> SqliteOptions {
    SqliteOptions {
        pending: InFlight::default(),
        linger: Duration::from_millis(10),
        readers: 4,
        waits: StoreWaits { acquire: Duration::from_secs(30), statement: Duration::from_secs(30) },
    }
}

pub(crate) fn issuer() -> IssuerId {
    IssuerId::main()
}

/// Never the same bytes twice, whichever test of the process asks.
pub(crate) struct Counter;

static DRAWN: AtomicU64 = AtomicU64::new(1);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let drawn = DRAWN.fetch_add(1, Ordering::Relaxed);
        bytes.copy_from_slice(&Sha256::of(&drawn.to_be_bytes()).as_bytes()[..bytes.len()]);
        Ok(())
    }
}

pub(crate) fn build_id() -> BuildId {
    BuildId::new(NOW, &Counter).unwrap()
}

pub(crate) fn token_id() -> RequestTokenId {
    RequestTokenId::new(NOW, &Counter).unwrap()
}

pub(crate) fn jti() -> Jti {
    Jti::new(NOW, &Counter).unwrap()
}

pub(crate) fn digest() -> Sha256 {
    Sha256::of(&DRAWN.fetch_add(1, Ordering::Relaxed).to_le_bytes())
}

pub(crate) fn after(seconds: u64) -> Moment {
    NOW + Seconds::new(seconds)
}

pub(crate) fn client(name: &str) -> Client {
    Client {
        id: ClientId::new(NOW, &Counter).unwrap(),
        name: name.to_owned(),
        scopes: Scope::CI_SERVER.to_vec(),
        organizations: Vec::new(),
        audiences: Vec::new(),
        ids: None,
        identity: None,
        created_at: NOW,
        disabled_at: None,
        declared: false,
        revision: 0,
    }
}

/// A client that may act for these organisations alone.
pub(crate) fn limited(name: &str, organizations: &[&str]) -> Client {
    Client { organizations: organizations.iter().map(|org| org.parse().unwrap()).collect(), ..client(name) }
}

pub(crate) fn build(org: (&str, Option<&str>), repo: (&str, Option<&str>), number: u64) -> Build {
    Build {
        org: org.0.to_owned(),
        org_id: org.1.map(str::to_owned),
        repo: repo.0.to_owned(),
        repo_id: repo.1.map(str::to_owned),
        number,
        attempt: 1,
        event: Event::PullRequest,
        event_action: Some("opened".to_owned()),
        author: Some("octo \"cat\" \u{1f419}".to_owned()),
        author_id: None,
        actor: Some("octocat".to_owned()),
        actor_id: Some("7".to_owned()),
        git_ref: "refs/pull/5/head".to_owned(),
        sha: "0".repeat(40),
        base_ref: Some("main".to_owned()),
        head_ref: Some("topic".to_owned()),
        fork: false,
        trusted: true,
        ref_protected: None,
        environment: None,
        visibility: Some("private".to_owned()),
        workflow: None,
        workflow_ref: None,
        workflow_sha: None,
        job_workflow_ref: None,
        job_workflow_sha: None,
        runner_id: Some("w-3".to_owned()),
        runner_environment: None,
        properties: [("team".to_owned(), "payments".to_owned())].into(),
    }
}

pub(crate) fn acme(number: u64) -> Build {
    build(("acme", Some("42")), ("app", Some("1001")), number)
}

pub(crate) fn token(kind: TokenKind) -> NewRequestToken {
    NewRequestToken {
        id: token_id(),
        kind,
        digest: digest(),
        step: (kind == TokenKind::Step).then(|| BuildStep { step: "deploy".to_owned(), ..BuildStep::default() }),
        audiences: None,
        expires_at: after(3_600),
        max_uses: None,
    }
}

/// A registration with a worker's and a build-wide token.
pub(crate) fn registration(build: Build) -> NewBuild {
    NewBuild {
        id: build_id(),
        key: format!("{}/{}/{}", build.full_name(), build.number, build.attempt),
        body: Sha256::of(build.full_name().as_bytes()),
        build,
        audiences: Some(vec!["sts.amazonaws.com".parse().unwrap()]),
        registered_at: NOW,
        deadline: after(3_600),
        tokens: vec![token(TokenKind::Worker), token(TokenKind::Build)],
    }
}

/// A token that wants to leave, fetched with the build-wide request token.
pub(crate) fn issuance(client: &Client, new: &NewBuild) -> Issuance {
    let token = new.tokens.iter().find(|token| token.kind == TokenKind::Build);
    Issuance {
        row: AuditRow {
            jti: jti(),
            issued_at: NOW,
            expires_at: after(300),
            build_id: new.id,
            client_id: client.id.clone(),
            request_token_id: token.map(|token| token.id),
            rule: None,
            org: new.build.org.clone(),
            repo: new.build.repo.clone(),
            number: new.build.number,
            step: None,
            subject: "repo:acme@42/app@1001:pull_request".to_owned(),
            audiences: vec!["sts.amazonaws.com".to_owned(), "a\"b".to_owned()],
            alg: Algorithm::Es256,
            kid: "kid".to_owned(),
            token_sha256: digest(),
            peer: Some("192.0.2.7".to_owned()),
            claims: format!("{{\"sub\":\"x\",\"pad\":\"{}\"}}", "p".repeat(900)),
        },
        tokens_per_build: None,
        tokens_by_rule: None,
        client_revision: 0,
        now: NOW,
    }
}

/// Puts a client and a running build of it into the store.
pub(crate) async fn running(store: &dyn Store) -> (Client, NewBuild) {
    let client = client("ci");
    store.create_client(&issuer(), &client, digest()).await.unwrap().unwrap();
    running_for(store, client).await
}

/// The same of a client that the configuration declares.
pub(crate) async fn running_of_declared(store: &dyn Store) -> (Client, NewBuild) {
    let declared = DeclaredClient {
        name: "declared".into(),
        scopes: Scope::CI_SERVER.to_vec(),
        organizations: Vec::new(),
        audiences: Vec::new(),
        ids: None,
        secrets: (digest(), None),
    };
    store.apply_clients(&issuer(), &[declared], NOW, false).await.unwrap().unwrap();
    let client = store.list_clients(&issuer()).await.unwrap().remove(0);
    running_for(store, client).await
}

async fn running_for(store: &dyn Store, client: Client) -> (Client, NewBuild) {
    let new = registration(acme(17));
    let registered = store.register_build(&issuer(), &client, &new).await.unwrap().unwrap();
    assert_eq!(registered, BuildRegistration::New { renames: vec![], ids_taken: vec![] });
    (client, new)
}

/// All records of the store.
pub(crate) async fn recorded(store: &dyn Store) -> Vec<AuditRow> {
    store.list_audit(&issuer(), &Default::default(), None, 1_000_000).await.unwrap()
}

/// A change of these keys alone.
pub(crate) fn rows(rows: Vec<KeyRow>) -> KeyChange {
    KeyChange { rows, ..KeyChange::default() }
}

/// A change that may be written whenever its turn comes.
pub(crate) fn at_once() -> Still {
    Arc::new(|| true)
}

pub(super) async fn bearer(store: &dyn Store, digest: Sha256) -> TokenBearer {
    store.find_bearer(&issuer(), digest).await.unwrap().unwrap()
}

pub(super) async fn is_active(store: &dyn Store, digest: Sha256) -> bool {
    bearer(store, digest).await.is_active(after(1))
}

pub(super) async fn found(store: &dyn Store, id: BuildId) -> StoredBuild {
    store.find_build(&issuer(), id).await.unwrap().unwrap()
}
