//! Writes every token of the suite with our verdict to a file, for other libraries to verify: `tests/interop/verdicts.py`
//! puts the three verdicts in one table.

use std::fmt::Write as _;
use std::path::Path;

use buildpass::verifier::ProviderSpec;
use serde_json::{Value, json};

use super::forge::{AUDIENCE, Forge, ISSUER, claims_with, header};
use super::{spec, verify_one};
use crate::attacks::forged;
use crate::harness::START;

/// Valid tokens, and tokens with wrong claims but a valid form and signature.
fn honest(forge: &Forge) -> Vec<(String, String)> {
    let now = START.unix();
    let mut tokens: Vec<(String, String)> = ["RS256", "RS384", "RS512", "ES256", "ES384"]
        .map(|algorithm| (format!("good, {algorithm}"), forge.token(&header(algorithm), &claims_with(json!({})))))
        .into();
    let with = |payload: &str, from: &str, to: &str| {
        forge.seal("RS256", &header("RS256").to_string(), &payload.replace(from, to))
    };
    for (name, changed) in [
        ("no iss", json!({ "iss": null })),
        ("iss a list", json!({ "iss": [ISSUER] })),
        ("another iss", json!({ "iss": "https://evil.example" })),
        ("no aud", json!({ "aud": null })),
        ("aud a list of one", json!({ "aud": [AUDIENCE] })),
        ("aud a list of two", json!({ "aud": [AUDIENCE, "other"] })),
        ("aud an empty list", json!({ "aud": [] })),
        ("aud a number", json!({ "aud": 5 })),
        ("another aud", json!({ "aud": "other" })),
        ("no exp", json!({ "exp": null })),
        ("exp a string", json!({ "exp": (now + 300).to_string() })),
        ("exp negative", json!({ "exp": -1 })),
        ("exp huge", json!({ "exp": 1e30 })),
        ("expired a minute ago and a second", json!({ "iat": now - 400, "nbf": now - 400, "exp": now - 61 })),
        ("no iat", json!({ "iat": null })),
        ("iat ahead", json!({ "iat": now + 120 })),
        ("iat a string", json!({ "iat": now.to_string() })),
        ("nbf ahead", json!({ "nbf": now + 120 })),
        ("nbf a string", json!({ "nbf": "soon" })),
        ("no nbf", json!({ "nbf": null })),
        ("good for two days", json!({ "exp": now + 172_800 })),
        ("exp before iat", json!({ "iat": now + 50, "exp": now + 40 })),
        ("sub a number", json!({ "sub": 5 })),
        ("jti a list", json!({ "jti": [] })),
    ] {
        tokens.push((name.to_owned(), forge.with_claims(changed)));
    }
    let payload = claims_with(json!({})).to_string();
    let exp = (now + 300).to_string();
    tokens.push(("exp with a fraction".to_owned(), with(&payload, &exp, &format!("{exp}.7"))));
    tokens.push(("exp with an exponent".to_owned(), with(&payload, &exp, "1.8000003e9")));
    tokens
}

#[tokio::test]
async fn every_token_of_the_suite_is_exported_with_our_verdict() {
    let forge = Forge::new();
    let mut lines = String::new();
    let tokens = honest(&forge).into_iter().chain(forged::all(&forge));
    for (name, token) in tokens.filter(|(_, token)| token.len() < 100_000) {
        let provider = ProviderSpec { jwks: Some(forge.jwks().to_string()), ..spec(&forge) };
        let verdict = verify_one(provider, &token).await.map_or_else(|refusal| refusal.reason(), |_| "taken");
        let case: Value = json!({ "name": name, "token": token, "buildpass": verdict });
        writeln!(lines, "{case}").unwrap();
    }
    let setting = json!({ "jwks": forge.jwks(), "issuer": ISSUER, "audience": AUDIENCE, "now": START.unix() });
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join("verdicts.jsonl"), format!("{setting}\n{lines}")).unwrap();
    assert!(lines.lines().count() > 100);
}
