//! `GET /api/v1/builds/{id}`: show a build.

use serde_json::json;

use crate::harness::{Auth, Server, registration_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_running_then_finished_and_keeps_its_first_status() {
    let server = Server::start().await;
    let (client, build) = server.build().await;
    server.pull(&build, "audience=x").await.token();
    let path = format!("/api/v1/builds/{}", build.id);
    let shown = server.get(&path, Auth::Client(&client)).await.json();
    insta::assert_json_snapshot!(shown, {".id" => "[id]"});
    for status in ["failure", "success"] {
        let reply = server.post(&format!("{path}/finish"), Auth::Client(&client), &json!({"status": status})).await;
        assert_eq!((reply.status, reply.text.as_str()), (204, ""));
    }
    let shown = server.get(&path, Auth::Client(&client)).await.json();
    assert_eq!((shown["state"].as_str(), shown["status"].as_str()), (Some("finished"), Some("failure")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_nobody_finished_expires_at_its_deadline() {
    let server = Server::start().await;
    let client = server.client().await;
    let build = server.register(&client, &registration_with(&json!({"timeout": "10m"}))).await;
    server.clock.advance(599);
    server.pull(&build, "audience=x").await.token();
    server.clock.advance(1);
    assert_eq!(server.pull(&build, "audience=x").await.code(), "unauthenticated");
    let shown = server.get(&format!("/api/v1/builds/{}", build.id), Auth::Client(&client)).await.json();
    assert_eq!(shown["state"], "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clients_build_does_not_exist() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    let other = server.client().await;
    for path in [format!("/api/v1/builds/{}", build.id), "/api/v1/builds/nonsense".to_owned()] {
        let reply = server.get(&path, Auth::Client(&other)).await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_has_one_spelling() {
    let server = Server::start().await;
    let (client, build) = server.build().await;
    for spelling in [build.id.to_uppercase(), build.id.replace('-', ""), format!("urn:uuid:{}", build.id)] {
        let reply = server.get(&format!("/api/v1/builds/{spelling}"), Auth::Client(&client)).await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"), "{spelling}");
    }
}
