//! `/api/v2/token`: NuGet's token API, with its ordered checks and texts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::market::Market;
use crate::harness::{Auth, registration_with};
use crate::verifier::forge::{claims_with, header};

const FEED: &str = "https://nuget.example.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_build_token_becomes_an_api_key_of_the_packages_owner() {
    let market = Market::open().await;
    let token = market.token(FEED).await;
    let reply = market.nuget(&token, "octo").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let answer = reply.json();
    let expires = answer["expires"].as_str().unwrap();
    assert!(expires.ends_with(".0000000+00:00") && expires.starts_with("2027-01-15T08:15:00"), "{expires}");
    assert_eq!(answer["tokenType"], "ApiKey");
    let known = market.introspect(answer["apiKey"].as_str().unwrap()).await;
    assert_eq!((known["owner"].clone(), known["scope"].clone()), (json!("acme"), json!("package:push")));
    assert_eq!(known["packages"], json!(["Acme.*"]));
    let again = market.nuget(&token, "octo").await;
    assert_eq!(again.status, 401);
    let used = "This bearer token has already been used. A new bearer token must be used for each request.";
    assert_eq!(again.json(), json!({ "error": used }));
    assert_eq!(again.header("www-authenticate"), Some("Bearer"));
}

/// Headers, body, and the status and text that they get.
type Fault<'a> = (Vec<(&'a str, &'a str)>, &'a str, u16, &'a str);

/// The checks before the token, in their order.
#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_request_has_nugets_status_and_text_in_their_order() {
    let market = Market::open().await;
    let good = json!({ "username": "octo", "tokenType": "ApiKey" }).to_string();
    let bearer = ("authorization", "Bearer x");
    let (json_type, agent) = (("content-type", "application/json"), ("user-agent", "test"));
    const START: &str = "The Authorization header value must start with 'Bearer '.";
    let cases: Vec<Fault<'_>> = vec![
        (vec![json_type, agent], &good, 401, "The Authorization header is missing."),
        (vec![bearer, bearer, json_type, agent], &good, 401, "Only one Authorization header is allowed."),
        (vec![("authorization", "Bearer"), json_type, agent], &good, 401, START),
        (vec![("authorization", "Bearer2 x"), json_type, agent], &good, 401, START),
        (vec![("authorization", "Basic x"), json_type, agent], &good, 401, START),
        (vec![bearer, ("x-nuget-apikey", "k"), json_type], &good, 401, "Only Bearer token authentication is accepted."),
        (vec![bearer, ("cookie", "a=b"), json_type], &good, 401, "Only Bearer token authentication is accepted."),
        (
            vec![bearer, ("content-type", "text/plain")],
            &good,
            415,
            "The request must have a Content-Type of 'application/json'.",
        ),
        (vec![bearer, json_type, ("user-agent", " ")], "{}", 400, "A User-Agent header is required."),
        (vec![bearer, json_type, agent], "{}", 400, "The username property in the request body is required."),
        (vec![bearer, json_type, agent], "nonsense", 400, "The username property in the request body is required."),
        (
            vec![bearer, json_type, agent],
            r#"{"username":"octo","tokenType":"apikey"}"#,
            400,
            "The tokenType property in the request body is required and must set to 'ApiKey'.",
        ),
        (vec![bearer, json_type, agent], &good, 401, "The bearer token could not be parsed as a JSON web token."),
    ];
    for (headers, body, status, text) in cases {
        let reply = market.server.with_headers(Method::POST, "/api/v2/token", &headers, body).await;
        assert_eq!((reply.status, reply.json()), (status, json!({ "error": text })), "{headers:?} {body}");
        assert_eq!(reply.header("www-authenticate").is_some(), status == 401, "{text}");
    }
    let raw = market
        .server
        .raw(b"POST /api/v2/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert!(raw.starts_with("HTTP/1.1 401 The Authorization header is missing.\r\n"), "the reason phrase too: {raw}");
}

fn partner(market: &Market, changed: Value) -> String {
    let mut claims = claims_with(json!({ "aud": FEED }));
    for (name, value) in changed.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    market.forge.token(&header("RS256"), &claims)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_token_has_nugets_text_whether_there_is_such_a_user_or_not() {
    let market = Market::open().await;
    market.apply(&market.strangers()).await;
    let cases = [
        (json!({ "aud": [FEED, "x"] }), "The JSON web token must have exactly one aud claim value."),
        (json!({ "aud": null }), "The JSON web token must have an aud claim."),
        (json!({ "iss": null }), "The JSON web token must have an iss claim."),
        (json!({ "iss": "http://issuer.example" }), "The JSON web token iss claim must be a valid HTTPS URL."),
        (json!({ "iss": "https://other.example" }), "The JSON web token iss claim is not supported."),
        (json!({ "jti": null }), "The JSON web token must have a jti claim."),
        (
            json!({ "exp": 1_799_999_000, "iat": 1_799_998_900, "nbf": 1_799_998_900 }),
            "The JSON web token has expired.",
        ),
        (json!({ "nbf": 1_800_000_200 }), "The JSON web token is not yet valid."),
        (json!({ "aud": "x" }), "The JSON web token has an incorrect audience."),
    ];
    for (changed, text) in cases {
        for user in ["octo", "nobody"] {
            let reply = market.nuget(&partner(&market, changed.clone()), user).await;
            assert_eq!((reply.status, reply.json()["error"].as_str()), (401, Some(text)), "{changed} for {user}");
        }
    }
    let forged =
        market.forge.seal("RS384", &header("RS256").to_string(), &claims_with(json!({ "aud": FEED })).to_string());
    let reply = market.nuget(&forged, "octo").await;
    assert_eq!(reply.json()["error"], "The JSON web token has an invalid signature.");
    // A good token of somebody whom no policy knows reads the same, whoever is named.
    for user in ["octo", "nobody"] {
        let reply = market.nuget(&partner(&market, json!({})), user).await;
        let text = format!("No matching trust policy owned by user '{user}' was found.");
        assert_eq!((reply.status, reply.json()["error"].clone()), (401, json!(text)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_tried_oldest_first_and_what_may_be_told_is_joined() {
    let market = Market::open().await;
    let policy = |name: &str, environment: &str, valid_for: &str| {
        format!(
            "[[nuget.trust_policies]]\nname=\"{name}\"\nuser=\"second\"\nowner=\"{name}\"\nkind=\"vela\"\n\
             criteria={{org=\"ACME\",repo=\"App\",environment=\"{environment}\"}}\nvalid_for=\"{valid_for}\"\n"
        )
    };
    let rules = "[[users]]\nname=\"second\"\n".to_owned()
        + &policy("one", "production", "1h")
        + &policy("two", "staging", "1m");
    market.apply(&rules).await;
    let reply = market.nuget(&market.token(FEED).await, "second").await;
    let text = "Environment mismatch for policy 'one': expected 'production', actual ''. Environment mismatch for \
                policy 'two': expected 'staging', actual ''";
    assert_eq!(reply.json()["error"].as_str().map(|told| told.replace("'' E", "''. E")), Some(text.to_owned()));
    let staged = json!({ "audience": FEED, "step": { "step": "deploy", "environment": "Staging" } });
    let reply = market.nuget(&market.token_of(&market.build.id, staged.clone()).await, "second").await;
    assert_eq!(reply.status, 200, "names without case: {}", reply.text);
    assert_eq!(market.introspect(reply.json()["apiKey"].as_str().unwrap()).await["owner"], "two");
    market.apply("[[users]]\nname=\"second\"\ndisabled=true\n").await;
    let locked = market.nuget(&market.token_of(&market.build.id, staged).await, "second").await;
    assert_eq!((locked.status, locked.json()["error"].clone()), (400, json!("The user 'second' is locked.")));
    let other = market
        .server
        .register(&market.client, &registration_with(&json!({ "repo": "other", "repo_id": "2002", "number": 2 })))
        .await;
    let token = market.token_of(&other.id, json!({ "audience": FEED })).await;
    let reply = market.nuget(&token, "octo").await;
    assert_eq!(reply.json()["error"], "No matching trust policy owned by user 'octo' was found.");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_index_names_the_token_service() {
    let market = Market::open().await;
    let index = market.server.get("/v3/index.json", Auth::None).await.json();
    assert_eq!(index["version"], "3.0.0");
    assert_eq!(index["resources"][0]["@id"], "https://ci.example.com/api/v2/token");
}
