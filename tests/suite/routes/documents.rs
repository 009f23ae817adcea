//! The public documents: their bytes, caching and paths.

use reqwest::Method;

use crate::harness::{Auth, Server};

const DISCOVERY: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/.well-known/jwks";

#[tokio::test(flavor = "multi_thread")]
async fn discovery_says_what_the_issuer_can_do_and_nothing_else() {
    let server = Server::with("[issuer]\nurl = \"https://ci.example.com\"\n").await;
    let reply = server.get(DISCOVERY, Auth::None).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    insta::assert_json_snapshot!(reply.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_set_has_a_signing_key_and_a_reserve_of_each_algorithm() {
    let server = Server::start().await;
    let keys = server.get(JWKS, Auth::None).await.json();
    let keys = keys["keys"].as_array().unwrap();
    let algorithms: Vec<_> = keys.iter().map(|key| key["alg"].as_str().unwrap()).collect();
    assert_eq!(algorithms, ["RS256", "RS256", "ES256", "ES256"]);
    for key in keys {
        let mut members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        match key["kty"].as_str().unwrap() {
            "RSA" => assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]),
            _ => assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]),
        }
    }
    assert_eq!(server.get("/.well-known/jwks.json", Auth::None).await.json()["keys"].as_array().unwrap(), keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_has_the_document_is_told_so() {
    let server = Server::start().await;
    let reply = server.get(JWKS, Auth::None).await;
    let etag = reply.header("etag").unwrap().to_owned();
    let client = reqwest::Client::new();
    for tag in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let again = client.get(format!("{}{JWKS}", server.url)).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304);
        assert_eq!(again.headers()["etag"], etag.as_str());
        assert_eq!(again.headers()["cache-control"], "public, max-age=300");
    }
    let other = client.get(format!("{}{JWKS}", server.url)).header("if-none-match", "\"other\"").send().await.unwrap();
    assert_eq!(other.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_as_get_without_a_body() {
    let server = Server::start().await;
    for path in [DISCOVERY, JWKS, "/health/live", "/health/ready"] {
        let get = server.get(path, Auth::None).await;
        let head = server.send(Method::HEAD, path, Auth::None, None).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        assert_eq!(head.header("etag"), get.header("etag"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_with_a_path_serves_its_documents_there_and_the_api_at_the_origin() {
    let toml = "[issuer]\nurl = \"https://ci.example.com/_services/token\"\n";
    let server = Server::with(toml).await;
    let reply = server.get(&format!("/_services/token{DISCOVERY}"), Auth::None).await;
    assert_eq!(reply.json()["issuer"], "https://ci.example.com/_services/token");
    assert_eq!(reply.json()["jwks_uri"], "https://ci.example.com/_services/token/.well-known/jwks");
    assert_eq!(server.get(DISCOVERY, Auth::None).await.status, 404);
    let alias = server.get("/.well-known/oauth-authorization-server/_services/token", Auth::None).await;
    assert_eq!(alias.text, reply.text);
    let (_, build) = server.build().await;
    assert!(build.request_url.starts_with("https://ci.example.com/api/v1/builds/"), "{}", build.request_url);

    let server = server.restart(&format!("{toml}serve_at_root = true\n")).await;
    assert_eq!(server.get(DISCOVERY, Auth::None).await.text, reply.text);
    assert_eq!(server.get(&format!("/_services/token{JWKS}"), Auth::None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_url_moves_the_api_and_every_url_that_is_handed_out() {
    let toml =
        "[server]\npublic_url = \"https://api.example.com/buildpass\"\n[issuer]\nurl = \"https://ci.example.com\"\n";
    let server = Server::with(toml).await;
    let client = server.client().await;
    let body = crate::harness::registration();
    assert_eq!(server.post("/api/v1/builds", Auth::Client(&client), &body).await.status, 404);
    let reply = server.post("/buildpass/api/v1/builds", Auth::Client(&client), &body).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    for name in ["BUILDPASS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_URL", "VELA_ID_TOKEN_REQUEST_URL"] {
        let url = reply.json()["env"][name].as_str().unwrap().to_owned();
        assert!(url.starts_with("https://api.example.com/buildpass/api/v1/"), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_interactive_login_and_never_a_redirect() {
    let server = Server::start().await;
    let reply = server.get("/authorize?redirect_uri=https://evil.example", Auth::None).await;
    assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some("unsupported_response_type")));
    assert_eq!(reply.header("location"), None);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_header_changes_no_url() {
    let server = Server::with("[issuer]\nurl = \"https://ci.example.com\"\n").await;
    let request = format!("GET {DISCOVERY} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    let answer = server.raw(request.as_bytes()).await;
    assert!(answer.contains("https://ci.example.com") && !answer.contains("evil"), "{answer}");
}
