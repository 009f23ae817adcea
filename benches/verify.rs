//! Speed of token verification, each measured beside its limit in the same run.
//!
//! ```text
//! cargo bench --profile dist --bench verify
//! ```

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a program that measures and prints"
)]

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use buildpass::base::{Clock, SystemClock};
use buildpass::jose::{KeySet, VerificationKey, peek};
use buildpass::verifier::{
    FixedKeys, KeySource, KeySourceError, Provider, ProviderSpec, Requirements, Verifier, Verifiers,
};
use serde_json::{Map, Value, json};

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(250);

/// Two test keys, and tokens of about the size of a build's token.
struct Forge {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
}

impl Forge {
    fn new() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        }
    }

    fn jwks(&self) -> Value {
        let half = self.rsa.public_key();
        let (n, e) = (half.modulus(), half.exponent());
        let (_, point) = self.p256.public_key().as_ref().split_first().unwrap();
        let (x, y) = point.split_at(32);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "keys": [
            { "kty": "RSA", "kid": "RS256", "alg": "RS256", "n": text(n.big_endian_without_leading_zero()),
              "e": text(e.big_endian_without_leading_zero()) },
            { "kty": "EC", "kid": "ES256", "alg": "ES256", "crv": "P-256", "x": text(x), "y": text(y) },
        ] })
    }

    fn token(&self, algorithm: &str, kid: &str, issuer: &str) -> String {
        let now = SystemClock::new().now().unix();
        let mut claims = json!({ "iss": issuer, "aud": "bench", "iat": now, "nbf": now, "exp": now + 3_600 });
        for number in 0..23 {
            claims[format!("claim_{number}")] = json!(format!("acme/app/{number}/0123456789abcdef"));
        }
        let header = json!({ "typ": "JWT", "alg": algorithm, "kid": kid });
        let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", text(&header), text(&claims));
        let random = SystemRandom::new();
        let signature = if algorithm == "RS256" {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign(&RSA_PKCS1_SHA256, &random, input.as_bytes(), &mut signature).unwrap();
            signature
        } else {
            self.p256.sign(&random, input.as_bytes()).unwrap().as_ref().to_vec()
        };
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn spec(issuer: &str) -> ProviderSpec {
    ProviderSpec {
        kind: "generic".to_owned(),
        issuer: Some(issuer.to_owned()),
        allow_private: vec!["127.0.0.1".to_owned()],
        ..ProviderSpec::default()
    }
}

/// Key source with a new generation at each call, so that no token is cached.
struct Unseen(FixedKeys);

#[async_trait]
impl KeySource for Unseen {
    fn generation(&self) -> Option<u64> {
        None
    }

    async fn find(&self, kid: &str) -> Result<(Arc<VerificationKey>, u64), KeySourceError> {
        self.0.find(kid).await
    }
}

/// Calls of `act` per second.
fn rate(mut act: impl FnMut()) -> f64 {
    let clock = SystemClock::new();
    let mut times = 0_u32;
    loop {
        for _ in 0..64 {
            act();
        }
        times += 64;
        if clock.monotonic() >= ROUND {
            return f64::from(times) / clock.monotonic().as_secs_f64();
        }
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

/// Measures a new token beside jsonwebtoken's `crypto::verify` with our parsing of header and claims, and a cached token
/// beside a new one.
fn verify(forge: &Forge, algorithm: &str, times_faster: f64) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let issuer = "https://issuer.example";
    let document = forge.jwks().to_string();
    let fixed = || FixedKeys::read(document.as_bytes()).unwrap();
    let provider = || Provider::new("bench", spec(issuer)).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let unseen = Verifier::new(provider(), Arc::new(Unseen(fixed())), Arc::clone(&clock));
    let seen = Verifier::new(provider(), Arc::new(fixed()), clock);
    let token = forge.token(algorithm, algorithm, issuer);
    let key = KeySet::read(document.as_bytes()).unwrap().find(algorithm).unwrap();
    let requirements = Requirements { audience: Some("bench"), ..Requirements::default() };
    let bare = || {
        let unverified = peek(&token).unwrap();
        key.check(&unverified).unwrap();
        black_box(serde_json::from_slice::<Map<String, Value>>(unverified.unverified_payload()).unwrap());
    };
    let of = |verifier: &Verifier| rate(|| drop(runtime.block_on(verifier.verify(&token, &requirements)).unwrap()));
    let rounds: Vec<[f64; 3]> = (0..ROUNDS).map(|_| [of(&unseen), rate(bare), of(&seen)]).collect();
    let pairs = |result: usize, limit: usize| -> Vec<(f64, f64)> {
        rounds.iter().filter_map(|round| Some((*round.get(result)?, *round.get(limit)?))).collect()
    };
    report("P5", &format!("{algorithm}, a new token beside bare"), &pairs(0, 1), 0.9);
    report("P5", &format!("{algorithm}, a token seen before beside a new one"), &pairs(2, 0), times_faster);
}

/// Counts the fetches of the key set during a thousand concurrent requests with unknown kids.
fn unknown_kids(forge: &Forge) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let fetches = Arc::new(AtomicUsize::new(0));
    let (counted, jwks) = (Arc::clone(&fetches), forge.jwks().to_string());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _head = stream.read(&mut [0; 4_096]).unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{jwks}", jwks.len())
                .unwrap();
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let spec = ProviderSpec { jwks_uri: Some(format!("{issuer}/jwks")), ..spec(&issuer) };
    let provider = Provider::new("bench", spec).unwrap();
    let refused = runtime.block_on(async {
        let verifiers = Arc::new(Verifiers::of(vec![provider], Arc::new(SystemClock::new())).unwrap());
        let tasks: Vec<_> = (0..1_000)
            .map(|number| {
                let token = forge.token("ES256", &format!("unknown-{number}"), &issuer);
                let verifiers = Arc::clone(&verifiers);
                tokio::spawn(async move { verifiers.verify(&token, &Requirements::default()).await.is_err() })
            })
            .collect();
        let mut refused = 0;
        for task in tasks {
            refused += usize::from(task.await.unwrap());
        }
        refused
    });
    let fetches = fetches.load(Ordering::SeqCst);
    let met = if (fetches, refused) == (1, 1_000) { "met" } else { "NOT MET" };
    println!("P10 {refused} of 1000 tokens with unknown kids refused, {fetches} fetch, limit 1: {met}");
}

fn main() {
    let forge = Forge::new();
    verify(&forge, "RS256", 10.0);
    verify(&forge, "ES256", 20.0);
    unknown_kids(&forge);
}
