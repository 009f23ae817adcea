//! Exchanges a second, each result beside its limit of the same run: the goals P6 and P8.
//!
//! ```text
//! cargo bench --profile dist --bench exchange
//! ```

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a program that measures and prints"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use buildpass::app::App;
use buildpass::base::{Clock, CredentialId, EventId, IdTokenId, IssuerId, Seconds, Sha256, SystemClock, SystemEntropy};
use buildpass::config::{Config, Flags, Sources};
use buildpass::exchange::{ChangeSet, RulesFile, read_rules_file};
use buildpass::http::{Limits, Listeners, serve};
use buildpass::store::{CredentialKind, EventRow, NewCredential, NewIdToken, Redemption, Store, TokenKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ROUNDS: usize = 9;
/// Exchanges in one round.
const EXCHANGES: usize = 1_536;
/// Number of concurrent connections.
const CONNECTIONS: usize = 64;
const ISSUER: &str = "https://issuer.example";

/// An external issuer. Its tokens are signed before the measurement starts.
struct Forge {
    key: RsaKeyPair,
}

impl Forge {
    fn new() -> Self {
        Self { key: RsaKeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    fn jwks(&self) -> Value {
        let half = self.key.public_key();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (n, e) =
            (half.modulus().big_endian_without_leading_zero(), half.exponent().big_endian_without_leading_zero());
        json!({ "keys": [{ "kty": "RSA", "kid": "k", "alg": "RS256", "n": text(n), "e": text(e) }] })
    }

    fn token(&self, issuer: &str, number: usize) -> String {
        let now = SystemClock::new().now().unix();
        let mut claims = json!({
            "iss": issuer, "aud": "gems.example.com", "sub": "repo:acme/app", "jti": format!("{number}"),
            "iat": now, "nbf": now, "exp": now + 3_600, "repository": "acme/app",
        });
        for number in 0..16 {
            claims[format!("claim_{number}")] = json!(format!("acme/app/{number}/0123456789abcdef"));
        }
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": "k" });
        let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", text(&header), text(&claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn tokens(&self, issuer: &str, from: usize, count: usize) -> Vec<String> {
        (from..from + count).map(|number| self.token(issuer, number)).collect()
    }
}

/// A server with a given number of roles and providers.
struct Server {
    app: Arc<App>,
    address: String,
    /// Token of the role in the middle of all; `issuer` is that of its provider.
    role: String,
    issuer: String,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start(forge: &Forge, roles: usize, providers: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        std::fs::write(folder.path().join("buildpass.toml"), TOML).unwrap();
        let config = Config::load(&Sources {
            file: Some(folder.path().join("buildpass.toml")),
            environment: BTreeMap::new(),
            working_dir: folder.path().to_owned(),
            flags: Flags::default(),
        });
        let config = config.unwrap();
        let app = App::start(&config, address, Arc::new(SystemClock::new()), Arc::new(SystemEntropy));
        let app = Arc::new(app.await.unwrap());
        let limits = Limits::of(1_024);
        tokio::spawn(serve(
            Arc::clone(&app),
            Listeners { public: listener, admin: None },
            limits,
            std::future::pending(),
        ));
        let issuer = |number: usize| if providers == 1 { ISSUER.to_owned() } else { format!("{ISSUER}/{number}") };
        let changes = ChangeSet { file: rules(forge, roles, providers, issuer), ..ChangeSet::default() };
        let applied = app.rules_editor().apply(&changes, "bench", false).await.unwrap();
        let middle = format!("role-{}", roles / 2);
        let role = applied.0.into_iter().find(|change| change.name == middle).unwrap().token.unwrap();
        Self { app, address: address.to_string(), role, issuer: issuer(roles / 2 % providers), _folder: folder }
    }

    /// Returns exchanges a second over all connections.
    async fn measure(&self, tokens: Vec<String>) -> f64 {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let connection = TcpStream::connect(&self.address).await.unwrap();
            connection.set_nodelay(true).unwrap();
            connections.push(connection);
        }
        let count = tokens.len();
        let mut share: Vec<Vec<Vec<u8>>> = vec![Vec::new(); CONNECTIONS];
        for (at, token) in tokens.into_iter().enumerate() {
            let body = json!({ "jwt": token }).to_string();
            let request = format!(
                "POST /api/v1/oidc/api_key_roles/{}/assume_role HTTP/1.1\r\nHost: x\r\nContent-Type: \
                 application/json\r\nContent-Length: {}\r\n\r\n{body}",
                self.role,
                body.len()
            );
            share[at % CONNECTIONS].push(request.into_bytes());
        }
        let clock = SystemClock::new();
        let tasks: Vec<_> = connections
            .into_iter()
            .zip(share)
            .map(|(mut connection, requests)| {
                tokio::spawn(async move {
                    let mut answer = vec![0; 8_192];
                    for request in requests {
                        connection.write_all(&request).await.unwrap();
                        let read = connection.read(&mut answer).await.unwrap();
                        assert!(
                            answer[..read].starts_with(b"HTTP/1.1 201 "),
                            "{}",
                            String::from_utf8_lossy(&answer[..read])
                        );
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        f64::from(u32::try_from(count).unwrap()) / clock.monotonic().as_secs_f64()
    }
}

const TOML: &str = "[issuer]\nurl = \"https://ci.example.com\"\n[exchange]\nrubygems_host = \"gems.example.com\"\n\
    [telemetry]\nlog_filter = \"warn\"\n";

fn rules(forge: &Forge, roles: usize, providers: usize, issuer: impl Fn(usize) -> String) -> RulesFile {
    let mut text = String::from("[[users]]\nname = \"octo\"\n");
    let jwks = toml::Value::try_from(forge.jwks()).unwrap();
    for number in 0..providers {
        text += &format!(
            "[[providers]]\nname = \"p{number}\"\nprovider = \"generic\"\nissuer = \"{}\"\njwks = {jwks}\n",
            issuer(number)
        );
    }
    for number in 0..roles {
        text += &format!(
            "[[rubygems.roles]]\nname = \"role-{number}\"\nuser = \"octo\"\nprovider = \"p{}\"\n\
             permissions = {{ scopes = [\"push_rubygem\"] }}\naccess_policy = {{ statements = [{{ effect = \"allow\", \
             conditions = [{{ operator = \"string_equals\", claim = \"repository\", value = \"acme/app\" }}] }}] }}\n",
            number % providers
        );
    }
    read_rules_file(&text).unwrap()
}

/// Returns redemptions a second in the store alone, without HTTP and signatures, with the same concurrency.
async fn rows(store: &Arc<dyn Store>, round: usize) -> f64 {
    let clock = SystemClock::new();
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|task| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                for number in 0..EXCHANGES / CONNECTIONS {
                    let redemption = redemption(&format!("{round}/{task}/{number}"));
                    store.redeem(&IssuerId::main(), &redemption).await.unwrap().unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    f64::from(u32::try_from(EXCHANGES).unwrap()) / clock.monotonic().as_secs_f64()
}

fn redemption(token: &str) -> Redemption {
    let now = SystemClock::new().now();
    let claims = json!({ "iss": ISSUER, "sub": "repo:acme/app", "pad": "p".repeat(700) }).to_string();
    Redemption {
        now,
        token: TokenKey { issuer: ISSUER.to_owned(), digest: Sha256::of(token.as_bytes()) },
        single_use: true,
        own: None,
        user: None,
        provider: "p0".to_owned(),
        provider_revision: None,
        entitlement: None,
        also: Vec::new(),
        pins: None,
        id_token: NewIdToken {
            id: IdTokenId::new(now, &SystemEntropy).unwrap(),
            kid: "k".to_owned(),
            header: "{}".to_owned(),
            claims,
            expires_at: now + Seconds::new(3_600),
        },
        credential: NewCredential {
            id: CredentialId::new(now, &SystemEntropy).unwrap(),
            kind: CredentialKind::Key,
            digest: Sha256::of(format!("key of {token}").as_bytes()),
            flow: "rubygems".to_owned(),
            name: "role-0".to_owned(),
            subject: "exchange:p0:repo".to_owned(),
            owner: Some("octo".to_owned()),
            scopes: vec!["push_rubygem".to_owned()],
            packages: vec!["*".to_owned()],
            audience: "gems.example.com".to_owned(),
            outlives_build: false,
            signed_by: None,
            expires_at: now + Seconds::new(1_800),
        },
        event: EventRow {
            id: EventId::new(now, &SystemEntropy).unwrap(),
            at: now,
            kind: "credential_created".to_owned(),
            flow: Some("rubygems".to_owned()),
            subject: Some("repo:acme/app".to_owned()),
            detail: json!({ "pad": "p".repeat(300) }).to_string(),
        },
    }
}

fn median(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
    (at(values.len() / 2), at(0), at(values.len().saturating_sub(1)))
}

fn report(id: &str, what: &str, rounds: &[(f64, f64)], goal: f64) {
    let (result, ..) = median(rounds.iter().map(|(result, _)| *result).collect());
    let (limit, ..) = median(rounds.iter().map(|(_, limit)| *limit).collect());
    let (ratio, lowest, highest) = median(rounds.iter().map(|(result, limit)| result / limit).collect());
    let met = if ratio >= goal { "met" } else { "NOT MET" };
    println!(
        "{id}  {what}: {result:.0}/s, limit {limit:.0}/s, ratio {ratio:.3} ({lowest:.3} to {highest:.3}), goal {goal}: {met}"
    );
}

/// Checks that of 64 concurrent exchanges of one token exactly one succeeds.
async fn one_of_sixty_four(server: &Server, token: &str) {
    let exchange = Arc::clone(server.app.exchange().unwrap());
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (exchange, role, token) = (Arc::clone(&exchange), server.role.clone(), token.to_owned());
            tokio::spawn(async move {
                let flow = buildpass::exchange::flows::rubygems_role::RubygemsRole { role };
                exchange.exchange(&flow, &buildpass::base::Secret::new(token)).await.is_ok()
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap());
    }
    println!("P6  of 64 racers at one token {won} won");
    assert_eq!(won, 1);
}

#[tokio::main]
async fn main() {
    let forge = Forge::new();
    let small = Server::start(&forge, 1, 1).await;
    let large = Server::start(&forge, 100_000, 1_000).await;
    // A store of its own, so that both sides write to a file of the same age.
    let beside = Server::start(&forge, 1, 1).await;
    let mut number = 0;
    let mut fresh = |issuer: &str| {
        number += EXCHANGES;
        forge.tokens(issuer, number, EXCHANGES)
    };
    small.measure(fresh(&small.issuer)).await;
    large.measure(fresh(&large.issuer)).await;
    rows(beside.app.store(), ROUNDS).await;
    let (mut p6, mut p8) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (of_small, of_large) = (fresh(&small.issuer), fresh(&large.issuer));
        let limit = rows(beside.app.store(), round).await;
        let result = small.measure(of_small).await;
        let crowded = large.measure(of_large).await;
        p6.push((result, limit));
        p8.push((crowded, result));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    report("P6", "exchange over HTTP with its transaction, beside the same rows alone", &p6, 0.6);
    report("P8", "with 100 000 roles and 1 000 providers, beside one of each", &p8, 0.9);
    one_of_sixty_four(&small, &forge.token(&small.issuer, 0)).await;
}
