//! `POST /api/v1/builds`: register a build.

use buildpass::policy::Scope;
use serde_json::json;

use crate::harness::{Auth, Server, fork, registration, registration_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_answers_with_everything_that_a_worker_and_a_job_need() {
    let server = Server::with("[issuer]\nurl = \"https://ci.example.com\"\n").await;
    let (_, build) = server.build().await;
    insta::assert_json_snapshot!(build.answer, {
        ".id" => "[id]", ".worker_token" => "[bpw]", ".request_token" => "[bpr]",
        ".request_url" => insta::dynamic_redaction(|value, _| {
            assert!(value.as_str().unwrap().ends_with("/id_token?v=1"));
            "[url]"
        }),
        ".env.*" => insta::dynamic_redaction(|value, path| {
            let (path, text) = (path.to_string(), value.as_str().unwrap().to_owned());
            if path.ends_with("TOKEN") {
                assert!(text.starts_with("bpr_") && text.len() == 47);
                return "[bpr]".to_owned();
            }
            if path.contains("VELA") && path.ends_with("URL") {
                assert!(text.ends_with("/api/v1/repos/acme/app/builds/17/id_token"));
                return "[vela url]".to_owned();
            }
            if path.ends_with("URL") { "[url]".to_owned() } else { text }
        }),
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_again_is_a_conflict_that_names_the_build() {
    let server = Server::start().await;
    let (client, build) = server.build().await;
    let other_body = registration_with(&json!({"author": "somebody else"}));
    let again = server.post("/api/v1/builds", Auth::Client(&client), &other_body).await;
    assert_eq!((again.status, again.code().as_str()), (409, "build_exists"));
    assert_eq!(again.json()["id"], build.id);
    let own_key = registration_with(&json!({"key": "another"}));
    assert_eq!(server.post("/api/v1/builds", Auth::Client(&client), &own_key).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_tokens_scope_gets_no_token_of_any_kind() {
    let server = Server::start().await;
    let client = server.client_with(|client| client.scopes = vec![Scope::BuildsWrite]).await;
    let build = server.register(&client, &registration()).await;
    for name in ["worker_token", "request_token", "request_url", "env"] {
        assert!(build.answer.get(name).is_none(), "{name}");
    }
    let direct = server
        .post(&format!("/api/v1/builds/{}/id_tokens", build.id), Auth::Client(&client), &json!({"audience": "x"}))
        .await;
    assert_eq!((direct.status, direct.code().as_str()), (403, "forbidden"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_whose_steps_have_their_own_tokens_has_no_build_wide_one() {
    let server = Server::start().await;
    let client = server.client().await;
    let build = server.register(&client, &registration_with(&json!({"build_token": false}))).await;
    assert!(!build.worker_token.is_empty());
    assert!(build.answer.get("request_token").is_none() && build.answer.get("env").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_registers_for_its_own_organisations_alone() {
    let server = Server::start().await;
    let client = server.client_with(|client| client.organizations = vec!["tools/*".parse().unwrap()]).await;
    for (org, status) in [("tools/a", 201), ("tools/a/b", 201), ("tools", 403), ("toolsmith", 403), ("acme", 403)] {
        let body =
            registration_with(&json!({"org": org, "org_id": format!("id-{org}"), "repo_id": format!("r-{org}")}));
        let reply = server.post("/api/v1/builds", Auth::Client(&client), &body).await;
        assert_eq!(reply.status, status, "{org} {}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_without_subject_is_registered_and_says_why_it_gets_no_token() {
    let server = Server::start().await;
    let client = server.client().await;
    let long = format!("refs/heads/{}", "a".repeat(240));
    let build = server.register(&client, &registration_with(&json!({"ref": long}))).await;
    assert!(build.answer["subject"].is_null());
    assert!(build.answer["warnings"][0].as_str().unwrap().contains("255"), "{}", build.answer);
    assert_eq!(server.pull(&build, "audience=x").await.code(), "subject_unavailable");
    let longish = format!("refs/heads/{}", "a".repeat(120));
    let build = server.register(&client, &registration_with(&json!({"ref": longish, "number": 18}))).await;
    assert!(build.answer["warnings"][0].as_str().unwrap().contains("127"), "{}", build.answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_forges_behind_one_issuer_share_no_id() {
    let server = Server::start().await;
    let one = server.client_with(|client| client.ids = Some("gitea".to_owned())).await;
    let other = server.client_with(|client| client.ids = Some("ghes".to_owned())).await;
    let build = server.register(&one, &registration()).await;
    assert_eq!(build.answer["subject"], "repo:acme@gitea.42/app@gitea.1001:ref:refs/heads/main");
    let body = registration_with(&json!({"org": "other", "repo": "thing"}));
    let build = server.register(&other, &body).await;
    assert_eq!(build.answer["subject"], "repo:other@ghes.42/thing@ghes.1001:ref:refs/heads/main");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forks_subject_ends_in_untrusted() {
    let server = Server::start().await;
    let client = server.client().await;
    let build = server.register(&client, &fork()).await;
    assert_eq!(build.answer["subject"], "repo:acme@42/app@1001:pull_request:untrusted");
}
