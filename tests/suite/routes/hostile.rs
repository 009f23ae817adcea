//! Malformed input of every kind. Never a 5xx, a panic, a partial write, or a secret in the log.

use base64::Engine;
use serde_json::{Value, json};

use crate::harness::{Auth, Server, logged, registration, registration_with};

fn request(server: &Server, client: &crate::harness::Credential, body: &[u8]) -> Vec<u8> {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", client.id, client.secret));
    let head = format!(
        "POST /api/v1/builds HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {basic}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        server.address,
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_registration_is_refused_and_leaves_nothing() {
    let server = Server::start().await;
    let client = server.client().await;
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let twice = br#"{"org":"a","org":"b"}"#;
    for body in [
        &b""[..],
        b"{",
        b"null",
        b"[]",
        b"\"x\"",
        b"{}",
        b"{\"org\":\"\xff\"}",
        b"\x00",
        twice,
        deep.as_bytes(),
        b"{\"org\":\"\\ud800\"}",
        b"{\"number\":1e400}",
    ] {
        let answer = server.raw(&request(&server, &client, body)).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{:?}: {answer}", String::from_utf8_lossy(body));
    }
    let mut whole = serde_json::to_vec(&registration()).unwrap();
    whole.extend_from_slice(b"{}");
    assert!(server.raw(&request(&server, &client, &whole)).await.starts_with("HTTP/1.1 400"));
    let huge = vec![b' '; 1 << 20];
    assert!(server.raw(&request(&server, &client, &huge)).await.starts_with("HTTP/1.1 413"));
    server.register(&client, &registration()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_a_wrong_type_is_named() {
    let server = Server::start().await;
    let client = server.client().await;
    for field in [
        "key",
        "org",
        "org_id",
        "repo",
        "repo_id",
        "number",
        "attempt",
        "event",
        "event_action",
        "author",
        "author_id",
        "actor",
        "actor_id",
        "ref",
        "sha",
        "base_ref",
        "head_ref",
        "head_repo_id",
        "fork",
        "trusted",
        "ref_protected",
        "environment",
        "visibility",
        "workflow",
        "workflow_ref",
        "workflow_sha",
        "job_workflow_ref",
        "job_workflow_sha",
        "runner",
        "properties",
        "audiences",
        "build_token",
        "timeout",
    ] {
        for value in [json!(-1.5), json!({"x": [1]})] {
            let reply =
                server.post("/api/v1/builds", Auth::Client(&client), &registration_with(&json!({field: value}))).await;
            assert_eq!(reply.code(), "invalid_request", "{field} {value}");
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.starts_with(field), "{field}: {detail}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_are_encoded_or_refused_and_never_an_accident() {
    let server = Server::start().await;
    let client = server.client().await;
    let long = "x".repeat(300);
    let names =
        ["a:b", "a@b", "a%2Fb", "*", "a\nb", "a\r\nb", "\u{202e}evil", &long, "a\u{0}", "..", "\u{1b}[31m", "é"];
    for (number, name) in names.iter().enumerate() {
        let unique = json!({"number": number, "repo": name, "org_id": Value::Null, "org": format!("o{number}"), "repo_id": format!("r{number}")});
        let reply = server.post("/api/v1/builds", Auth::Client(&client), &registration_with(&unique)).await;
        assert!(matches!(reply.status, 201 | 400), "{name:?} {}", reply.text);
        if reply.status == 201 {
            let subject = reply.json()["subject"].as_str().unwrap().to_owned();
            assert!(subject.bytes().all(|byte| byte.is_ascii_graphic()), "{subject}");
            assert_eq!(subject.matches(':').count(), 2 + 1, "{subject}");
        } else {
            assert!(reply.json()["detail"].as_str().unwrap().starts_with("repo: "), "{}", reply.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_audiences_and_broken_queries_are_refused_quickly() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    let many = "audience=a&".repeat(700);
    assert_eq!(server.pull(&build, &many).await.status, 200);
    let many: String = (0..500).map(|n| format!("audience={n}&")).collect();
    assert_eq!(server.pull(&build, &many).await.code(), "invalid_request");
    let body = json!({"audience": (0..10_000).map(|n| n.to_string()).collect::<Vec<_>>()});
    let client = server.client().await;
    let own = server.register(&client, &registration_with(&json!({"number": 99}))).await;
    let direct = server.post(&format!("/api/v1/builds/{}/id_tokens", own.id), Auth::Client(&client), &body).await;
    assert!(matches!(direct.status, 400 | 413), "{}", direct.text);
    for query in ["audience=%ff", "audience=%00", "audience=a%0ab", "lifetime=%ff&audience=x"] {
        assert_eq!(server.pull(&build, query).await.code(), "invalid_request", "{query}");
    }
    server.pull(&build, "audience=x&%ff=1&&&=&=x").await.token();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_credentials_are_refused_and_odd_ones_open_nothing() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    let path = build.request_url.strip_prefix(&server.url).unwrap();
    let ask = async |headers: &str| {
        server
            .raw(format!("GET {path}&audience=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").as_bytes())
            .await
    };
    let good = format!("Authorization: Bearer {}\r\n", build.request_token);
    assert!(ask(&good).await.starts_with("HTTP/1.1 200"));
    assert!(ask(&format!("{good}{good}")).await.starts_with("HTTP/1.1 400"));
    for odd in [
        "",
        "Authorization:\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: Basic x\r\n",
        "Authorization: Basic eA==\r\n",
        "Authorization: Digest x\r\n",
    ] {
        let answer = ask(odd).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{odd:?} {answer}");
        assert!(answer.to_lowercase().contains("www-authenticate: bearer"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_token_reaches_the_log() {
    let server = Server::start().await;
    let (client, build) = server.build().await;
    let token = server.pull(&build, "audience=x").await.token();
    server.pull(&build, &format!("audience=&pasted={token}")).await.code();
    let pasted = registration_with(&json!({"number": client.secret, "fork": token, client.secret.clone(): 1}));
    let refused = server.post("/api/v1/builds", Auth::Client(&client), &pasted).await;
    assert_eq!(refused.code(), "invalid_request");
    let log = logged();
    assert!(log.contains("refused"), "the log is kept");
    for secret in [&client.secret, &build.request_token, &build.worker_token, &token] {
        assert!(!log.contains(secret.as_str()));
    }
    assert!(!refused.text.contains(&token), "{}", refused.text);
}
