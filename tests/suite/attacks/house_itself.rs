//! The server itself: floods, forged log lines, routes that must not exist.

use buildpass::base::IssuerId;
use buildpass::store::AuditFilter;
use serde_json::json;

use crate::harness::{Auth, Server, logged, registration, registration_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_bad_requests_leave_no_row() {
    let server = std::sync::Arc::new(Server::start().await);
    let before = rows(&server).await;
    // Pipelined over a few connections, since the number of requests matters, not that of sockets.
    let path = "/api/v1/builds/0199aaaa-0000-7000-8000-000000000001/id_token?audience=x";
    let bad = [
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bpr_nobody\r\n\r\n"),
        "POST /api/v1/builds HTTP/1.1\r\nHost: x\r\nAuthorization: Basic eDp5\r\nContent-Length: 0\r\n\r\n".to_owned(),
        format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"),
        "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
    ]
    .concat();
    let flood = bad.repeat(25);
    let floods: Vec<_> = (0..8)
        .map(|_| {
            let (address, flood) = (server.address, flood.clone());
            tokio::spawn(async move {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let stream = tokio::net::TcpStream::connect(address).await.unwrap();
                let (mut read, mut write) = stream.into_split();
                let answers = tokio::spawn(async move {
                    let (mut buffer, mut answers) = (vec![0; 1 << 16], 0);
                    loop {
                        match read.read(&mut buffer).await {
                            Ok(0) | Err(_) => return answers,
                            Ok(length) => {
                                answers += buffer[..length].windows(9).filter(|at| *at == b"HTTP/1.1 ").count()
                            }
                        }
                    }
                });
                for _ in 0..125 {
                    write.write_all(flood.as_bytes()).await.unwrap();
                }
                write.shutdown().await.unwrap();
                answers.await.unwrap()
            })
        })
        .collect();
    let mut answered = 0;
    for flood in floods {
        answered += flood.await.unwrap();
    }
    // An answer that is split between two reads is counted at most once.
    assert!(answered > 99_000, "{answered}");
    assert_eq!(rows(&server).await, before);
    let (_, build) = server.build().await;
    server.pull(&build, "audience=x").await.token();
}

async fn rows(server: &Server) -> (usize, usize, usize) {
    let (store, issuer) = (server.app.store(), IssuerId::main());
    let audit = store.list_audit(&issuer, &AuditFilter::default(), None, 10).await.unwrap().len();
    (audit, store.list_names(&issuer).await.unwrap().len(), store.list_clients(&issuer).await.unwrap().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_loops_is_stopped_by_its_rate_and_by_its_quota() {
    let server = Server::with("[limits]\ntokens_per_build = 25\nbuild_per_second = 2\n").await;
    let (client, build) = server.build().await;
    let mut codes = std::collections::BTreeMap::new();
    for _ in 0..40 {
        let reply = server.pull(&build, "audience=x&algorithm=ES256").await;
        let code = if reply.status == 200 { "token".to_owned() } else { reply.code() };
        *codes.entry(code).or_insert(0) += 1;
    }
    assert_eq!(codes.get("token"), Some(&20), "ten seconds' worth: {codes:?}");
    assert_eq!(codes.get("rate_limited"), Some(&20), "{codes:?}");
    server.clock.advance(10);
    let limited = server.pull(&build, "audience=").await;
    assert_eq!(limited.code(), "audience_required");
    for _ in 0..5 {
        server.pull(&build, "audience=x").await.token();
    }
    assert_eq!(server.pull(&build, "audience=x").await.code(), "quota_exceeded");
    let other = server.register(&client, &registration_with(&json!({"number": 18}))).await;
    server.pull(&other, "audience=x").await.token();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_string_of_a_stranger_forges_a_line_a_header_or_a_colour() {
    let server = Server::start().await;
    let client = server.client().await;
    for hostile in ["\u{1b}[2Jx", "a\r\nSet-Cookie: x=1", "a\nERROR forged", "a\u{0}b", "\u{9b}31m"] {
        for field in ["org", "repo", "event", "author", "ref", "sha", "key", "environment", "actor", "visibility"] {
            let body = registration_with(&json!({field: hostile}));
            let reply = server.post("/api/v1/builds", Auth::Client(&client), &body).await;
            assert_eq!(reply.status, 400, "{field} {hostile:?}");
            assert!(reply.headers.get("set-cookie").is_none());
            assert!(!reply.text.contains(hostile));
        }
    }
    let (_, build) = server.build().await;
    server.pull(&build, "audience=%1b%5b2Jx").await.code();
    server.get("/%1b%5b2Jx%0d%0aSet-Cookie:%20x=1", Auth::Token("bpr_\u{e9}x")).await;
    let log = logged();
    assert!(!log.contains('\u{1b}') && !log.contains('\r') && !log.contains("\nERROR forged"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_admin_client_there_is_no_admin_api_and_metrics_are_not_public() {
    let server = Server::start().await;
    let client = server.client_with(|client| client.scopes = buildpass::policy::Scope::CI_SERVER.to_vec()).await;
    for path in ["/admin", "/admin/v1/keys", "/metrics"] {
        assert_eq!(server.get(path, Auth::Client(&client)).await.code(), "not_found", "{path}");
    }
    let admin = format!("{}/admin/v1/keys", server.admin);
    assert_eq!(server.get(&admin, Auth::Client(&client)).await.code(), "not_found");
    let builds = format!("{}/api/v1/builds", server.admin);
    assert_eq!(server.post(&builds, Auth::Client(&client), &registration()).await.code(), "not_found");
}
