//! A valid token changed in one way each: malformed tokens, and signatures that do not match.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use buildpass::base::SystemEntropy;
use buildpass::jose::{Algorithm, PrivateKey, SigningKey, VerificationKey, peek};

fn text(part: &str) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

#[test]
fn a_malformed_token_is_rejected_with_its_reason() {
    let (header, payload, signature) = (text(r#"{"alg":"ES256"}"#), text("{}"), text("s"));
    peek(&format!("{header}.{payload}.{signature}")).unwrap();
    let mut table = String::new();
    for (what, token) in [
        ("empty", String::new()),
        ("two parts", format!("{header}.{payload}")),
        ("four parts", format!("{header}.{payload}.{signature}.{signature}")),
        ("no signature", format!("{header}.{payload}.")),
        ("padding", format!("{header}=.{payload}.{signature}")),
        ("the other alphabet", format!("{}.{payload}.{signature}", header.replace('J', "+"))),
        ("spare bits", format!("{header}.{payload}.{}", "cx")),
        ("white space before", format!(" {header}.{payload}.{signature}")),
        ("a line end after", format!("{header}.{payload}.{signature}\n")),
        ("a header that is no object", format!("{}.{payload}.{signature}", text("[]"))),
        ("a payload that is no object", format!("{header}.{}.{signature}", text("7"))),
        (
            "a nested token as payload",
            format!("{header}.{}.{signature}", text(&format!("{header}.{payload}.{signature}"))),
        ),
        ("a header member twice", format!("{}.{payload}.{signature}", text(r#"{"alg":"ES256","alg":"none"}"#))),
        ("a payload member twice", format!("{header}.{}.{signature}", text(r#"{"sub":"a","sub":"b"}"#))),
        ("twice under another spelling", format!("{header}.{}.{signature}", text(r#"{"sub":"a","s\u0075b":"b"}"#))),
        ("no alg", format!("{}.{payload}.{signature}", text(r#"{"typ":"JWT"}"#))),
        ("a number as alg", format!("{}.{payload}.{signature}", text(r#"{"alg":256}"#))),
        ("a null kid", format!("{}.{payload}.{signature}", text(r#"{"alg":"ES256","kid":null}"#))),
        ("17 KiB", format!("{header}.{}.{signature}", "A".repeat(17 * 1024))),
        ("invalid UTF-8", format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(b"{\"a\":\"\xff\"}"))),
    ] {
        let refused = peek(&token).map(|_| ()).unwrap_err();
        table.push_str(&format!("{what}: {refused}\n"));
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_header_never_chooses_how_its_token_is_checked() {
    let private = PrivateKey::generate(Algorithm::Es256, 0, &SystemEntropy).unwrap();
    let key = SigningKey::from_private(&private).unwrap();
    let check = VerificationKey::from_jwk(key.jwk()).unwrap();
    let token = key.sign(b"{}").unwrap();
    check.check(&peek(&token).unwrap()).unwrap();
    let (_, rest) = token.split_once('.').unwrap();
    let mut table = String::new();
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"es256"}"#,
        r#"{"alg":"ES384"}"#,
        r#"{"alg":""}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"ES256","crit":["exp"]}"#,
        r#"{"alg":"ES256","b64":false}"#,
        r#"{"alg":"ES256","jwk":{"kty":"oct","k":""}}"#,
    ] {
        let spoiled = format!("{}.{rest}", text(header));
        table.push_str(&format!("{header}: {}\n", check.check(&peek(&spoiled).unwrap()).unwrap_err()));
    }
    insta::assert_snapshot!(table);
}
