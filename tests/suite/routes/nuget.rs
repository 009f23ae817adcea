//! `/api/v2/token`: NuGet's token API, with its ordered checks and texts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::exchange_setup::ExchangeSetup;
use crate::harness::{Auth, Reply};
use crate::verifier::forge::{claims_with, header};

pub(super) const FEED: &str = "https://nuget.example.com";
pub(super) const NO_POLICY: &str = "No matching trust policy owned by user 'octo' was found.";

/// Returns status and text of a reply.
pub(super) fn status_and_text(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["error"].as_str().unwrap_or_default().to_owned())
}

pub(super) fn refusal(status: u16, words: &str) -> (u16, String) {
    (status, words.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_token_becomes_an_api_key_of_the_packages_owner() {
    let setup = ExchangeSetup::open().await;
    let token = setup.token(FEED).await;
    let reply = setup.nuget(&token, "octo").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let answer = reply.json();
    let expires = answer["expires"].as_str().unwrap();
    assert!(expires.ends_with(".0000000+00:00") && expires.starts_with("2027-01-15T08:15:00"), "{expires}");
    assert_eq!(answer["tokenType"], "ApiKey");
    let known = setup.introspect(answer["apiKey"].as_str().unwrap()).await;
    assert_eq!((known["owner"].clone(), known["scope"].clone()), (json!("acme"), json!("package:push")));
    assert_eq!(known["packages"], json!(["Acme.*"]));
    let again = setup.nuget(&token, "octo").await;
    assert_eq!(again.status, 401);
    let used = "This bearer token has already been used. A new bearer token must be used for each request.";
    assert_eq!(again.json(), json!({ "error": used }));
    assert_eq!(again.header("www-authenticate"), Some("Bearer"));
}

const MISSING: &str = "The Authorization header is missing.";
const ONLY_ONE: &str = "Only one Authorization header is allowed.";
const START: &str = "The Authorization header value must start with 'Bearer '.";
const ONLY_BEARER: &str = "Only Bearer token authentication is accepted.";
const MEDIA_TYPE: &str = "The request must have a Content-Type of 'application/json'.";
const AGENT: &str = "A User-Agent header is required.";
const USERNAME: &str = "The username property in the request body is required.";
const TOKEN_TYPE: &str = "The tokenType property in the request body is required and must set to 'ApiKey'.";
const UNPARSED: &str = "The bearer token could not be parsed as a JSON web token.";

/// Headers and body, each with the expected status and text.
type Fault<'a> = (Vec<(&'a str, &'a str)>, &'a str, u16, &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_request_has_nugets_status_and_text() {
    let setup = ExchangeSetup::open().await;
    let good = json!({ "username": "octo", "tokenType": "ApiKey" }).to_string();
    let bearer = ("authorization", "Bearer x");
    let (json_type, agent) = (("content-type", "application/json"), ("user-agent", "test"));
    let cases: Vec<Fault<'_>> = vec![
        (vec![json_type, agent], &good, 401, MISSING),
        (vec![bearer, bearer, json_type, agent], &good, 401, ONLY_ONE),
        (vec![("authorization", "Bearer"), json_type, agent], &good, 401, START),
        (vec![("authorization", "Bearer2 x"), json_type, agent], &good, 401, START),
        (vec![("authorization", "Basic x"), json_type, agent], &good, 401, START),
        (vec![bearer, ("x-nuget-apikey", "k"), json_type, agent], &good, 401, ONLY_BEARER),
        (vec![bearer, ("cookie", "a=b"), json_type, agent], &good, 401, ONLY_BEARER),
        (vec![bearer, ("content-type", "text/plain"), agent], &good, 415, MEDIA_TYPE),
        (vec![bearer, ("content-type", "nonsense"), agent], &good, 415, MEDIA_TYPE),
        (vec![bearer, agent], &good, 415, MEDIA_TYPE),
        (vec![bearer, json_type], &good, 400, AGENT),
        (vec![bearer, json_type, ("user-agent", " ")], &good, 400, AGENT),
        (vec![bearer, json_type, agent], "{}", 400, USERNAME),
        (vec![bearer, json_type, agent], "nonsense", 400, USERNAME),
        (vec![bearer, json_type, agent], r#"{"username":"  ","tokenType":"ApiKey"}"#, 400, USERNAME),
        (vec![bearer, json_type, agent], r#"{"username":"octo","tokenType":"apikey"}"#, 400, TOKEN_TYPE),
        (vec![bearer, json_type, agent], r#"{"username":"octo"}"#, 400, TOKEN_TYPE),
        (vec![bearer, json_type, agent], &good, 401, UNPARSED),
        (vec![("authorization", "bearer x"), json_type, agent], &good, 401, UNPARSED),
        (vec![bearer, ("content-type", "application/json; charset=utf-8"), agent], &good, 401, UNPARSED),
    ];
    for (headers, body, status, text) in cases {
        let reply = setup.server.with_headers(Method::POST, "/api/v2/token", &headers, body).await;
        assert_eq!((reply.status, reply.json()), (status, json!({ "error": text })), "{headers:?} {body}");
        assert_eq!(reply.header("www-authenticate").is_some(), status == 401, "{text}");
    }
    let raw = setup
        .server
        .raw(b"POST /api/v2/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert!(raw.starts_with("HTTP/1.1 401 The Authorization header is missing.\r\n"), "the reason phrase too: {raw}");
}

/// Each request corrects the fault of the previous one and keeps all later faults.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_faults_the_first_in_nugets_order_is_answered() {
    let setup = ExchangeSetup::open().await;
    let (basic, bearer) = (("authorization", "Basic x"), ("authorization", "Bearer x"));
    let (cookie, plain, json_type) =
        (("cookie", "a=b"), ("content-type", "text/plain"), ("content-type", "application/json"));
    let (blank, agent) = (("user-agent", " "), ("user-agent", "test"));
    let cases: Vec<Fault<'_>> = vec![
        (vec![cookie, plain, blank], "{}", 401, MISSING),
        (vec![basic, bearer, cookie, plain, blank], "{}", 401, ONLY_ONE),
        (vec![basic, cookie, plain, blank], "{}", 401, START),
        (vec![bearer, cookie, plain, blank], "{}", 401, ONLY_BEARER),
        (vec![bearer, plain, blank], "{}", 415, MEDIA_TYPE),
        (vec![bearer, json_type, blank], "{}", 400, AGENT),
        (vec![bearer, json_type, agent], "{}", 400, USERNAME),
        (vec![bearer, json_type, agent], r#"{"username":"octo"}"#, 400, TOKEN_TYPE),
        (vec![bearer, json_type, agent], r#"{"username":"octo","tokenType":"ApiKey"}"#, 401, UNPARSED),
    ];
    for (headers, body, status, words) in cases {
        let reply = setup.server.with_headers(Method::POST, "/api/v2/token", &headers, body).await;
        assert_eq!(status_and_text(&reply), refusal(status, words), "{headers:?} {body}");
    }
}

/// Returns an external token for our feed with these claims changed; `null` removes a claim.
pub(super) fn partner(setup: &ExchangeSetup, changed: &Value) -> String {
    let mut claims = json!({ "aud": FEED });
    claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    setup.partner(claims)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_invalid_token_has_nugets_text_whether_or_not_the_user_exists() {
    const NOT_VALIDATED: &str = "The JSON web token could not be validated.";
    let setup = ExchangeSetup::open().await;
    setup.apply(&setup.external_providers()).await;
    let cases = [
        (json!({ "aud": [FEED, "x"] }), "The JSON web token must have exactly one aud claim value."),
        (json!({ "aud": [] }), "The JSON web token must have exactly one aud claim value."),
        (json!({ "aud": null }), "The JSON web token must have exactly one aud claim value."),
        (json!({ "aud": "  " }), "The JSON web token must have an aud claim."),
        (json!({ "iss": null }), "The JSON web token must have an iss claim."),
        (json!({ "iss": "" }), "The JSON web token must have an iss claim."),
        (json!({ "iss": "  " }), "The JSON web token must have an iss claim."),
        (json!({ "iss": "http://issuer.example" }), "The JSON web token iss claim must be a valid HTTPS URL."),
        (json!({ "iss": "https://other.example" }), "The JSON web token iss claim is not supported."),
        (json!({ "iss": "HTTPS://other.example" }), "The JSON web token iss claim is not supported."),
        (json!({ "iss": "https://" }), "The JSON web token iss claim must be a valid HTTPS URL."),
        (json!({ "jti": null }), "The JSON web token must have a jti claim."),
        (json!({ "jti": "  " }), "The JSON web token must have a jti claim."),
        (json!({ "exp": null }), NOT_VALIDATED),
        (
            json!({ "exp": 1_799_999_000, "iat": 1_799_998_900, "nbf": 1_799_998_900 }),
            "The JSON web token has expired.",
        ),
        (json!({ "nbf": 1_800_000_200 }), "The JSON web token is not yet valid."),
        (json!({ "aud": "x" }), "The JSON web token has an incorrect audience."),
    ];
    for (changed, text) in cases {
        for user in ["octo", "nobody"] {
            let reply = setup.nuget(&partner(&setup, &changed), user).await;
            assert_eq!((reply.status, reply.json()["error"].as_str()), (401, Some(text)), "{changed} for {user}");
        }
    }
    let forged =
        setup.forge.seal("RS384", &header("RS256").to_string(), &claims_with(json!({ "aud": FEED })).to_string());
    let reply = setup.nuget(&forged, "octo").await;
    assert_eq!(reply.json()["error"], "The JSON web token has an invalid signature.");
    setup.apply(&provider(&setup, "generic", "https://strict.example", "allowed_algorithms=[\"RS256\"]")).await;
    let elliptic =
        |issuer: &str| setup.forge.token(&header("ES256"), &claims_with(json!({ "aud": FEED, "iss": issuer })));
    let reply = setup.nuget(&elliptic("https://strict.example"), "octo").await;
    assert_eq!(status_and_text(&reply), refusal(401, NOT_VALIDATED), "an algorithm that its entry does not allow");
    let reply = setup.nuget(&elliptic("https://issuer.example"), "octo").await;
    assert_eq!(status_and_text(&reply), refusal(401, NO_POLICY), "and that another's does");
    // A valid token without a policy gets the same text, whichever user is named.
    for user in ["octo", "nobody"] {
        let reply = setup.nuget(&partner(&setup, &json!({})), user).await;
        let text = format!("No matching trust policy owned by user '{user}' was found.");
        assert_eq!((reply.status, reply.json()["error"].clone()), (401, json!(text)));
    }
}

/// Returns a provider with the key of `setup`, named like its kind.
pub(super) fn provider(setup: &ExchangeSetup, kind: &str, issuer: &str, more: &str) -> String {
    let jwks = toml::Value::try_from(setup.forge.jwks()).unwrap();
    format!("[[providers]]\nname=\"{kind}\"\nprovider=\"{kind}\"\nissuer=\"{issuer}\"\njwks={jwks}\n{more}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_index_names_the_token_service() {
    let setup = ExchangeSetup::open().await;
    let index = setup.server.get("/v3/index.json", Auth::None).await.json();
    assert_eq!(index["version"], "3.0.0");
    assert_eq!(index["resources"][0]["@id"], "https://ci.example.com/api/v2/token");
}
