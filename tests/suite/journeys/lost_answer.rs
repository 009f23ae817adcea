//! A registration is repeated because its answer was lost.

use serde_json::json;

use crate::harness::{Auth, Build, Server, registration};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_again_give_the_same_build_and_kill_the_lost_tokens() {
    let server = Server::start().await;
    let (client, lost) = server.build().await;
    let base = format!("/api/v1/builds/{}", lost.id);
    let step = server
        .post(&format!("{base}/request_tokens"), Auth::Token(&lost.worker_token), &json!({"step": "deploy"}))
        .await
        .json();
    server.clock.advance(59);
    let again = server.post("/api/v1/builds", Auth::Client(&client), &registration()).await;
    assert_eq!(again.status, 200, "{}", again.text);
    let found = Build::read(&again.json());
    assert_eq!((&found.id, &found.answer["expires_at"]), (&lost.id, &lost.answer["expires_at"]));
    server.pull(&found, "audience=x").await.token();
    assert_eq!(server.pull(&lost, "audience=x").await.code(), "unauthenticated");
    let worker = async |token: &str| {
        server.post(&format!("{base}/request_tokens"), Auth::Token(token), &json!({"step": "next"})).await.status
    };
    assert_eq!((worker(&found.worker_token).await, worker(&lost.worker_token).await), (201, 401));
    let url = format!("{}&audience=x", step["request_url"].as_str().unwrap());
    server.get(&url, Auth::Token(step["request_token"].as_str().unwrap())).await.token();
}

#[tokio::test(flavor = "multi_thread")]
async fn later_or_after_the_end_it_is_a_conflict() {
    let server = Server::start().await;
    let (client, build) = server.build().await;
    server.clock.advance(61);
    let late = server.post("/api/v1/builds", Auth::Client(&client), &registration()).await;
    assert_eq!((late.code().as_str(), late.json()["id"].as_str()), ("build_exists", Some(build.id.as_str())));
    server.pull(&build, "audience=x").await.token();

    let server = Server::start().await;
    let (client, build) = server.build().await;
    let finish = format!("/api/v1/builds/{}/finish", build.id);
    server.post(&finish, Auth::Client(&client), &json!({"status": "success"})).await;
    let again = server.post("/api/v1/builds", Auth::Client(&client), &registration()).await;
    assert_eq!(again.code(), "build_exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_client_with_the_same_key_has_a_build_of_its_own() {
    let server = Server::start().await;
    let (_, first) = server.build().await;
    let (_, second) = server.build().await;
    assert_ne!(first.id, second.id);
    server.pull(&first, "audience=x").await.token();
    server.pull(&second, "audience=x").await.token();
}
