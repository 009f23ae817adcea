//! Identity: names, ids, forks, environments, subjects.

use serde_json::{Value, json};

use crate::harness::{Auth, Server, claims, registration_with};

const FORMATS: [&str; 4] = ["immutable", "names", "ids", "repo:{org}/{repo}:{repo_id}:{ref}"];

fn issuer(subject: &str) -> String {
    format!("[issuer]\nsubject = \"{subject}\"\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_another_organisation_cannot_post_our_ids_in_any_format() {
    for format in FORMATS {
        let server = Server::with(&issuer(format)).await;
        server.build().await;
        let evil = server.client_with(|client| client.organizations = vec!["evil".parse().unwrap()]).await;
        for fields in [
            json!({"org": "evil", "org_id": "666"}),
            json!({"org": "evil", "org_id": "42", "repo_id": "666"}),
            json!({"org": "evil", "org_id": "42"}),
        ] {
            let reply = server.post("/api/v1/builds", Auth::Client(&evil), &registration_with(&fields)).await;
            assert_eq!((reply.status, reply.code().as_str()), (409, "id_bound"), "{format} {fields}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_is_taken_from_a_client_that_may_act_for_both_names_and_is_told() {
    let server = Server::start().await;
    let (client, _) = server.build().await;
    let renamed = registration_with(&json!({"repo": "renamed", "number": 18}));
    let build = server.register(&client, &renamed).await;
    let warning = build.answer["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.contains("repo:acme@42/app@1001:ref:refs/heads/main"), "{warning}");
    assert!(warning.contains("repo:acme@42/renamed@1001:ref:refs/heads/main"), "{warning}");
    let squatter = registration_with(&json!({"repo_id": "666", "number": 19}));
    assert_eq!(server.post("/api/v1/builds", Auth::Client(&client), &squatter).await.code(), "name_bound");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_once_bound_takes_no_other_id_in_any_case_and_never_none() {
    let server = Server::start().await;
    let (client, _) = server.build().await;
    for (number, fields) in [
        json!({"org_id": "666"}),
        json!({"org": "ACME", "org_id": "666"}),
        json!({"org_id": Value::Null}),
        json!({"repo_id": "666"}),
        json!({"repo": "APP", "repo_id": "666"}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = registration_with(&fields);
        body["number"] = json!(number + 100);
        let reply = server.post("/api/v1/builds", Auth::Client(&client), &body).await;
        assert_eq!((reply.status, reply.code().as_str()), (409, "name_bound"), "{fields}");
    }
    let unnamed = Server::with(&issuer("names")).await;
    let client = unnamed.client().await;
    let without = |number: u64, id: Value| registration_with(&json!({"number": number, "org_id": id, "repo_id": id}));
    unnamed.register(&client, &without(1, Value::Null)).await;
    let build = unnamed.register(&client, &without(2, json!("7"))).await;
    assert_eq!(build.answer["warnings"].as_array().unwrap().len(), 2, "{}", build.answer);
    let lost = unnamed.post("/api/v1/builds", Auth::Client(&client), &without(3, Value::Null)).await;
    assert_eq!(lost.code(), "name_bound");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_of_calling_a_foreign_build_trusted_gets_it_a_token() {
    let server = Server::start().await;
    let client = server.client().await;
    let pull = "refs/pull/7/head";
    for (number, fields) in [
        json!({"event": "pull_request", "ref": pull}),
        json!({"event": "pull_request", "ref": pull, "trusted": true}),
        json!({"event": "pull_request", "ref": pull, "fork": false, "trusted": true}),
        json!({"event": "pull_request", "ref": pull, "fork": false, "head_repo_id": "666", "trusted": true}),
        json!({"event": "pull_request", "ref": "refs/heads/main", "fork": false, "head_repo_id": "1001"}),
        json!({"event": "comment", "ref": pull, "fork": false, "head_repo_id": "1001"}),
        json!({"event": "comment", "ref": pull, "trusted": true}),
        json!({"event": "merge_group", "ref": "refs/heads/gh-readonly-queue/main/pr-7"}),
        json!({"event": "push", "fork": true, "trusted": true}),
        json!({"event": "manual", "fork": true, "trusted": true}),
        json!({"event": "deployment", "fork": true, "environment": "production", "trusted": true}),
        json!({"event": "push", "head_repo_id": "666", "trusted": true}),
        json!({"event": "push", "ref": pull, "trusted": true}),
        json!({"event": "delete", "trusted": true}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = registration_with(&fields);
        body["number"] = json!(number);
        let build = server.register(&client, &body).await;
        assert!(build.answer["subject"].as_str().unwrap().ends_with(":untrusted"), "{fields}");
        assert_eq!(server.pull(&build, "audience=x").await.code(), "build_untrusted", "{fields}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_requests_pipeline_file_cannot_name_an_environment() {
    for format in ["immutable", "names", "ids", "repo:{repo_id}:{ref}"] {
        let rule = "[[issuance.rules]]\nname = \"r\"\naudiences = [\"x\"]\nallow_untrusted = true\n\
                    [tokens.extra_claims]\nwhere = \"{environment}\"\n";
        let server = Server::with(&format!("{}{rule}", issuer(format))).await;
        let client = server.client().await;
        for (number, fork) in [(1, true), (2, false)] {
            let body = registration_with(&json!({
                "number": number, "event": "pull_request", "ref": "refs/pull/7/head", "fork": fork,
                "head_repo_id": if fork { "666" } else { "1001" }, "environment": "production", "ref_protected": true,
            }));
            let build = server.register(&client, &body).await;
            let path = format!("/api/v1/builds/{}/request_tokens", build.id);
            let step = json!({"step": "deploy", "environment": "production"});
            let step = server.post(&path, Auth::Client(&client), &step).await.json();
            let url = format!("{}&audience=x", step["request_url"].as_str().unwrap());
            let token = server.get(&url, Auth::Token(step["request_token"].as_str().unwrap())).await.token();
            let claims = claims(&token);
            assert!(!claims.to_string().contains("production"), "{format}: {claims}");
            assert!(claims.get("ref_protected").is_none_or(|value| value == "false"), "{claims}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_would_move_between_fields_is_encoded_or_refused() {
    let server = Server::start().await;
    let client = server.client().await;
    for (field, value) in [
        ("repo", "b/c"),
        ("org", "a/../b"),
        ("org", "a\nb"),
        ("repo", "a\u{202e}b"),
        ("ref", "main"),
        ("org", "."),
        ("workflow_ref", "https://user:pass@forge.example/x"),
        ("actor", "a\r\nb"),
        ("environment", "a\u{2066}b"),
    ] {
        let reply =
            server.post("/api/v1/builds", Auth::Client(&client), &registration_with(&json!({field: value}))).await;
        assert_eq!(reply.code(), "invalid_request", "{field} {value:?}");
        assert!(reply.json()["detail"].as_str().unwrap().starts_with(&format!("{field}: ")), "{}", reply.text);
    }
    let nested = registration_with(&json!({"org": "a/b", "repo": "c", "org_id": "1", "repo_id": "2"}));
    let build = server.register(&client, &nested).await;
    assert_eq!(build.answer["subject"], "repo:a/b@1/c@2:ref:refs/heads/main");
    let encoded = registration_with(&json!({"org": "a@1/b", "repo": "c@2", "org_id": Value::Null, "repo_id": "3"}));
    let build = server.register(&client, &encoded).await;
    assert_eq!(build.answer["subject"], "repo:a%401/b/c%402@3:ref:refs/heads/main");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_derived_that_the_ci_did_not_say() {
    let server = Server::start().await;
    let client = server.client().await;
    let body = registration_with(&json!({
        "event": "pull_request", "ref": "refs/pull/7/head", "fork": false, "head_repo_id": "1001", "base_ref": "main",
    }));
    let build = server.register(&client, &body).await;
    let claims = claims(&server.pull(&build, "audience=x").await.token());
    for name in ["branch", "ref_type", "actor", "actor_id", "actor_scm_id", "environment", "image", "step", "email"] {
        assert!(claims.get(name).is_none(), "{name}: {claims}");
    }
    assert_eq!((claims["author"].as_str(), claims["pull_fork"].as_str()), (Some("octocat"), Some("false")));
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_with_names_of_authority_stay_inside_their_claim() {
    let server = Server::start().await;
    let client = server.client().await;
    let body = registration_with(&json!({"properties": {"sub": "admin", "email": "root@acme", "iss": "evil"}}));
    let build = server.register(&client, &body).await;
    let claims = claims(&server.pull(&build, "audience=x").await.token());
    assert!(claims.get("email").is_none());
    assert_eq!(claims["custom_properties"]["sub"], "admin");
    assert_eq!(claims["iss"].as_str(), Some(server.url.as_str()));
}
