//! `/api/v1/builds/{id}/request_tokens`: request tokens of steps.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Auth, Server, claims};

async fn step(server: &Server, build: &crate::harness::Build, body: Value) -> Value {
    let path = format!("/api/v1/builds/{}/request_tokens", build.id);
    let reply = server.post(&path, Auth::Token(&build.worker_token), &body).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_steps_claims_come_from_whoever_made_its_token() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    let image = format!("reg.io:5000/org/app:1.2@sha256:{}", "a".repeat(64));
    let made =
        step(&server, &build, json!({"step": "deploy", "image": image, "request": "yes", "commands": false})).await;
    let url = format!("{}&audience=x&step=other", made["request_url"].as_str().unwrap());
    let reply = server.get(&url, Auth::Token(made["request_token"].as_str().unwrap())).await;
    let claims = claims(&reply.token());
    assert_eq!(claims["step"], "deploy");
    assert_eq!(claims["image_name"], "reg.io:5000/org/app");
    assert_eq!(claims["image_tag"], "1.2");
    assert_eq!(claims["commands"], "false");
    assert_eq!(claims["request"], "yes");
    assert_eq!(made["env"]["BUILDPASS_ID_TOKEN_REQUEST_TOKEN"], made["request_token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_token_dies_by_its_uses_its_lifetime_or_by_hand() {
    let server = Server::start().await;
    let (client, build) = server.build().await;
    let pull = async |made: &Value| {
        let url = format!("{}&audience=x", made["request_url"].as_str().unwrap());
        server.get(&url, Auth::Token(made["request_token"].as_str().unwrap())).await
    };
    let once = step(&server, &build, json!({"step": "once", "max_uses": 1})).await;
    pull(&once).await.token();
    assert_eq!(pull(&once).await.code(), "quota_exceeded");

    let short = step(&server, &build, json!({"step": "short", "lifetime": "1m"})).await;
    pull(&short).await.token();

    let ended = step(&server, &build, json!({"step": "ended"})).await;
    pull(&ended).await.token();
    let path = format!("/api/v1/builds/{}/request_tokens/{}", build.id, ended["id"].as_str().unwrap());
    assert_eq!(server.send(Method::DELETE, &path, Auth::Token(&build.worker_token), None).await.status, 204);
    assert_eq!(pull(&ended).await.code(), "unauthenticated");
    assert_eq!(server.send(Method::DELETE, &path, Auth::Client(&client), None).await.status, 204);
    let unknown = format!("/api/v1/builds/{}/request_tokens/{}", build.id, build.id);
    assert_eq!(server.send(Method::DELETE, &unknown, Auth::Client(&client), None).await.code(), "not_found");

    server.clock.advance(60);
    assert_eq!(pull(&short).await.code(), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_comes_from_a_client_and_never_from_a_worker() {
    let server = Server::start().await;
    let (client, build) = server.build().await;
    let path = format!("/api/v1/builds/{}/request_tokens", build.id);
    let body = json!({"step": "deploy", "environment": "production"});
    let refused = server.post(&path, Auth::Token(&build.worker_token), &body).await;
    assert_eq!(refused.code(), "invalid_request");
    assert!(refused.json()["detail"].as_str().unwrap().starts_with("environment: "));
    let made = server.post(&path, Auth::Client(&client), &body).await.json();
    let url = format!("{}&audience=x", made["request_url"].as_str().unwrap());
    let token = server.get(&url, Auth::Token(made["request_token"].as_str().unwrap())).await.token();
    assert_eq!(claims(&token)["sub"], "repo:acme@42/app@1001:environment:production");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_steps_audiences_only_narrow() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    let made = step(&server, &build, json!({"step": "deploy", "audiences": ["https://*.example.com"]})).await;
    let pull = async |audience: &str| {
        let url = format!("{}&audience={audience}", made["request_url"].as_str().unwrap());
        server.get(&url, Auth::Token(made["request_token"].as_str().unwrap())).await
    };
    pull("https://a.example.com").await.token();
    assert_eq!(pull("https://a.example.org").await.code(), "audience_not_allowed");
    let none = step(&server, &build, json!({"step": "none", "audiences": []})).await;
    let url = format!("{}&audience=x", none["request_url"].as_str().unwrap());
    let reply = server.get(&url, Auth::Token(none["request_token"].as_str().unwrap())).await;
    assert_eq!(reply.code(), "audience_not_allowed");
}
