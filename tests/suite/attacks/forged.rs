//! Forged tokens of every family. Each is a valid token changed in one way and is rejected for a reason of its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use buildpass::verifier::{ProviderSpec, Requirements};
use serde_json::{Value, json};

use crate::verifier::forge::{Forge, base64url, claims_with, good, header};
use crate::verifier::{spec, verifiers, verify_one};

/// The parts of a valid token.
fn parts(token: &str) -> (String, String, String) {
    let mut parts = token.split('.').map(str::to_owned);
    (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
}

/// Returns every forged token by its name.
pub(crate) fn all(forge: &Forge) -> Vec<(String, String)> {
    let families = [of_other_algorithms, of_other_keys, of_other_texts, of_other_headers, of_other_signatures];
    families.into_iter().flat_map(|family| family(forge)).collect()
}

async fn table(forge: &Forge, attacks: Vec<(String, String)>) -> String {
    let mut table = String::new();
    for (name, token) in attacks {
        match verify_one(spec(forge), &token).await {
            Ok(_) => panic!("taken: {name}"),
            Err(refusal) => {
                let text = refusal.to_string().replace(char::is_control, "\u{fffd}");
                table.push_str(&format!("{name}: {}: {text}\n", refusal.reason()));
            }
        }
    }
    table
}

fn of_other_algorithms(forge: &Forge) -> Vec<(String, String)> {
    let mut attacks = Vec::new();
    for none in ["none", "None", "NONE", "nOnE", "", " none", "none ", "n\u{6f}ne\u{0}"] {
        let head = json!({ "typ": "JWT", "alg": none, "kid": "rsa" });
        let (signed_head, payload, signature) = parts(&forge.seal("RS256", &head.to_string(), &good().to_string()));
        attacks.push((format!("alg {none:?}, a signature"), format!("{signed_head}.{payload}.{signature}")));
        attacks.push((format!("alg {none:?}, no signature"), format!("{signed_head}.{payload}.")));
    }
    for (name, secret) in [("its JSON", forge.rsa_jwk().to_string()), ("its modulus", forge.rsa_jwk()["n"].to_string())]
    {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
        let head = base64url(json!({ "typ": "JWT", "alg": "HS256", "kid": "rsa" }).to_string());
        let input = format!("{head}.{}", base64url(good().to_string()));
        let tag = aws_lc_rs::hmac::sign(&key, input.as_bytes());
        attacks.push((format!("HS256 with {name} as the secret"), format!("{input}.{}", base64url(tag))));
    }
    for alg in ["PS256", "ES512", "EdDSA", "RS1", "HS512", "rs256", "RS256 "] {
        attacks.push((format!("alg {alg:?}"), forge.with_header(json!({ "alg": alg }))));
    }
    attacks.push(("alg a list".to_owned(), forge.with_header(json!({ "alg": ["RS256"] }))));
    attacks.push(("alg absent".to_owned(), forge.with_header(json!({ "alg": null }))));
    attacks
}

#[tokio::test]
async fn an_algorithm_that_is_none_or_another_family_is_refused_before_any_key_is_asked_for() {
    let forge = Forge::new();
    insta::assert_snapshot!(table(&forge, of_other_algorithms(&forge)).await);
}

/// Header members that name or carry a key.
fn key_bearers(stranger: &Forge) -> [(&'static str, Value); 4] {
    [
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/chain")),
        ("jwk", stranger.rsa_jwk()),
        ("x5c", json!(["MIIB"])),
    ]
}

fn of_other_keys(forge: &Forge) -> Vec<(String, String)> {
    let stranger = Forge::new();
    let mut attacks = vec![
        (
            "ES256 by the name of an RSA key".to_owned(),
            forge.seal("ES256", &json!({ "alg": "ES256", "kid": "rsa" }).to_string(), &good().to_string()),
        ),
        ("RS256 by the name of a P-256 key".to_owned(), forge.with_header(json!({ "kid": "p256" }))),
        (
            "ES384 by the name of a P-256 key".to_owned(),
            forge.seal("ES384", &json!({ "alg": "ES384", "kid": "p256" }).to_string(), &good().to_string()),
        ),
        ("RS384 signed as RS256".to_owned(), forge.with_header(json!({ "alg": "RS384" }))),
        ("another issuer's key of the same name".to_owned(), stranger.good_token()),
        ("no kid".to_owned(), forge.with_header(json!({ "kid": null }))),
        ("a kid that is a number".to_owned(), forge.with_header(json!({ "kid": 1 }))),
        ("a kid that is null".to_owned(), forge.seal("RS256", r#"{"alg":"RS256","kid":null}"#, &good().to_string())),
    ];
    for kid in
        ["../../../../dev/null", "/dev/null", "' OR '1'='1", "rsa\u{0}", "RSA", "rsa ", "", "https://evil.example/key"]
    {
        attacks.push((format!("kid {kid:?}"), forge.with_header(json!({ "kid": kid }))));
    }
    for (name, value) in key_bearers(&stranger) {
        let mut head = header("RS256");
        head[name] = value;
        attacks.push((format!("a stranger's key in {name}"), stranger.token(&head, &good())));
    }
    attacks
}

#[tokio::test]
async fn a_key_is_the_providers_own_by_its_name_and_nothing_that_the_token_brings() {
    let forge = Forge::new();
    insta::assert_snapshot!(table(&forge, of_other_keys(&forge)).await);
    for (name, value) in key_bearers(&Forge::new()) {
        let mut head = header("RS256");
        head[name] = value;
        let verdict = verify_one(spec(&forge), &forge.token(&head, &good())).await;
        assert!(verdict.is_ok(), "{name} of a good token is not looked at");
    }
}

fn of_other_texts(forge: &Forge) -> Vec<(String, String)> {
    let (head, payload, signature) = parts(&forge.good_token());
    let seal = |header: &str, payload: &str| forge.seal("RS256", header, payload);
    let good_header = header("RS256").to_string();
    let twice = |member: &str| format!("{{{member},{}", good().to_string().trim_start_matches('{'));
    let padded = STANDARD.encode(good().to_string());
    // The last character of a signature of 256 bytes has four spare bits, which must be zero.
    let mut spare = signature.clone();
    let last = spare.pop().unwrap();
    spare.push(if last == 'A' { 'B' } else { char::from(u8::try_from(u32::from(last)).unwrap() + 1) });
    let deep = format!("{{\"iss\":\"https://issuer.example\",\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let cases: Vec<(&str, String)> = vec![
        ("nothing", String::new()),
        ("two parts", format!("{head}.{payload}")),
        ("four parts", format!("{head}.{payload}.{signature}.x")),
        ("five parts", format!("{head}.{payload}.{signature}.x.y")),
        ("an empty signature", format!("{head}.{payload}.")),
        ("an empty payload", format!("{head}..{signature}")),
        ("a byte after the end", format!("{head}.{payload}.{signature}\n")),
        ("a space before", format!(" {head}.{payload}.{signature}")),
        ("Bearer before", format!("Bearer {head}.{payload}.{signature}")),
        ("a NUL at the end", format!("{head}.{payload}.{signature}\0")),
        ("padding", format!("{head}.{payload}.{signature}==")),
        ("base64's own alphabet", format!("{head}.{padded}.{signature}")),
        ("spare bits that are not zero", format!("{head}.{payload}.{spare}")),
        ("a line end within", format!("{head}.{payload}\n.{signature}")),
        ("alg twice", seal(r#"{"alg":"RS256","kid":"rsa","alg":"none"}"#, &good().to_string())),
        ("kid twice, once escaped", seal(r#"{"alg":"RS256","kid":"rsa","\u006bid":"p256"}"#, &good().to_string())),
        ("iss twice", seal(&good_header, &twice(r#""iss":"https://evil.example""#))),
        ("exp twice", seal(&good_header, &twice(r#""exp":9999999999"#))),
        ("repository twice", seal(&good_header, &twice(r#""repository":"evil/app""#))),
        ("a member twice in a claim", seal(&good_header, &twice(r#""x":{"a":1,"a":2}"#))),
        ("a byte order mark", seal(&good_header, &format!("\u{feff}{}", good()))),
        ("a payload that is a list", seal(&good_header, "[]")),
        ("a payload that is a string", seal(&good_header, "\"x\"")),
        ("a payload and more", seal(&good_header, &format!("{}{{}}", good()))),
        ("a token within a token", seal(r#"{"alg":"RS256","kid":"rsa","cty":"JWT"}"#, &forge.good_token())),
        ("a number without end", seal(&good_header, &twice(r#""x":1e999"#))),
        ("a lone surrogate", seal(&good_header, &twice(r#""x":"\ud800""#))),
        ("deep nesting", seal(&good_header, &deep)),
        ("a mebibyte", format!("{head}.{}.{signature}", "A".repeat(1_048_576))),
        (
            "a header of 20 KiB",
            seal(&json!({ "alg": "RS256", "kid": "rsa", "x": "y".repeat(20_000) }).to_string(), "{}"),
        ),
    ];
    cases.into_iter().map(|(name, token)| (name.to_owned(), token)).collect()
}

#[tokio::test]
async fn a_text_that_two_readers_would_read_differently_is_no_token() {
    let forge = Forge::new();
    insta::assert_snapshot!(table(&forge, of_other_texts(&forge)).await);
}

fn of_other_headers(forge: &Forge) -> Vec<(String, String)> {
    let cases = [
        ("crit", json!({ "crit": ["exp"], "exp": 1 })),
        ("crit, empty", json!({ "crit": [] })),
        ("b64", json!({ "crit": ["b64"], "b64": false })),
        ("b64 alone", json!({ "b64": true })),
        ("zip", json!({ "zip": "DEF" })),
        ("an access token", json!({ "typ": "at+jwt" })),
        ("an access token, spelt out", json!({ "typ": "application/AT+JWT" })),
        ("a logout token", json!({ "typ": "logout+jwt" })),
        ("a DPoP proof", json!({ "typ": "dpop+jwt" })),
        ("an empty typ", json!({ "typ": "" })),
        ("a typ that is a number", json!({ "typ": 1 })),
    ];
    cases.into_iter().map(|(name, changed)| (name.to_owned(), forge.with_header(changed))).collect()
}

#[tokio::test]
async fn a_header_that_asks_for_more_than_a_plain_id_token_is_refused() {
    let forge = Forge::new();
    insta::assert_snapshot!(table(&forge, of_other_headers(&forge)).await);
    for typ in ["JWT", "jwt", "application/jwt", "JOSE"] {
        verify_one(spec(&forge), &forge.with_header(json!({ "typ": typ }))).await.unwrap();
    }
    verify_one(spec(&forge), &forge.with_header(json!({ "typ": null }))).await.unwrap();
}

/// Encodes the two numbers of a signature as DER (RFC 3279 §2.2.3).
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let number: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = if number.first().is_some_and(|byte| *byte >= 0x80) { vec![0] } else { Vec::new() };
        let body = [sign, number].concat();
        [vec![2, u8::try_from(body.len()).unwrap()], body].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let body = [integer(r), integer(s)].concat();
    [vec![0x30, u8::try_from(body.len()).unwrap()], body].concat()
}

fn of_other_signatures(forge: &Forge) -> Vec<(String, String)> {
    let head = base64url(header("ES256").to_string());
    let payload = base64url(good().to_string());
    let input = format!("{head}.{payload}");
    let real = forge.signature("ES256", input.as_bytes());
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51_u8,
    ];
    let mut flipped = real.clone();
    flipped[0] ^= 1;
    let rsa = forge.signature("RS256", format!("{}.{payload}", base64url(header("RS256").to_string())).as_bytes());
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("(0, 0)", vec![0; 64]),
        ("(r, 0)", [&real[..32], &[0; 32]].concat()),
        ("(0, s)", [&[0; 32], &real[32..]].concat()),
        ("(n, n)", [order, order].concat()),
        ("DER", der(&real)),
        ("one byte short", real[..63].to_vec()),
        ("one byte more", [&real[..], &[0]].concat()),
        ("one bit flipped", flipped),
        ("that of another token", forge.signature("ES256", b"another")),
        ("an RSA key's", rsa),
    ];
    let mut attacks: Vec<(String, String)> = cases
        .into_iter()
        .map(|(name, signature)| (format!("ES256 {name}"), format!("{input}.{}", base64url(signature))))
        .collect();
    let (head, _, signature) = parts(&forge.good_token());
    let changed = base64url(claims_with(json!({ "repository": "evil/app" })).to_string());
    attacks.push(("RS256 over other claims".to_owned(), format!("{head}.{changed}.{signature}")));
    attacks.push(("RS256, zeros".to_owned(), format!("{head}.{payload}.{}", base64url([0; 256]))));
    attacks.push(("RS256, one".to_owned(), format!("{head}.{payload}.{}", base64url([&[0; 255][..], &[1]].concat()))));
    attacks
}

#[tokio::test]
async fn a_signature_is_exactly_the_keys_in_exactly_its_form() {
    let forge = Forge::new();
    insta::assert_snapshot!(table(&forge, of_other_signatures(&forge)).await);
}

/// `s` and `n − s` both verify, so that the two forms must count as one token.
#[tokio::test]
async fn a_token_with_the_other_signature_of_the_same_key_is_the_same_token() {
    let forge = Forge::new();
    let (verifiers, _) = verifiers(vec![("forge", spec(&forge))]);
    let one = forge.token(&header("ES256"), &good());
    let other = forge.token(&header("ES256"), &good());
    assert_ne!(one, other, "ECDSA draws a number for each signature");
    let digest = async |token: &str| verifiers.verify(token, &Requirements::default()).await.unwrap().digest();
    assert_eq!(digest(&one).await, digest(&other).await);
}

#[tokio::test]
async fn a_key_that_is_weak_or_meant_for_something_else_checks_nothing() {
    let forge = Forge::new();
    let spoil = |changed: Value| {
        let mut key = forge.rsa_jwk();
        for (name, value) in changed.as_object().unwrap() {
            key[name] = value.clone();
        }
        json!({ "keys": [key, forge.jwks()["keys"][1]] }).to_string()
    };
    let twice = json!({ "keys": [forge.rsa_jwk(), Forge::new().rsa_jwk(), forge.jwks()["keys"][1]] }).to_string();
    for (name, jwks) in [
        ("exponent 1", spoil(json!({ "e": "AQ" }))),
        ("an even exponent", spoil(json!({ "e": "AQAA" }))),
        ("another use", spoil(json!({ "use": "enc" }))),
        ("other operations", spoil(json!({ "key_ops": ["sign"] }))),
        ("another algorithm", spoil(json!({ "alg": "RS512" }))),
        ("an algorithm of another family", spoil(json!({ "alg": "PS256" }))),
        ("a private member", spoil(json!({ "d": "AQAB" }))),
        ("another kind", spoil(json!({ "kty": "oct" }))),
        ("padding in its modulus", spoil(json!({ "n": "AQAB==" }))),
        ("two keys of one name", twice),
    ] {
        let spec = ProviderSpec { jwks: Some(jwks), ..spec(&forge) };
        let reason = verify_one(spec, &forge.good_token()).await.unwrap_err().reason();
        let expected = if name == "another algorithm" { "algorithm_not_of_key" } else { "unknown_key" };
        assert_eq!(reason, expected, "{name}");
    }
    for (name, changed) in [
        ("its use", json!({ "use": "sig" })),
        ("its operations", json!({ "key_ops": ["verify"] })),
        ("its algorithm", json!({ "alg": "RS256" })),
    ] {
        let spec = ProviderSpec { jwks: Some(spoil(changed)), ..spec(&forge) };
        assert!(verify_one(spec, &forge.good_token()).await.is_ok(), "{name} written rightly");
    }
}
