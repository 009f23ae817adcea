//! Vela's path: `GET /api/v1/repos/{org}/{repo}/builds/{number}/id_token`.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Auth, Server, claims, registration_with};

#[tokio::test(flavor = "multi_thread")]
async fn velas_clients_find_their_endpoint() {
    let server = Server::start().await;
    let client = server.client().await;
    let build = server.register(&client, &registration_with(&json!({"org": "group/sub", "repo": "a b"}))).await;
    let env = &build.answer["env"];
    let url = env["VELA_ID_TOKEN_REQUEST_URL"].as_str().unwrap();
    assert!(url.ends_with("/api/v1/repos/group%2Fsub/a%20b/builds/17/id_token"), "{url}");
    let token = env["VELA_ID_TOKEN_REQUEST_TOKEN"].as_str().unwrap();
    let reply = server.get(&format!("{url}?audience=a&audience=b"), Auth::Token(token)).await;
    assert_eq!(claims(&reply.token())["aud"], json!(["a", "b"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_disagrees_with_the_token_opens_nothing() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    for path in
        ["acme/app/builds/18", "acme/other/builds/17", "evil/app/builds/17", "acme/app/builds/017", "acme/app/builds/x"]
    {
        let reply =
            server.get(&format!("/api/v1/repos/{path}/id_token?audience=x"), Auth::Token(&build.request_token)).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "unauthenticated"), "{path}");
    }
    let post = server
        .send(
            Method::POST,
            "/api/v1/repos/acme/app/builds/17/id_token?audience=x",
            Auth::Token(&build.request_token),
            None,
        )
        .await;
    assert_eq!(post.code(), "method_not_allowed");
}
