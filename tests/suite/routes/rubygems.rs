//! `/api/v1/oidc/…`: RubyGems' roles and trusted publishers, and what a key may read.

use buildpass::base::Clock;
use buildpass::exchange::{Prune, Section};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::exchange_setup::{ExchangeSetup, RULES};
use crate::harness::{Auth, registration_with};
use crate::verifier::forge::{base64url, claims_with, header};

const HOST: &str = "gems.example.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_role_issues_a_key_of_its_user_in_rubygems_form() {
    let setup = ExchangeSetup::open().await;
    let role = setup.role("push-app").await;
    assert!(role.starts_with("rg_oidc_akr_") && role.len() == 32, "{role}");
    let token = setup.token(HOST).await;
    let reply = setup.assume(&role, &token).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let answer = reply.json();
    let key = answer["rubygems_api_key"].as_str().unwrap();
    let jti = crate::harness::claims(&token)["jti"].as_str().unwrap().to_owned();
    assert_eq!(
        answer,
        json!({
            "rubygems_api_key": key, "name": format!("push-app-{jti}"), "scopes": ["push_rubygem"],
            "gem": { "name": "app" }, "expires_at": answer["expires_at"],
        })
    );
    let known = setup.introspect(key).await;
    assert_eq!((known["flow"].clone(), known["owner"].clone()), (json!("rubygems"), json!("octo")));
    assert_eq!(known["packages"], json!(["app"]));
    // A form is accepted too.
    let form = format!("jwt={}", setup.token(HOST).await);
    let path = format!("/api/v1/oidc/api_key_roles/{role}/assume_role");
    let content_type = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(setup.server.with_headers(Method::POST, &path, &content_type, &form).await.status, 201);
    let again = setup.assume(&role, &token).await;
    assert_eq!((again.status, again.json()), (422, json!({ "errors": { "jwt.claims.jti": ["must be unique"] } })));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_rubygems_own_status_and_text() {
    let setup = ExchangeSetup::open().await;
    let statements = |host: &str| {
        format!(
            "[[rubygems.roles]]\nname=\"partner\"\nuser=\"octo\"\nprovider=\"partner\"\n\
             permissions={{scopes=[\"push_rubygem\"]}}\naccess_policy={{statements=[{{effect=\"allow\",\
             conditions=[{{operator=\"string_equals\",claim=\"aud\",value=\"{host}\"}},\
             {{operator=\"string_matches\",claim=\"repository\",value=\"\\\\Aacme/app\\\\z\"}}]}}]}}\n"
        )
    };
    setup.apply(&(setup.external_providers() + &statements(HOST))).await;
    let role = setup.role("partner").await;
    let not_found = || (404, json!({ "error": "Not Found" }));
    let claims = |changed: Value| {
        let mut claims = json!({ "aud": HOST });
        claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        claims
    };
    let rs256 = header("RS256");
    let forged =
        |changed: Value| setup.forge.seal("RS384", &rs256.to_string(), &claims_with(claims(changed)).to_string());
    let cases: Vec<(&str, String, (u16, Value))> = vec![
        ("two segments", "a.b".to_owned(), (400, json!(null))),
        ("a header that is no base64", format!("!.{0}.{0}", base64url("{}")), (400, json!(null))),
        (
            "a payload that is no JSON",
            format!("{}.{}.AA", base64url(rs256.to_string()), base64url("{")),
            (400, json!(null)),
        ),
        (
            "a payload that is a number",
            format!("{}.{}.AA", base64url(rs256.to_string()), base64url("7")),
            (400, json!(null)),
        ),
        ("no iss", setup.partner(claims(json!({"iss": null}))), (400, json!({"error": "Missing/invalid iss"}))),
        ("a number as iss", setup.partner(claims(json!({"iss": 7}))), (400, json!({"error": "Missing/invalid iss"}))),
        ("no nbf", setup.partner(claims(json!({"nbf": null}))), (400, json!({"error": "Missing/invalid nbf"}))),
        ("a fraction", setup.partner(claims(json!({"iat": 1.5}))), (400, json!({"error": "Missing/invalid iat"}))),
        ("no exp", setup.partner(claims(json!({"exp": null}))), (400, json!({"error": "Missing/invalid exp"}))),
        ("a number as jti", setup.partner(claims(json!({"jti": 7}))), (400, json!({"error": "Missing/invalid jti"}))),
        ("no jti", setup.partner(claims(json!({"jti": null}))), (400, json!({"error": "Missing/invalid jti"}))),
        ("another issuer", setup.partner(claims(json!({"iss": "https://other.example"}))), not_found()),
        ("expired", setup.partner(claims(json!({"exp": 1_700_000_000, "iat": 1_699_999_900}))), not_found()),
        ("not yet valid", setup.partner(claims(json!({"nbf": 1_800_000_900}))), not_found()),
        ("another repository", setup.partner(claims(json!({"repository": "evil/app"}))), not_found()),
        ("a list of two", setup.partner(claims(json!({"aud": [HOST, "x"]}))), not_found()),
        ("an array", setup.partner(claims(json!({"aud": [HOST]}))), not_found()),
        ("a number under a pattern", setup.partner(claims(json!({"repository": 7}))), not_found()),
        ("no aud", setup.partner(claims(json!({"aud": null}))), not_found()),
        ("a number as aud", setup.partner(claims(json!({"aud": 7}))), not_found()),
        ("a number as sub", setup.partner(claims(json!({"sub": 7}))), not_found()),
        (
            "another key",
            setup.forge.token(&json!({"alg":"RS256","kid":"none"}), &claims_with(claims(json!({})))),
            not_found(),
        ),
        ("a wrong signature", forged(json!({})), not_found()),
        ("a wrong signature over too little", forged(json!({"nbf": null, "jti": 7})), not_found()),
    ];
    for (what, token, (status, body)) in cases {
        let reply = setup.assume(&role, &token).await;
        assert_eq!(reply.status, status, "{what}: {}", reply.text);
        match body {
            Value::Null => assert!(reply.json()["error"].is_string(), "{what}: {}", reply.text),
            body => assert_eq!(reply.json(), body, "{what}"),
        }
    }
    assert_eq!(setup.assume("rg_oidc_akr_nobody", &setup.partner(claims(json!({})))).await.status, 404);
    assert_eq!(setup.assume("rg_oidc_akr_nobody", "a.b").await.status, 404, "first of all the role");
    let path = format!("/api/v1/oidc/api_key_roles/{role}/assume_role");
    let missing = setup.server.post(&path, Auth::None, &json!({})).await;
    assert_eq!((missing.status, missing.json()), (400, json!({ "error": "Request is missing param 'jwt'" })));
    let plain = [("accept", "text/plain"), ("content-type", "application/json")];
    let body = json!({ "jwt": setup.partner(claims(json!({"repository": "evil/app"}))) }).to_string();
    let reply = setup.server.with_headers(Method::POST, &path, &plain, &body).await;
    assert_eq!((reply.status, reply.text.as_str()), (404, "This page could not be found."));
    assert_eq!(setup.assume(&role, &setup.partner(claims(json!({})))).await.status, 201, "and the good one passes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publishers_token_is_refused_as_a_roles_is() {
    let setup = ExchangeSetup::open().await;
    setup.apply(&setup.external_providers()).await;
    let (bad, not_found) = (json!({ "error": "Missing/invalid iss" }), json!({ "error": "Not Found" }));
    for (changed, status, body) in [
        (json!({ "iss": null }), 400, &bad),
        (json!({ "iss": 7 }), 400, &bad),
        (json!({ "aud": null }), 404, &not_found),
        (json!({ "aud": 7 }), 404, &not_found),
        (json!({ "sub": 7 }), 404, &not_found),
    ] {
        let reply = setup.publisher(&hub(&setup, changed.clone())).await;
        assert_eq!((reply.status, &reply.json()), (status, body), "{changed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_accepted_until_a_minute_after_it_expired_unlike_at_rubygems() {
    let setup = ExchangeSetup::open().await;
    setup.apply(&(setup.external_providers() + &reader_of("partner", "octo"))).await;
    let role = setup.role("read-octo").await;
    let now = setup.server.clock.now().unix();
    for (ended, status) in [(59, 201), (60, 404), (61, 404)] {
        let exp = now - ended;
        let claims = json!({ "aud": HOST, "jti": ended.to_string(), "iat": exp - 300, "nbf": exp - 300, "exp": exp });
        let reply = setup.assume(&role, &setup.partner(claims)).await;
        assert_eq!(reply.status, status, "{ended} s ago: {}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explicit_denial_is_indistinguishable_from_a_missing_role() {
    let setup = ExchangeSetup::open().await;
    let rules = "[[rubygems.roles]]\nname=\"denied\"\nuser=\"octo\"\nprovider=\"self\"\n\
        permissions={scopes=[\"push_rubygem\"]}\naccess_policy={statements=[\
        {effect=\"allow\",conditions=[{operator=\"string_equals\",claim=\"aud\",value=\"gems.example.com\"}]},\
        {effect=\"EFFECT\",conditions=[{operator=\"string_equals\",claim=\"repo\",value=\"acme/app\"}]}]}\n";
    setup.apply(&rules.replace("EFFECT", "deny")).await;
    let role = setup.role("denied").await;
    let reply = setup.assume(&role, &setup.token(HOST).await).await;
    assert_eq!((reply.status, reply.json()), (404, json!({ "error": "Not Found" })));
    setup.apply(&rules.replace("EFFECT", "allow")).await;
    assert_eq!(setup.assume(&role, &setup.token(HOST).await).await.status, 201, "but for that one statement");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_an_audience_in_its_statements_accepts_the_hosts_only() {
    let setup = ExchangeSetup::open().await;
    let rules = "[[rubygems.roles]]\nname=\"any\"\nuser=\"octo\"\nprovider=\"self\"\n\
        permissions={scopes=[\"push_rubygem\"]}\naccess_policy={statements=[{effect=\"allow\",\
        conditions=[{operator=\"string_equals\",claim=\"repo\",value=\"acme/app\"}]}]}\n";
    setup.apply(rules).await;
    let role = setup.role("any").await;
    assert_eq!(setup.assume(&role, &setup.token("elsewhere").await).await.status, 404);
    let reply = setup.assume(&role, &setup.token(HOST).await).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(reply.json().get("gem"), None, "a key for all gems");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_publisher_is_found_by_the_claims_of_the_token() {
    let setup = ExchangeSetup::open().await;
    let reply = setup.publisher(&setup.token(HOST).await).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let answer = reply.json();
    assert_eq!(answer["scopes"], json!(["push_rubygem"]));
    assert_eq!(answer["gem"], json!({ "name": "app" }));
    assert!(answer["name"].as_str().unwrap().starts_with("buildpass acme/app "), "{answer}");
    let token = setup.token(HOST).await;
    assert_eq!(setup.publisher(&token).await.status, 201);
    assert_eq!(setup.publisher(&token).await.status, 422, "a replay is refused, which theirs is not");
    assert_eq!(setup.publisher(&setup.token("elsewhere").await).await.status, 404);
    let other = setup
        .server
        .register(&setup.client, &registration_with(&json!({ "repo": "other", "repo_id": "2002", "number": 1 })))
        .await;
    let token = setup.token_of(&other.id, json!({ "audience": HOST })).await;
    assert_eq!(setup.publisher(&token).await.status, 404, "another repository");
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_of_two_gems_issue_one_key_and_those_with_an_environment_go_first() {
    let setup = ExchangeSetup::open().await;
    let publisher = |gem: &str, user: &str, environment: &str| {
        format!(
            "[[rubygems.trusted_publishers]]\ngem=\"{gem}\"\nuser=\"{user}\"\nprovider=\"self\"\n\
             criteria={{org=\"acme\",org_id=\"42\",repo=\"app\",repo_id=\"1001\"{environment}}}\n"
        )
    };
    let production = ",environment=\"production\"";
    setup.apply("[[users]]\nname=\"deployer\"\n").await;
    setup.apply(&(publisher("app-extra", "octo", "") + &publisher("released", "deployer", production))).await;
    let reply = setup.publisher(&setup.token(HOST).await).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(reply.json().get("gem"), None, "it is for two");
    let key = reply.json()["rubygems_api_key"].as_str().unwrap().to_owned();
    assert_eq!(setup.introspect(&key).await["packages"], json!(["app", "app-extra"]));
    let step = json!({ "audience": HOST, "step": { "step": "deploy", "environment": "production" } });
    let reply = setup.publisher(&setup.token_of(&setup.build.id, step).await).await;
    assert_eq!(reply.json()["gem"], json!({ "name": "released" }), "{}", reply.text);
    let released = reply.json()["rubygems_api_key"].as_str().unwrap().to_owned();
    let kept = format!("{RULES}[[users]]\nname=\"deployer\"\n{}", publisher("released", "deployer", production));
    setup.try_apply(&kept, Prune::All).await.unwrap();
    assert!(setup.is_active(&released).await, "its publisher stands");
    assert!(!setup.is_active(&key).await, "it rested on the publisher of the second gem too");
}

/// Returns a token of GitHub Actions with these claims changed.
fn hub(setup: &ExchangeSetup, changed: Value) -> String {
    let mut claims = json!({
        "iss": "https://token.actions.githubusercontent.com", "aud": HOST, "sub": "repo:acme/app:ref:refs/heads/main",
        "repository": "acme/app", "repository_owner": "acme", "repository_owner_id": "42", "repository_id": "1001",
        "job_workflow_ref": "acme/app/.github/workflows/push.yml@refs/heads/main", "ref": "refs/heads/main",
        "sha": "0123", "event_name": "push", "actor": "octocat",
    });
    claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    setup.forge.token(&header("RS256"), &claims_with(claims))
}

#[tokio::test(flavor = "multi_thread")]
async fn githubs_publishers_match_as_at_rubygems() {
    let setup = ExchangeSetup::open().await;
    let rules = setup.external_providers()
        + "[[rubygems.trusted_publishers]]\ngem=\"hubbed\"\nuser=\"octo\"\nprovider=\"hub\"\n\
           criteria={owner=\"acme\",owner_id=\"42\",repository=\"app\",workflow=\"push.yml\"}\n";
    setup.apply(&rules).await;
    let reply = setup.publisher(&hub(&setup, json!({ "jti": "1" }))).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let name = reply.json()["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("GitHub Actions acme/app @ .github/workflows/push.yml 2027-"), "{name}");
    let refused = [
        ("another ref's file", json!({ "job_workflow_ref": "acme/app/.github/workflows/push.yml@refs/heads/x" })),
        ("another file", json!({ "job_workflow_ref": "acme/app/.github/workflows/other.yml@refs/heads/main" })),
        ("a resurrected owner", json!({ "repository_owner_id": "43" })),
        ("another repository's id, pinned before", json!({ "repository_id": "1002" })),
        ("another audience", json!({ "aud": "rubygems.org" })),
        ("no repository", json!({ "repository": null })),
    ];
    for (at, (what, changed)) in refused.into_iter().enumerate() {
        let mut changed = changed;
        changed["jti"] = json!(format!("r{at}"));
        let reply = setup.publisher(&hub(&setup, changed)).await;
        assert_eq!((reply.status, reply.header("x-buildpass-reason")), (404, None), "{what}: {}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_pinned_by_the_first_exchange_within_seven_days_and_by_nothing_else() {
    let setup = ExchangeSetup::open().await;
    let rules = setup.external_providers()
        + "[[rubygems.trusted_publishers]]\ngem=\"hubbed\"\nuser=\"octo\"\nprovider=\"hub\"\n\
           criteria={owner=\"acme\",repository=\"app\",workflow=\"push.yml\"}\n";
    setup.apply(&rules).await;
    let squatter = json!({ "jti": "s", "repository_owner_id": "666", "repository_id": "667",
        "job_workflow_ref": "acme/app/.github/workflows/evil.yml@refs/heads/main" });
    assert_eq!(setup.publisher(&hub(&setup, squatter)).await.status, 404, "a squatter's failing build");
    assert_eq!(setup.publisher(&hub(&setup, json!({ "jti": "a" }))).await.status, 201);
    let taken = json!({ "jti": "b", "repository_owner_id": "666" });
    assert_eq!(setup.publisher(&hub(&setup, taken)).await.status, 404, "the ids are pinned");
    assert!(setup.apply(&rules).await.changes_nothing(), "applied again, pins stay");
    let late = rules.replace("hubbed", "late");
    setup.apply(&late).await;
    setup.server.clock.advance(7 * 24 * 3_600 + 1);
    let now = setup.server.clock.now().unix();
    let fresh = |jti: &str| json!({ "jti": jti, "iat": now, "nbf": now, "exp": now + 300 });
    setup.server.app.issuer().step().await.unwrap();
    let both = setup.publisher(&hub(&setup, fresh("c"))).await;
    assert_eq!(both.status, 201, "pins stay, and an equal publisher has them too: {}", both.text);
    let removed = Prune::One(Section::TrustedPublishers, None, publisher_named(&setup, "hubbed").await);
    setup.try_apply("", removed).await.unwrap();
    assert_eq!(setup.publisher(&hub(&setup, fresh("d"))).await.status, 404, "too late for the other one");
}

async fn publisher_named(setup: &ExchangeSetup, gem: &str) -> String {
    let rules = setup.server.app.rules_editor().current().await.unwrap();
    rules.entitlements.iter().find(|row| row.name.starts_with(&format!("{gem}@"))).unwrap().name.clone()
}

/// Returns a user with a role that may read the dashboard, for tokens of this provider.
fn reader_of(provider: &str, user: &str) -> String {
    format!(
        "[[users]]\nname=\"{user}\"\n[[rubygems.roles]]\nname=\"read-{user}\"\nuser=\"{user}\"\n\
         provider=\"{provider}\"\npermissions={{scopes=[\"show_dashboard\"]}}\naccess_policy={{statements=[\
         {{effect=\"allow\",conditions=[{{operator=\"string_equals\",claim=\"aud\",value=\"{HOST}\"}}]}}]}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_the_dashboard_reads_the_rows_of_its_user_only() {
    let setup = ExchangeSetup::open().await;
    setup.apply(&(reader_of("self", "octo") + &reader_of("self", "other"))).await;
    let key_of = async |role: &str| {
        let reply = setup.assume(&setup.role(role).await, &setup.token(HOST).await).await;
        reply.json()["rubygems_api_key"].as_str().unwrap().to_owned()
    };
    let read = async |key: &str, path: &str| {
        let path = format!("/api/v1/oidc/{path}");
        setup.server.with_headers(Method::GET, &path, &[("authorization", key)], "").await
    };
    let (octo, other, pusher) = (key_of("read-octo").await, key_of("read-other").await, key_of("push-app").await);
    let roles = read(&octo, "api_key_roles").await;
    assert_eq!(roles.header("cache-control"), Some("private, no-store"));
    let names: Vec<_> = roles.json().as_array().unwrap().iter().map(|role| role["name"].clone()).collect();
    assert_eq!(names, ["push-app", "read-octo"]);
    let role = &roles.json()[0];
    assert_eq!(role["api_key_permissions"], json!({ "scopes": ["push_rubygem"], "valid_for": 1800, "gems": ["app"] }));
    let token = role["token"].as_str().unwrap();
    assert_eq!(read(&octo, &format!("api_key_roles/{token}")).await.json()["name"], "push-app");
    let foreign = read(&other, &format!("api_key_roles/{token}")).await;
    assert_eq!((foreign.status, foreign.json()), (404, json!({ "error": "Not Found" })));
    assert_eq!(read(&other, "api_key_roles").await.json().as_array().unwrap().len(), 1);
    let tokens = read(&octo, "id_tokens").await.json();
    assert_eq!(tokens.as_array().unwrap().len(), 2, "{tokens}");
    assert_eq!(tokens[0]["jwt"]["claims"]["repo"], "acme/app");
    assert!(tokens.as_array().unwrap().iter().any(|one| one["api_key_role_token"] == token), "{tokens}");
    assert_eq!(read(&octo, "providers").await.json()[0]["issuer"], "https://ci.example.com");
    assert_eq!(read(&octo, "providers/self").await.status, 200);
    let published = setup.publisher(&setup.token(HOST).await).await.json();
    for key in [&pusher, published["rubygems_api_key"].as_str().unwrap()] {
        let denied = read(key, "api_key_roles").await;
        assert_eq!((denied.status, denied.text.as_str()), (403, "The API key doesn't have access"));
    }
    let nobody = read("bpk_none", "api_key_roles").await;
    assert_eq!(nobody.status, 401);
    assert_eq!(nobody.text, "Access Denied. Please sign up for an account at https://rubygems.org");
}
