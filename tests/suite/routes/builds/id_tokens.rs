//! `POST /api/v1/builds/{id}/id_tokens`: ID tokens for a CI server that injects them.

use serde_json::json;

use crate::harness::{Auth, Server, claims, registration};

#[tokio::test(flavor = "multi_thread")]
async fn a_ci_server_makes_a_token_for_a_step_of_its_own_build() {
    let server = Server::start().await;
    let (client, build) = server.build().await;
    let path = format!("/api/v1/builds/{}/id_tokens", build.id);
    let body = json!({
        "audience": ["a", "b"], "lifetime": "2m", "algorithm": "ES256",
        "step": {"step": "deploy", "environment": "production"},
    });
    let reply = server.post(&path, Auth::Client(&client), &body).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let claims = claims(reply.json()["value"].as_str().unwrap());
    assert_eq!(claims["aud"], json!(["a", "b"]));
    assert_eq!((claims["step"].as_str(), claims["environment"].as_str()), (Some("deploy"), Some("production")));
    assert_eq!(reply.json()["expires_in"], 120);
    for (body, code) in [
        (json!({}), "audience_required"),
        (json!({"audience": ""}), "audience_required"),
        (json!({"audience": 7}), "invalid_request"),
        (json!({"audience": "x", "lifetime": "0s"}), "invalid_request"),
        (json!({"audience": "x", "lifetime": "2h"}), "lifetime_not_allowed"),
        (json!({"audience": "x", "algorithm": "HS256"}), "invalid_request"),
        (json!({"audience": "x", "step": {"step": ""}}), "invalid_request"),
        (json!({"audience": "x", "step": {"step": "s", "max_uses": 1}}), "invalid_request"),
        (json!({"audience": "x", "step": {"step": "s", "audiences": ["y"]}}), "audience_not_allowed"),
    ] {
        assert_eq!(server.post(&path, Auth::Client(&client), &body).await.code(), code, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_audiences_bind_the_client_and_its_jobs() {
    let server = Server::start().await;
    let client = server.client_with(|client| client.audiences = vec!["good".parse().unwrap()]).await;
    let build = server.register(&client, &registration()).await;
    let path = format!("/api/v1/builds/{}/id_tokens", build.id);
    assert_eq!(server.post(&path, Auth::Client(&client), &json!({"audience": "good"})).await.status, 201);
    assert_eq!(server.post(&path, Auth::Client(&client), &json!({"audience": "bad"})).await.code(), "forbidden");
    server.pull(&build, "audience=good").await.token();
    assert_eq!(server.pull(&build, "audience=bad").await.code(), "audience_not_allowed");
}
