//! `GET|POST /api/v1/builds/{id}/id_token`: a job fetches its ID token.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Auth, Server, claims, registration_with};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_serves_githubs_and_velas_clients_alike() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    let reply = server.pull(&build, "audience=sts.amazonaws.com").await;
    let body = reply.json();
    assert_eq!(body["value"], body["token"]);
    let claims = claims(&reply.token());
    assert_eq!(claims["jti"], body["jti"]);
    assert_eq!(claims["aud"], "sts.amazonaws.com");
    assert_eq!(claims["nbf"].as_i64().unwrap() + 5, claims["iat"].as_i64().unwrap());
    insta::assert_json_snapshot!(body, {
        ".value" => "[jwt]", ".token" => "[jwt]", ".jti" => "[jti]", ".issuer" => "[issuer]",
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn post_reads_the_query_alone_and_looks_at_no_header() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    let url = format!("{}&audience=x&unknown=1&unknown=2", build.request_url);
    let body = json!({"audience": "y"});
    let reply = server.send(Method::POST, &url, Auth::Token(&build.request_token), Some(&body)).await;
    assert_eq!(claims(&reply.token())["aud"], "x");
    let request = format!(
        "GET {}&audience=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nauthorization: bEaReR {}\r\n\
         Accept: image/png\r\nContent-Type: nonsense\r\n\r\n",
        build.request_url.strip_prefix(&server.url).unwrap(),
        build.request_token
    );
    let answer = server.raw(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_is_the_token_and_nothing_else() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    let reply = server.pull(&build, "audience=x&format=raw").await;
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.text.split('.').count(), 3);
    assert_eq!(reply.text.trim(), reply.text);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_shows_everything_but_a_token_and_leaves_no_row() {
    let server = Server::start().await;
    let (client, build) = server.build().await;
    let reply = server.pull(&build, "audience=x&preview=1&algorithm=ES256&lifetime=60").await;
    let body = reply.json();
    assert_eq!(body["claims"]["sub"], body["subject"]);
    assert!(body["claims"].get("jti").is_none() && body.get("value").is_none());
    assert_eq!((body["algorithm"].as_str(), body["expires_in"].as_u64()), (Some("ES256"), Some(60)));
    let shown = server.get(&format!("/api/v1/builds/{}", build.id), Auth::Client(&client)).await.json();
    assert_eq!(shown["tokens_issued"], 0);
    assert_eq!(server.pull(&build, "preview=1").await.code(), "audience_required");
    server
        .post(&format!("/api/v1/builds/{}/finish", build.id), Auth::Client(&client), &json!({"status": "success"}))
        .await;
    assert_eq!(server.pull(&build, "audience=x&preview=1").await.code(), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn awkward_audiences_come_back_as_they_were() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    for audience in [
        "a b+c%d",
        "https://x:8443/y?z=1#f",
        r#"{"aud":["x"]}"#,
        "ünïcödé",
        "::",
        "urn:example:a&b=c",
        &"x".repeat(1024),
    ] {
        let encoded: String = url::form_urlencoded::byte_serialize(audience.as_bytes()).collect();
        for query in [encoded.clone(), encoded.replace('+', "%20")] {
            let reply = server.pull(&build, &format!("audience={query}")).await;
            assert_eq!(claims(&reply.token())["aud"], audience);
        }
    }
    let raw = server.pull(&build, "audience=https://x:1/y").await;
    assert_eq!(claims(&raw.token())["aud"], "https://x:1/y");
    let several = server.pull(&build, "audience=a&audience=b&audience=a").await;
    assert_eq!(claims(&several.token())["aud"], json!(["a", "b"]));
    assert_eq!(several.json()["audience"], json!(["a", "b"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifetime_is_exactly_what_was_asked_or_is_refused() {
    let server = Server::start().await;
    let client = server.client().await;
    let build = server.register(&client, &registration_with(&json!({"timeout": "10m"}))).await;
    let expires_in = async |query: &str| server.pull(&build, query).await.json()["expires_in"].as_u64();
    assert_eq!(expires_in("audience=x").await, Some(300));
    assert_eq!(expires_in("audience=x&lifetime=1").await, Some(1));
    assert_eq!(expires_in("audience=x&lifetime=600").await, Some(600));
    for lifetime in ["601", "99999999999999999999999"] {
        let reply = server.pull(&build, &format!("audience=x&lifetime={lifetime}")).await;
        assert_eq!(reply.code(), "lifetime_not_allowed", "{lifetime}");
    }
    for lifetime in ["0", "-1", "1.5", "5m", "", "%2B5", "1&lifetime=2"] {
        let reply = server.pull(&build, &format!("audience=x&lifetime={lifetime}")).await;
        assert_eq!(reply.code(), "invalid_request", "{lifetime}");
    }
    server.clock.advance(500);
    assert_eq!(expires_in("audience=x").await, Some(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_algorithm_that_is_not_offered_is_refused() {
    let server = Server::with("[keys]\nalgorithms = [\"ES256\"]\n").await;
    let (_, build) = server.build().await;
    server.pull(&build, "audience=x").await.token();
    assert_eq!(server.pull(&build, "audience=x&algorithm=RS256").await.code(), "algorithm_not_allowed");
    for algorithm in ["HS256", "none", "es256", ""] {
        let reply = server.pull(&build, &format!("audience=x&algorithm={algorithm}")).await;
        assert_eq!(reply.code(), "invalid_request", "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_twice_in_the_query_is_refused_but_for_the_audience() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    for twice in
        ["algorithm=ES256&algorithm=ES256", "format=raw&format=raw", "preview=1&preview=1", "format=xml", "preview=yes"]
    {
        let reply = server.pull(&build, &format!("audience=x&{twice}")).await;
        assert_eq!(reply.code(), "invalid_request", "{twice}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_named_in_the_answer_and_caps_what_it_grants() {
    let server = Server::with(
        "[issuance]\ndefault = \"deny\"\n[[issuance.rules]]\nname = \"aws\"\naudiences = [\"sts.amazonaws.com\"]\n\
         when = 'build.event == \"push\"'\nmax_lifetime = \"2m\"\nmax_tokens_per_build = 2\nalgorithm = \"ES256\"\n",
    )
    .await;
    let (_, build) = server.build().await;
    let reply = server.pull(&build, "audience=sts.amazonaws.com").await;
    assert_eq!((reply.json()["rule"].as_str(), reply.json()["expires_in"].as_u64()), (Some("aws"), Some(120)));
    assert_eq!(server.pull(&build, "audience=sts.amazonaws.com&algorithm=RS256").await.code(), "algorithm_not_allowed");
    assert_eq!(server.pull(&build, "audience=sts.amazonaws.com&lifetime=121").await.code(), "lifetime_not_allowed");
    assert_eq!(server.pull(&build, "audience=other").await.code(), "audience_not_allowed");
    server.pull(&build, "audience=sts.amazonaws.com").await.token();
    let spent = server.pull(&build, "audience=sts.amazonaws.com").await;
    assert_eq!(spent.code(), "quota_exceeded");
    assert!(spent.json()["detail"].as_str().unwrap().contains("aws"));
}
