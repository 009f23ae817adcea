//! The exchange: revocation is final, pins are safe, introspection is scoped, forged tokens leave no row.

use std::sync::Arc;

use buildpass::base::{Clock, IssuerId, Moment};
use buildpass::exchange::{Prune, Section};
use buildpass::policy::Scope;
use buildpass::store::{CredentialFilter, StoredCredential};
use serde_json::{Value, json};

use super::flows::decode;
use crate::harness::exchange_setup::{ExchangeSetup, FLOWS, OPEN, RULES, TOML};
use crate::harness::postgres::PostgresServer;
use crate::harness::{Auth, START, SettableClock, Start, registration_with};
use crate::verifier::forge::{base64url, claims_with, header};

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_finished_build_are_rejected_by_every_flow() {
    let setup = ExchangeSetup::with(OPEN, RULES).await;
    let mut fetched = Vec::new();
    for (flow, audience) in FLOWS {
        fetched.push((flow, setup.token(audience).await));
    }
    setup.finish().await;
    for (flow, token) in fetched {
        assert!(!setup.ask(flow, &token).await.is_good(), "{flow}");
    }
    // The same after the deadline of a build.
    let short = registration_with(&json!({ "number": 9, "timeout": "1m" }));
    let build = setup.server.register(&setup.client, &short).await;
    let mut fetched = Vec::new();
    for (flow, audience) in FLOWS {
        fetched.push((flow, setup.token_of(&build.id, json!({ "audience": audience })).await));
    }
    let token = setup.token_of(&build.id, json!({ "audience": "https://artefacts.example.com" })).await;
    let key = setup.exchange(&token, &[]).await.json();
    assert_eq!(key["expires_in"], 60, "a credential expires with the build");
    setup.server.clock.advance(61);
    setup.server.app.issuer().step().await.unwrap();
    assert!(!setup.is_active(key["access_token"].as_str().unwrap()).await);
    for (flow, token) in fetched {
        assert!(!setup.ask(flow, &token).await.is_good(), "{flow}");
    }
}

async fn active(setup: &ExchangeSetup) -> Vec<StoredCredential> {
    let filter = CredentialFilter { active_at: Some(setup.server.clock.now()), ..Default::default() };
    setup.server.app.store().list_credentials(&IssuerId::main(), &filter).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_stay_revoked_when_the_change_is_undone() {
    let setup = ExchangeSetup::open().await;
    let issue = async || {
        let key = setup.ask("role", &setup.token("gems.example.com").await).await;
        assert_eq!(key.status, 201, "{}", key.text);
    };
    let role = |name: &str| Prune::One(Section::Roles, Some("octo".into()), name.to_owned());
    // A role that is changed and changed back.
    issue().await;
    assert_eq!(active(&setup).await.len(), 1);
    let longer = RULES.replace("valid_for = \"30m\"", "valid_for = \"40m\"");
    setup.apply(&longer).await;
    assert_eq!(active(&setup).await.len(), 0, "its role was changed");
    setup.apply(RULES).await;
    assert_eq!(active(&setup).await.len(), 0);
    // A user who is disabled and enabled.
    issue().await;
    setup.apply("[[users]]\nname=\"octo\"\ndisabled=true\n").await;
    assert_eq!(setup.ask("role", &setup.token("gems.example.com").await).await.status, 404);
    setup.apply("[[users]]\nname=\"octo\"\n").await;
    assert_eq!(active(&setup).await.len(), 0);
    // A role that is deleted and created again is another role, with another token.
    issue().await;
    let token = setup.role("push-app").await;
    setup.try_apply("", role("push-app")).await.unwrap();
    setup.apply(RULES).await;
    assert_eq!(active(&setup).await.len(), 0);
    assert_ne!(setup.role("push-app").await, token);
    let reply = setup.assume(&token, &setup.token("gems.example.com").await).await;
    assert_eq!(reply.status, 404, "the old token names nothing");
    issue().await;
    assert_eq!(active(&setup).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_a_rejected_token_are_never_pinned() {
    let setup = ExchangeSetup::open().await;
    setup
        .apply(
            &(setup.external_providers()
                + "[[nuget.trust_policies]]\nname=\"hub\"\nuser=\"octo\"\nowner=\"acme\"\nkind=\"github\"\n\
               criteria={owner=\"acme\",repository=\"app\",workflow=\"push.yml\"}\n"),
        )
        .await;
    let token = |jti: &str, changed: Value| {
        let mut claims = json!({
            "iss": "https://token.actions.githubusercontent.com", "aud": "https://nuget.example.com", "jti": jti,
            "repository": "acme/app", "repository_owner": "acme", "repository_owner_id": "42", "repository_id": "1001",
            "job_workflow_ref": "acme/app/.github/workflows/push.yml@refs/heads/main", "event_name": "push",
        });
        claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        setup.forge.token(&header("RS256"), &claims_with(claims))
    };
    let ids = json!({ "repository_owner_id": "666", "repository_id": "667" });
    let with = |more: Value| {
        let mut changed = ids.clone();
        changed.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        changed
    };
    let workflow = "acme/app/.github/workflows/evil.yml@refs/heads/main";
    for (jti, changed) in [
        ("1", with(json!({ "job_workflow_ref": workflow }))),
        ("2", with(json!({ "event_name": "pull_request_target" }))),
        ("3", with(json!({ "repository": "evil/app" }))),
    ] {
        assert_eq!(setup.nuget(&token(jti, changed), "octo").await.status, 401);
    }
    assert_eq!(setup.nuget(&token("4", json!({})), "octo").await.status, 200, "the owner's first use pins");
    assert_eq!(setup.nuget(&token("5", ids), "octo").await.status, 401, "other ids are rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downstream_server_neither_sees_nor_records_credentials_of_another() {
    let setup = ExchangeSetup::open().await;
    let key = setup.granted("https://artefacts.example.com").await;
    let other = setup
        .server
        .client_with(|client| {
            client.scopes = vec![Scope::TokensIntrospect, Scope::PublicationsWrite];
            client.audiences = vec!["gems.example.com".parse().unwrap()];
        })
        .await;
    let seen = setup.form("/oauth/introspect", Auth::Client(&other), &[("token", &key)]).await;
    assert_eq!(seen.json(), json!({ "active": false }));
    let body = json!({
        "ecosystem": "generic", "package": "x", "version": "1", "digest": format!("sha256:{}", "0".repeat(64)), "key": key,
    });
    assert_eq!(setup.server.post("/api/v1/publications", Auth::Client(&other), &body).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_revocation_at_one_server_holds_at_the_next_request_of_the_other() {
    let (clock, database) = (Arc::new(SettableClock::at(START)), PostgresServer::shared().database().await);
    let start = || Start::new(TOML).on(&database, &clock);
    let a = ExchangeSetup::on(start(), RULES).await;
    let b = start().go().await;
    let at_b = async |token: &str| {
        let headers = [
            ("x-original-method", "GET"),
            ("x-original-uri", "/x"),
            ("x-original-host", "s"),
            ("authorization", token),
        ];
        b.with_headers(reqwest::Method::GET, "/authz/artefacts", &headers, "").await.status
    };
    let audience = "https://artefacts.example.com";
    // B sees at once that A changed the grant.
    let key = a.granted(audience).await;
    assert_eq!(at_b(&key).await, 200);
    let changed = RULES.replace("scopes = [\"read\", \"write\"]", "scopes = [\"read\"]");
    a.apply(&changed).await;
    assert_eq!(at_b(&key).await, 401, "a changed grant");
    let key = a.granted(audience).await;
    assert_eq!(at_b(&key).await, 200);
    a.form("/oauth/revoke", Auth::None, &[("token", &key)]).await;
    assert_eq!(at_b(&key).await, 401, "a revoked key");
    let token = a.token(audience).await;
    assert_eq!(at_b(&token).await, 200);
    a.form("/oauth/revoke", Auth::None, &[("token", &token)]).await;
    assert_eq!(at_b(&token).await, 401, "a revoked ID token");
    let (key, token) = (a.granted(audience).await, a.token(audience).await);
    a.finish().await;
    assert_eq!((at_b(&key).await, at_b(&token).await), (401, 401), "a finished build");
    let build = a.server.register(&a.client, &registration_with(&json!({ "number": 18 }))).await;
    let a = ExchangeSetup { build, ..a };
    let (key, token) = (a.granted(audience).await, a.token(audience).await);
    assert_eq!((at_b(&key).await, at_b(&token).await), (200, 200));
    let kid: Value = serde_json::from_slice(&decode(token.split('.').next().unwrap())).unwrap();
    a.server.app.issuer().keyring().revoke(kid["kid"].as_str().unwrap(), "leaked").await.unwrap();
    b.app.issuer().step().await.unwrap();
    assert_eq!((at_b(&key).await, at_b(&token).await), (401, 401), "a revoked signing key");
    let (key, token) = (a.granted(audience).await, a.token(audience).await);
    let clients = a.server.app.store().list_clients(&IssuerId::main()).await.unwrap();
    let name = clients.into_iter().find(|client| client.id.as_str() == a.client.id).unwrap().name;
    a.server.app.store().disable_client(&IssuerId::main(), &name, START).await.unwrap();
    assert_eq!((at_b(&key).await, at_b(&token).await), (401, 401), "a disabled client");
}

/// Each token names another issuer, or none, and is sent to every flow.
#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_leave_no_row() {
    let setup = ExchangeSetup::with(OPEN, &format!("{RULES}[[users]]\nname = \"other\"\n")).await;
    setup.apply(&setup.external_providers()).await;
    let events = async || {
        let (issuer, since) = (IssuerId::main(), Moment::from_unix(0));
        setup.server.app.store().list_events(&issuer, since, None, 9_999).await.unwrap().len()
    };
    let before = events().await;
    let unsigned = |claims: Value| {
        let header = base64url(header("RS256").to_string().as_bytes());
        format!("{header}.{}.{}", base64url(claims_with(claims).to_string().as_bytes()), base64url([7; 256]))
    };
    for number in 0..20 {
        let nobody = unsigned(json!({ "iss": format!("https://evil-{number}.example") }));
        let nameless = unsigned(json!({ "iss": null }));
        let odd = unsigned(json!({ "iss": 7 }));
        let ours = unsigned(json!({ "iss": "https://ci.example.com" }));
        for token in [&nobody, &nameless, &odd, &ours] {
            for (flow, _) in FLOWS {
                assert!(!setup.ask(flow, token).await.is_good());
            }
            assert_eq!(setup.assume("rg_oidc_akr_00000000000000000000", token).await.status, 404);
            setup.form("/oauth/revoke", Auth::None, &[("token", token)]).await;
        }
    }
    assert_eq!(events().await, before);
    let signed = setup.token("elsewhere.example.com").await;
    setup.ask("nuget", &signed).await;
    assert_eq!(events().await, before + 1, "a token of our own is recorded: its holder is known");
}
