//! Every error code, provoked over a socket, in one table.

use std::fmt::Write;
use std::time::Duration;

use buildpass::base::IssuerId;
use buildpass::exchange::{ChangeSet, read_rules_file};
use buildpass::http::{Code, Limits};
use buildpass::policy::Scope;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Auth, Credential, Reply, Server, Start, fork, registration, registration_with};

const TOML: &str = "[issuer]\nurl = \"https://ci.example.com\"\n[limits]\ntokens_per_build = 2\nbuild_per_second = 2\n\
    [[issuance.rules]]\nname = \"ruled\"\naudiences = [\"ruled\"]\nwhen = 'build.event == \"tag\"'\nalgorithm = \"ES256\"\n\
    [[issuance.rules]]\nname = \"broken\"\naudiences = [\"broken\"]\nwhen = 'build.properties.nothing == \"x\"'\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_error_table_is_the_contract() {
    let limits = Limits { body_within: Duration::from_millis(300), ..Limits::of(256) };
    let server = Start::new(TOML).limits(limits).go().await;
    let client = server.client().await;
    let client_auth = Auth::Client(&client);
    let build = |number: u64, fields: serde_json::Value| {
        let mut body = registration_with(&fields);
        body["number"] = json!(number);
        body
    };
    let running = server.register(&client, &build(1, json!({}))).await;
    let pull = async |query: &str| {
        server.clock.advance(1);
        let path = running.request_url.replace("https://ci.example.com", "");
        server.get(&format!("{path}&{query}"), Auth::Token(&running.request_token)).await
    };
    let register = async |body: serde_json::Value| server.post("/api/v1/builds", client_auth, &body).await;

    let mut seen: Vec<(&str, Reply)> = Vec::new();
    let mut see = |what, reply| seen.push((what, reply));
    see("no credential", server.get("/api/v1/builds/x", Auth::None).await);
    see(
        "a wrong request token",
        server.get(&format!("/api/v1/builds/{}/id_token?audience=x", running.id), Auth::Token("bpr_x")).await,
    );
    let narrow = server.client_with(|client| client.scopes = vec![Scope::BuildsTokens]).await;
    see("a scope is lacking", server.post("/api/v1/builds", Auth::Client(&narrow), &registration()).await);
    let bound = server.client_with(|client| client.organizations = vec!["other".parse().unwrap()]).await;
    see("another organisation", server.post("/api/v1/builds", Auth::Client(&bound), &registration()).await);
    see("an unknown field", register(registration_with(&json!({"repo_idd": "1"}))).await);
    see("a wrong type", register(registration_with(&json!({"number": "17"}))).await);
    see("a missing field", register(json!({"org": "acme"})).await);
    see("a bad value", register(registration_with(&json!({"ref": "main"}))).await);
    let publication = published_twice(&server, &client).await;
    see("a publication that was recorded", publication);
    see("nothing here", server.get("/nothing", Auth::None).await);
    see("a wrong method", server.send(Method::PUT, "/api/v1/builds", client_auth, None).await);
    see(
        "HEAD on what mints",
        server
            .send(
                Method::HEAD,
                &format!("/api/v1/builds/{}/id_token", running.id),
                Auth::Token(&running.request_token),
                None,
            )
            .await,
    );
    let slow = server.raw(&slow_body(&client)).await;
    see("a large body", too_large(&server, &client).await);
    see("a long URL", server.get(&format!("/{}", "x".repeat(9_000)), Auth::None).await);
    see("a form", form(&server, &client).await);
    see("the same key again", register(build(1, json!({"author": "other"}))).await);
    see("another id for a name", register(build(2, json!({"repo_id": "666"}))).await);
    let acme = server.client_with(|client| client.organizations = vec!["evil".parse().unwrap()]).await;
    let stolen = registration_with(&json!({"org": "evil", "number": 3}));
    see("another name for an id", server.post("/api/v1/builds", Auth::Client(&acme), &stolen).await);
    see("no id", register(build(4, json!({"repo_id": null}))).await);
    let subjectless =
        server.register(&client, &build(5, json!({"ref": format!("refs/heads/{}", "a".repeat(240))}))).await;
    let direct = async |id: &str, body: serde_json::Value| {
        server.clock.advance(1);
        server.post(&format!("/api/v1/builds/{id}/id_tokens"), client_auth, &body).await
    };
    see("no subject", direct(&subjectless.id, json!({"audience": "x"})).await);
    let properties: serde_json::Map<_, _> = (0..10).map(|n| (format!("p{n}"), json!("x".repeat(1_000)))).collect();
    let large = server.register(&client, &build(6, json!({"properties": properties}))).await;
    see("a large token", direct(&large.id, json!({"audience": "x"})).await);
    see("no audience", pull("").await);
    see("seventeen audiences", pull(&(0..17).map(|n| format!("audience={n}&")).collect::<String>()).await);
    see("an audience that no rule grants", pull("audience=ruled").await);
    see("a rule that fails", pull("audience=broken").await);
    let untrusted = server.register(&client, &fork()).await;
    see("a fork", direct(&untrusted.id, json!({"audience": "x"})).await);
    see("a long lifetime", pull("audience=x&lifetime=3601").await);
    let tagged = server.register(&client, &build(7, json!({"event": "tag", "ref": "refs/tags/v1"}))).await;
    see(
        "another algorithm than the rule's",
        direct(&tagged.id, json!({"audience": "ruled", "algorithm": "RS256"})).await,
    );
    pull("audience=x").await.token();
    pull("audience=x").await.token();
    see("a third token of two", pull("audience=x").await);
    let hasty = async || {
        let path = format!("/api/v1/builds/{}/id_token?audience=x", running.id);
        server.get(&path, Auth::Token(&running.request_token)).await
    };
    let mut limited = hasty().await;
    while limited.status != 429 {
        limited = hasty().await;
    }
    see("too many requests", limited);
    let finished = server.register(&client, &build(8, json!({}))).await;
    server.post(&format!("/api/v1/builds/{}/finish", finished.id), client_auth, &json!({"status": "success"})).await;
    see("a finished build", direct(&finished.id, json!({"audience": "x"})).await);
    // The first draw names the request; the handler makes the second.
    server.entropy.fail_after(1);
    see("a generator that fails", register(build(9, json!({}))).await);
    server.entropy.fail_after(u64::MAX);
    server.clock.advance(906);
    see("documents that could mislead", server.get("/.well-known/jwks", Auth::None).await);

    let mut table = String::new();
    let mut codes = Vec::new();
    for (what, reply) in &seen {
        let code = if reply.text.is_empty() { "(HEAD)".to_owned() } else { reply.code() };
        writeln!(table, "{what}: {} {code}", reply.status).unwrap();
        for header in ["allow", "www-authenticate"] {
            let values: Vec<_> = reply.headers.get_all(header).iter().map(|value| value.to_str().unwrap()).collect();
            if !values.is_empty() {
                writeln!(table, "    {header}: {}", values.join(", ")).unwrap();
            }
        }
        assert_eq!(reply.header("retry-after").is_some(), matches!(reply.status, 429 | 503), "{what}: {}", reply.text);
        if !reply.text.is_empty() {
            let body = reply.json();
            writeln!(table, "    {}", body["detail"].as_str().unwrap().replace(&running.id, "[id]")).unwrap();
            let kind = body["type"].as_str().unwrap();
            assert_eq!(kind, format!("https://ci.example.com/problems/{}", code.replace('_', "-")));
            codes.push(code);
        }
    }
    assert!(slow.starts_with("HTTP/1.1 408") && slow.contains("request_timeout"), "{slow}");
    codes.push("request_timeout".to_owned());
    for code in Code::ALL {
        assert!(codes.iter().any(|seen| seen == code.name()), "{} was not provoked", code.name());
    }
    insta::assert_snapshot!(table);
    let clients = server.app.store().list_clients(&IssuerId::main()).await.unwrap();
    assert_eq!(clients.len(), 5);
}

/// Records the same version of a package twice.
async fn published_twice(server: &Server, client: &crate::harness::Credential) -> Reply {
    let rules = "[[grants]]\nname=\"store\"\nprovider=\"self\"\naudience=\"store\"\n";
    let bring = ChangeSet { file: read_rules_file(rules).unwrap(), ..ChangeSet::default() };
    server.app.rules_editor().apply(&bring, "test", false).await.unwrap();
    let mut body = registration();
    body["number"] = json!(77);
    let build = server.register(client, &body).await;
    let path = format!("/api/v1/builds/{}/id_tokens", build.id);
    let token = server.post(&path, Auth::Client(client), &json!({ "audience": "store" })).await.json();
    let issued = server
        .form(
            "/oauth/token",
            Auth::None,
            &[
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
                ("subject_token", token["value"].as_str().unwrap()),
            ],
        )
        .await;
    let store = server.client_with(|client| client.scopes = vec![Scope::PublicationsWrite]).await;
    let body = json!({
        "ecosystem": "generic", "package": "app", "version": "1", "digest": format!("sha256:{}", "0".repeat(64)),
        "key": issued.json()["access_token"],
    });
    assert_eq!(server.post("/api/v1/publications", Auth::Client(&store), &body).await.status, 201);
    server.post("/api/v1/publications", Auth::Client(&store), &body).await
}

fn slow_body(client: &crate::harness::Credential) -> Vec<u8> {
    use base64::Engine;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", client.id, client.secret));
    format!(
        "POST /api/v1/builds HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\nConnection: close\r\n\r\n{{\"org\":"
    )
    .into_bytes()
}

async fn form(server: &Server, client: &crate::harness::Credential) -> Reply {
    let request = reqwest::Client::new()
        .post(format!("{}/api/v1/builds", server.url))
        .basic_auth(&client.id, Some(&client.secret))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("org=acme");
    Reply::read(request.send().await.unwrap()).await
}

/// Sends a body that is too large, on a connection of its own, since the server closes it without reading the body.
async fn too_large(server: &Server, client: &Credential) -> Reply {
    let request = reqwest::Client::new().post(format!("{}/api/v1/builds", server.url));
    let body = registration_with(&json!({"author": "x".repeat(70_000)}));
    Reply::read(request.basic_auth(&client.id, Some(&client.secret)).json(&body).send().await.unwrap()).await
}
