//! A restart on the same folder under another URL or port. Keys and builds survive.

use buildpass::base::IssuerId;
use serde_json::json;

use crate::harness::{Auth, Server, registration_with};

#[tokio::test(flavor = "multi_thread")]
async fn under_another_url_the_keys_clients_and_bound_names_stay() {
    let server = Server::with("[issuer]\nurl = \"https://old.example.com\"\n").await;
    let (client, _) = server.build().await;
    let keys = server.get("/.well-known/jwks", Auth::None).await.text;
    let server = server.restart("[issuer]\nurl = \"https://new.example.com/ci\"\n").await;
    assert_eq!(server.get("/ci/.well-known/jwks", Auth::None).await.text, keys);
    let squatted = registration_with(&json!({"number": 18, "repo_id": "666"}));
    let reply = server.post("/api/v1/builds", Auth::Client(&client), &squatted).await;
    assert_eq!(reply.code(), "name_bound");
    let build = server.register(&client, &registration_with(&json!({"number": 18}))).await;
    assert_eq!(build.answer["issuer"], "https://new.example.com/ci");
    let names = server.app.store().list_names(&IssuerId::main()).await.unwrap();
    assert_eq!(names.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_and_its_tokens_outlive_a_restart() {
    let server = Server::with("[issuer]\nurl = \"https://ci.example.com\"\n").await;
    let (_, build) = server.build().await;
    let path = build.request_url.replace("https://ci.example.com", "");
    let server = server.restart("[issuer]\nurl = \"https://ci.example.com\"\n").await;
    server.get(&format!("{path}&audience=x"), Auth::Token(&build.request_token)).await.token();
}
