//! `POST /api/v1/builds/{id}/finish`: finish a build.

use serde_json::json;

use crate::harness::{Auth, Server};

#[tokio::test(flavor = "multi_thread")]
async fn after_the_end_every_token_of_the_build_is_rejected() {
    let server = Server::start().await;
    let (client, build) = server.build().await;
    server.pull(&build, "audience=x").await.token();
    let base = format!("/api/v1/builds/{}", build.id);
    let step = server
        .post(&format!("{base}/request_tokens"), Auth::Token(&build.worker_token), &json!({"step": "deploy"}))
        .await;
    assert_eq!(step.status, 201);
    let step_token = step.json()["request_token"].as_str().unwrap().to_owned();
    server.post(&format!("{base}/finish"), Auth::Client(&client), &json!({"status": "success"})).await;
    for token in [&build.request_token, &step_token] {
        let reply = server.get(&format!("{}&audience=x", build.request_url), Auth::Token(token)).await;
        assert_eq!(reply.code(), "unauthenticated");
    }
    let worker = server
        .post(&format!("{base}/request_tokens"), Auth::Token(&build.worker_token), &json!({"step": "late"}))
        .await;
    assert_eq!(worker.code(), "unauthenticated");
    let direct = server.post(&format!("{base}/id_tokens"), Auth::Client(&client), &json!({"audience": "x"})).await;
    assert_eq!((direct.status, direct.code().as_str()), (409, "build_finished"));
    let late = server.post(&format!("{base}/request_tokens"), Auth::Client(&client), &json!({"step": "late"})).await;
    assert_eq!((late.status, late.code().as_str()), (409, "build_finished"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_client_cannot_end_a_build() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    let other = server.client().await;
    let path = format!("/api/v1/builds/{}/finish", build.id);
    let reply = server.post(&path, Auth::Client(&other), &json!({"status": "success"})).await;
    assert_eq!(reply.code(), "not_found");
    server.pull(&build, "audience=x").await.token();
}
