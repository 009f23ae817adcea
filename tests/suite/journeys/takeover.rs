//! Takeover of another issuer's URL. The former issuer signs with its own key and strict clients cache its key set.
//! Neither its last tokens nor our first ones fail to verify.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use buildpass::base::{Entropy, IssuerId, Moment, Seconds, SystemEntropy};
use buildpass::jose::{Algorithm, Jwk, JwkSet, PrivateKey, SigningKey};
use buildpass::keyring::{Keyring, KeyringParts, Takeover, read_former_keys};
use buildpass::store::InFlight;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde_json::{Value, json};

use crate::harness::{Auth, START, Server, SettableClock, Start, registration_with};

/// The former issuer: one key, documents without a `Cache-Control`, tokens with a lifetime of an hour.
struct Former {
    key: EncodingKey,
    jwk: Value,
}

impl Former {
    fn new() -> Self {
        let private = PrivateKey::generate(Algorithm::Es256, 2048, &SystemEntropy).unwrap();
        let mut jwk = serde_json::to_value(SigningKey::from_private(&private).unwrap().jwk()).unwrap();
        // A `kid` in the form that Vela uses.
        jwk["kid"] = json!("0196f7a1-vela");
        Self { key: EncodingKey::from_ec_der(private.pkcs8()), jwk }
    }

    fn sign(&self, issuer: &str, now: Moment) -> String {
        let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
        header.kid = Some("0196f7a1-vela".to_owned());
        let claims = json!({"iss": issuer, "aud": "x", "sub": "theirs", "exp": now.unix() + 3_600});
        encode(&header, &claims, &self.key).unwrap()
    }
}

/// A client that caches a key set for its `max-age`, or for an hour without one.
struct Strict {
    held: JwkSet,
    until: Moment,
}

impl Strict {
    async fn verify(&mut self, server: &Server, token: &str, now: Moment) -> Result<(), String> {
        if now >= self.until {
            let reply = server.get("/.well-known/jwks", Auth::None).await;
            assert_eq!(reply.status, 200, "documents are served all the while");
            self.held = JwkSet::read(reply.text.as_bytes()).unwrap().0;
            self.until = now + Seconds::new(300);
        }
        let kid = decode_header(token).unwrap().kid.unwrap();
        let key: &Jwk = self.held.keys.iter().find(|key| key.kid() == kid).ok_or(format!("{kid} is unknown"))?;
        let key = serde_json::from_value(serde_json::to_value(key).unwrap()).unwrap();
        let mut validation = Validation::new(decode_header(token).unwrap().alg);
        validation.validate_exp = false;
        validation.set_audience(&["x"]);
        decode::<Value>(token, &DecodingKey::from_jwk(&key).unwrap(), &validation).map(drop).map_err(|e| e.to_string())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_tokens_of_a_former_issuer_and_our_first_verify_without_one_failure() {
    let former = Arc::new(Former::new());
    let clock = Arc::new(SettableClock::at(START));
    let start = Start::new("").at(&clock);
    let config = start.config();
    // `keys init --adopt`, while the former issuer still serves.
    let store = config.store.place.open(InFlight::default(), config.store.waits).await.unwrap();
    let parts = KeyringParts {
        store: Arc::clone(&store),
        issuer: IssuerId::main(),
        settings: config.keyring(),
        clock: Arc::clone(&clock) as Arc<_>,
        entropy: Arc::new(SystemEntropy) as Arc<dyn Entropy>,
    };
    let keyring = Keyring::attach(parts, &config.keys.kek_source()).await.unwrap();
    let served = serve(json!({"keys": [former.jwk]})).await;
    let adopted = read_former_keys(served.as_bytes()).unwrap();
    let (hour, two) = (Seconds::new(3_600), Seconds::new(7_200));
    let takeover = Takeover { cached_for: hour, adopt_for: two, source: None, until: None };
    keyring.init(&takeover, &adopted).await.unwrap();
    store.close().await;
    clock.advance(600);

    // One client fetched the key set just before the takeover and does not fetch it again for an hour.
    let now = || START + Seconds::new(600);
    let mut clients: Vec<Strict> =
        (0..12).map(|n| Strict { held: adopted.clone(), until: now() + Seconds::new(n * 300) }).collect();
    let server = start.go().await;
    let client = server.client().await;
    let build = server.register(&client, &registration_with(&json!({"timeout": "6h"}))).await;
    let issuer = server.app.issuer().url().as_str().to_owned();
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    let mut at = now();
    for _ in 0..40 {
        let reply = server.pull(&build, "audience=x&algorithm=ES256").await;
        if reply.status == 200 {
            ours.push(reply.token());
        } else {
            assert_eq!((reply.status, reply.code().as_str()), (503, "unavailable"));
            assert!(reply.header("retry-after").is_some());
            theirs.push(former.sign(&issuer, at));
        }
        let last = theirs.last().into_iter().chain(ours.last());
        for token in last {
            for (n, client) in clients.iter_mut().enumerate() {
                if let Err(problem) = client.verify(&server, token, at).await {
                    panic!("client {n} at {at}: {problem}");
                }
            }
        }
        server.clock.advance(150);
        at = at + Seconds::new(150);
        server.app.issuer().step().await.unwrap();
    }
    assert!(theirs.len() > 20 && ours.len() > 10, "{} {}", theirs.len(), ours.len());
    // The former issuer's key is rejected by our API, and unpublished when its time is over.
    server.clock.advance(2 * 7_200);
    server.app.issuer().step().await.unwrap();
    assert!(!server.get("/.well-known/jwks", Auth::None).await.text.contains("0196f7a1-vela"));
}

/// Fetches the document from a server of a few lines, as `keys init --adopt URL` does.
async fn serve(document: Value) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new()
        .route("/keys", get(move || async move { axum::Json(document) }))
        .route(
            "/discovery",
            get(move || async move { axum::Json(json!({"jwks_uri": format!("http://{address}/keys")})) }),
        )
        .route("/endless", get(|| async { vec![b' '; 2 * 1024 * 1024] }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let read =
        async |path: &str| buildpass::app::FormerIssuer::new(&format!("http://{address}{path}")).unwrap().read().await;
    assert_eq!(read("/discovery").await.unwrap().keys, read("/keys").await.unwrap().keys);
    assert!(read("/endless").await.unwrap_err().to_string().contains("more than"));
    assert!(read("/nowhere").await.unwrap_err().to_string().contains("404"));
    serde_json::to_string(&read("/keys").await.unwrap().keys).unwrap()
}
