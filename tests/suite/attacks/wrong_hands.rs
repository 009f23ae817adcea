//! Tokens used by another holder: other steps, other builds, races, deadlines.

use std::sync::Arc;

use buildpass::base::IssuerId;
use buildpass::policy::Scope;
use buildpass::store::AuditFilter;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Auth, Server, claims, registration, registration_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_its_own_step_of_its_own_build_alone() {
    let server = Server::start().await;
    let client = server.client().await;
    let one = server.register(&client, &registration_with(&json!({"build_token": false}))).await;
    let two = server.register(&client, &registration_with(&json!({"number": 18}))).await;
    let url = |id: &str| format!("/api/v1/builds/{id}/id_token?audience=x");
    let tokens = |id: &str| format!("/api/v1/builds/{id}/request_tokens");
    for (what, path, token) in [
        ("another build's request token", url(&one.id), &two.request_token),
        ("a worker token at the pull endpoint", url(&one.id), &one.worker_token),
        ("a request token of a build that has none", url(&one.id), &String::new()),
    ] {
        let reply = server.get(&path, Auth::Token(token)).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "unauthenticated"), "{what}");
    }
    for (what, path, token) in [
        ("another build's worker", tokens(&one.id), &two.worker_token),
        ("a request token as a worker's", tokens(&two.id), &two.request_token),
    ] {
        let reply = server.post(&path, Auth::Token(token), &json!({"step": "x"})).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "unauthenticated"), "{what}");
    }
    let basic = server.get(&url(&two.id), Auth::Client(&client)).await;
    assert_eq!(basic.code(), "unauthenticated");
    let bearer = server.post("/api/v1/builds", Auth::Token(&client.secret), &registration()).await;
    assert_eq!(bearer.code(), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_ended_or_flooded_takes_nothing_from_another() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    let path = format!("/api/v1/builds/{}/request_tokens", build.id);
    let make = async |name: &str| {
        let body = json!({"step": name, "max_uses": 2});
        server.post(&path, Auth::Token(&build.worker_token), &body).await.json()
    };
    let (a, b) = (make("a").await, make("b").await);
    let pull = async |made: &serde_json::Value| {
        let url = format!("{}&audience=x", made["request_url"].as_str().unwrap());
        server.get(&url, Auth::Token(made["request_token"].as_str().unwrap())).await
    };
    for _ in 0..2 {
        pull(&a).await.token();
    }
    assert_eq!(pull(&a).await.code(), "quota_exceeded");
    let mut answers = Vec::new();
    while answers.last().is_none_or(|code| code != "rate_limited") {
        answers.push(pull(&a).await.code());
    }
    assert!(answers.len() > 100, "a burst is let through: {}", answers.len());
    assert_eq!(claims(&pull(&b).await.token())["step"], "b");
    let end = format!("{path}/{}", b["id"].as_str().unwrap());
    assert_eq!(server.send(Method::DELETE, &end, Auth::Token(&build.worker_token), None).await.status, 204);
    assert_eq!(pull(&b).await.code(), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_scope_opens_only_its_own_routes_and_another_clients_builds_do_not_exist() {
    let server = Server::start().await;
    let owner = server.client().await;
    let build = server.register(&owner, &registration()).await;
    let (show, finish) = (format!("/api/v1/builds/{}", build.id), format!("/api/v1/builds/{}/finish", build.id));
    let (direct, step) = (format!("{show}/id_tokens"), format!("{show}/request_tokens"));
    for scope in Scope::ALL {
        let client = server.client_with(|client| client.scopes = vec![scope]).await;
        let auth = Auth::Client(&client);
        let status = [
            server.get(&show, auth).await.status,
            server.post(&finish, auth, &json!({"status": "success"})).await.status,
            server.post(&direct, auth, &json!({"audience": "x"})).await.status,
            server.post(&step, auth, &json!({"step": "x"})).await.status,
        ];
        let expected = match scope {
            Scope::BuildsWrite => [404, 404, 403, 403],
            Scope::BuildsTokens => [403, 403, 404, 404],
            _ => [403; 4],
        };
        assert_eq!(status, expected, "{scope}");
    }
    server.pull(&build, "audience=x").await.token();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_disabled_loses_its_builds_at_once() {
    let server = Server::start().await;
    let client = server.client_with(|client| client.name = "victim".to_owned()).await;
    let build = server.register(&client, &registration()).await;
    server.pull(&build, "audience=x").await.token();
    let now = server.app.clock().now();
    let disabled = server.app.store().disable_client(&IssuerId::main(), "victim", now).await.unwrap().unwrap();
    assert_eq!(disabled.builds_ended, 1);
    assert_eq!(server.pull(&build, "audience=x").await.code(), "unauthenticated");
    let again = server.post("/api/v1/builds", Auth::Client(&client), &registration_with(&json!({"number": 2}))).await;
    assert_eq!(again.code(), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_racers_at_a_quota_of_twenty_exactly_twenty_win() {
    let server = Arc::new(Server::with("[limits]\ntokens_per_build = 20\n").await);
    let (_, build) = server.build().await;
    let build = Arc::new(build);
    let racers = (0..64).map(|_| {
        let (server, build) = (Arc::clone(&server), Arc::clone(&build));
        tokio::spawn(async move { server.pull(&build, "audience=x&algorithm=ES256").await })
    });
    let racers: Vec<_> = racers.collect();
    let mut won = 0;
    for racer in racers {
        let reply = racer.await.unwrap();
        if reply.status == 200 {
            won += 1;
        } else {
            assert_eq!(reply.code(), "quota_exceeded");
        }
    }
    let rows = server.app.store().list_audit(&IssuerId::main(), &AuditFilter::default(), None, 100).await.unwrap();
    assert_eq!((won, rows.len()), (20, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_issued_after_the_build_was_finished() {
    let server = Arc::new(Server::start().await);
    let (client, build) = server.build().await;
    let build = Arc::new(build);
    let racers: Vec<_> = (0..64)
        .map(|_| {
            let (server, build) = (Arc::clone(&server), Arc::clone(&build));
            tokio::spawn(async move { server.pull(&build, "audience=x&algorithm=ES256").await.status })
        })
        .collect();
    let finish = format!("/api/v1/builds/{}/finish", build.id);
    assert_eq!(server.post(&finish, Auth::Client(&client), &json!({"status": "success"})).await.status, 204);
    let shown = async || {
        let shown = server.get(&format!("/api/v1/builds/{}", build.id), Auth::Client(&client)).await.json();
        shown["tokens_issued"].as_u64().unwrap()
    };
    let at_the_end = shown().await;
    let mut won = 0;
    for racer in racers {
        let status = racer.await.unwrap();
        assert!(matches!(status, 200 | 401), "{status}");
        won += u64::from(status == 200);
    }
    assert_eq!((won, shown().await), (at_the_end, at_the_end));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_never_outlives_its_builds_deadline() {
    let server = Server::start().await;
    let client = server.client().await;
    let build = server.register(&client, &registration_with(&json!({"timeout": "2m"}))).await;
    for passed in [0, 60, 59] {
        server.clock.advance(passed);
        let claims = claims(&server.pull(&build, "audience=x").await.token());
        let deadline = crate::harness::START.unix() + 120;
        assert!(claims["exp"].as_i64().unwrap() <= deadline, "{claims}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_mints_nothing_and_nothing_that_mints_is_kept() {
    let server = Server::start().await;
    let (client, build) = server.build().await;
    let url = format!("{}&audience=x", build.request_url);
    let head = server.send(Method::HEAD, &url, Auth::Token(&build.request_token), None).await;
    assert_eq!((head.status, head.header("allow")), (405, Some("GET, POST")));
    let vela = "/api/v1/repos/acme/app/builds/17/id_token?audience=x";
    let head = server.send(Method::HEAD, vela, Auth::Token(&build.request_token), None).await;
    assert_eq!((head.status, head.header("allow")), (405, Some("GET")));
    let shown = server.get(&format!("/api/v1/builds/{}", build.id), Auth::Client(&client)).await;
    assert_eq!(shown.json()["tokens_issued"], 0);
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    let reply = server.pull(&build, "audience=x").await;
    assert_eq!((reply.header("cache-control"), reply.header("access-control-allow-origin")), (Some("no-store"), None));
    assert_eq!(reply.header("etag"), None);
}
