//! `/authz/{grant}`: forward authentication, with the requests of each proxy.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use buildpass::base::{IssuerId, Moment, Secret};
use buildpass::exchange::flows::forward_auth::ForwardAuth;
use reqwest::Method;

use crate::harness::exchange_setup::{ExchangeSetup, RULES};

const AUDIENCE: &str = "https://store.example.com";
const GRANT: &str = r#"
[[grants]]
name = "store"
provider = "self"
audience = "https://store.example.com"
when = 'identity.oidc.claims.repo == "acme/app" && (request.method == "GET" || request.path.startsWith("/acme/"))'
scopes = ["write"]
user = "ci-{repo}"
"#;

/// Grant for keys from the token endpoint, where a request has no method.
const KEYED: &str = r#"
[[grants]]
name = "keyed"
provider = "self"
audience = "https://keyed.example.com"
when = '!has(request.method) || request.path.startsWith("/acme/")'
"#;

async fn setup(proxy: &str) -> ExchangeSetup {
    ExchangeSetup::with(&format!("[forward_auth]\nproxy = \"{proxy}\"\n"), &format!("{RULES}{GRANT}{KEYED}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_allowed_by_method_and_path_and_the_store_reads_the_identity() {
    let setup = setup("nginx").await;
    let token = setup.token(AUDIENCE).await;
    let bearer = format!("Bearer {token}");
    let auth = [("authorization", bearer.as_str())];
    let reply = setup.authz("store", "PUT", "/acme/app-1.0.tgz?x=1", &auth).await;
    assert_eq!(reply.status, 200, "{:?}", reply.headers);
    let header = |name: &str| reply.header(name).unwrap().to_owned();
    assert_eq!(header("x-buildpass-user"), "ci-acme/app");
    assert_eq!(header("x-buildpass-provider"), "self");
    assert_eq!(header("x-buildpass-grant"), "store");
    assert_eq!(header("x-buildpass-scopes"), "write");
    assert_eq!(header("x-buildpass-key"), "");
    assert_eq!(header("x-buildpass-build"), setup.build.id);
    assert!(header("x-buildpass-subject").starts_with("repo:acme@42/app@1001"));
    for _ in 0..3 {
        assert_eq!(setup.authz("store", "GET", "/", &auth).await.status, 200, "as often as clients ask");
    }
    assert_eq!(setup.authz("store", "PUT", "/other/x", &auth).await.status, 403);
    let events =
        setup.server.app.store().list_events(&IssuerId::main(), Moment::from_unix(0), None, 100).await.unwrap();
    let refused: Vec<_> = events.iter().filter(|event| event.kind == "exchange_refused").collect();
    assert_eq!((refused.len(), refused[0].flow.as_deref()), (1, Some("forward")), "only a refusal is recorded");
    assert_eq!(setup.authz("other", "GET", "/", &auth).await.status, 401, "an unknown grant");
    let elsewhere = format!("Bearer {}", setup.token("elsewhere").await);
    assert_eq!(setup.authz("store", "GET", "/", &[("authorization", &elsewhere)]).await.status, 401);
    setup.finish().await;
    assert_eq!(setup.authz("store", "GET", "/", &auth).await.status, 401, "the build is finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_sends_the_credential_in_its_own_form() {
    let setup = setup("nginx").await;
    let token = setup.token(AUDIENCE).await;
    let basic = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let forms = [
        ("authorization", format!("Bearer {token}")),
        ("authorization", format!("bearer {token}")),
        ("authorization", basic("__token__", &token)),
        ("authorization", basic(&token, "")),
        ("authorization", basic(&token, "x-oauth-basic")),
        ("authorization", token.clone()),
        ("x-nuget-apikey", token.clone()),
    ];
    for (name, value) in &forms {
        let reply = setup.authz("store", "PUT", "/acme/x", &[(name, value)]).await;
        assert_eq!(reply.status, 200, "{name}: {value}");
    }
    let both = [("authorization", forms[0].1.as_str()), ("x-nuget-apikey", "another")];
    assert_eq!(setup.authz("store", "GET", "/", &both).await.status, 403, "two that differ");
    let same = [("authorization", forms[0].1.as_str()), ("x-nuget-apikey", token.as_str())];
    assert_eq!(setup.authz("store", "GET", "/", &same).await.status, 200);
    let none = setup.authz("store", "GET", "/", &[]).await;
    let challenges: Vec<_> =
        none.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!((none.status, challenges), (401, vec!["Basic realm=\"buildpass\"", "Bearer"]));
    assert_eq!(setup.authz("store", "GET", "/", &[("authorization", "Bearer a.b.c")]).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_grant_is_accepted_and_no_other_credential() {
    let setup = setup("nginx").await;
    let key = setup.granted("https://keyed.example.com").await;
    let auth = [("authorization", key.as_str())];
    let reply = setup.authz("keyed", "PUT", "/acme/x", &auth).await;
    assert_eq!(reply.status, 200);
    assert!(!reply.header("x-buildpass-key").unwrap().is_empty());
    assert_eq!(setup.authz("keyed", "PUT", "/other", &auth).await.status, 403, "the condition is evaluated again");
    assert_eq!(setup.authz("store", "GET", "/", &auth).await.status, 401, "another grant");
    let gem = setup.assume(&setup.role("push-app").await, &setup.token("gems.example.com").await).await.json();
    let gem = gem["rubygems_api_key"].as_str().unwrap().to_owned();
    assert_eq!(setup.authz("keyed", "GET", "/", &[("authorization", &gem)]).await.status, 401, "a key of another flow");
    setup.form("/oauth/revoke", crate::harness::Auth::None, &[("token", &key)]).await;
    assert_eq!(setup.authz("keyed", "PUT", "/acme/x", &auth).await.status, 401);
    let token = setup.token("https://keyed.example.com").await;
    let bearer = format!("Bearer {token}");
    assert_eq!(setup.authz("keyed", "PUT", "/acme/x", &[("authorization", &bearer)]).await.status, 200);
    assert_eq!(setup.exchange(&token, &[]).await.status, 200);
    let after = setup.authz("keyed", "PUT", "/acme/x", &[("authorization", &bearer)]).await;
    assert_eq!(after.status, 401, "a used token");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_configured_proxys_headers_are_read_each_once() {
    let setup = setup("traefik").await;
    let bearer = format!("Bearer {}", setup.token(AUDIENCE).await);
    let auth = ("authorization", bearer.as_str());
    let ask = async |headers: &[(&str, &str)]| {
        setup.server.with_headers(Method::GET, "/authz/store", headers, "").await.status
    };
    let (method, uri, host) =
        (("x-forwarded-method", "PUT"), ("x-forwarded-uri", "/acme/x"), ("x-forwarded-host", "store.example.com"));
    assert_eq!(ask(&[auth, method, uri, host]).await, 200);
    assert_eq!(ask(&[auth, method, uri, host, ("x-forwarded-uri", "/acme/x")]).await, 403, "twice");
    assert_eq!(ask(&[auth, uri, host]).await, 403, "none");
    assert_eq!(ask(&[auth, ("x-forwarded-method", ""), uri, host]).await, 403, "empty");
    let nginx = [auth, ("x-original-method", "PUT"), ("x-original-uri", "/acme/x"), ("x-original-host", "s")];
    assert_eq!(ask(&nginx).await, 403, "another proxy's");
    let shadowed = [auth, method, ("x-forwarded-uri", "/other"), host, ("x-original-uri", "/acme/x")];
    assert_eq!(ask(&shadowed).await, 403, "ignored too");
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_sends_the_original_method_and_path() {
    let setup = setup("envoy").await;
    let bearer = format!("Bearer {}", setup.token(AUDIENCE).await);
    let ask = async |method: Method, path: &str| {
        let path = format!("/authz/store{path}");
        setup.server.with_headers(method, &path, &[("authorization", &bearer)], "an ignored body").await.status
    };
    assert_eq!(ask(Method::PUT, "/acme/x?y=1").await, 200);
    assert_eq!(ask(Method::POST, "/acme/x").await, 200);
    assert_eq!(ask(Method::DELETE, "/other").await, 403);
    assert_eq!(ask(Method::GET, "/other").await, 200);
    assert_eq!(ask(Method::GET, "/").await, 200);
    assert_eq!(ask(Method::PUT, "/").await, 403);
    assert_eq!(ask(Method::PUT, "/acme/%2e%2e/other").await, 403);
    assert_eq!(ask(Method::PUT, "/acme/%ff").await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_each_step_of_a_forward_auth_request() {
    let setup = setup("nginx").await;
    let token = setup.token(AUDIENCE).await;
    let explained = async |method: &str, path: &str| {
        let ask = ForwardAuth {
            grant: "store".to_owned(),
            credential: Secret::new(token.clone()),
            method: method.to_owned(),
            path: path.to_owned(),
            host: String::new(),
        };
        setup.server.app.exchange().unwrap().explain_forward(&ask).await.unwrap()
    };
    assert!(explained("PUT", "/acme/x").await.accepted());
    let refused = explained("PUT", "/other").await;
    assert!(!refused.accepted());
    let part = refused.steps.iter().find(|step| step.expected.contains("startsWith")).unwrap();
    assert!(!part.passed && part.actual.contains("/other"), "{part:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_path_is_refused() {
    let setup = setup("nginx").await;
    let bearer = format!("Bearer {}", setup.token(AUDIENCE).await);
    for path in [
        "/acme/../other",
        "/acme/%2e%2e/other",
        "/acme/.%2e/other",
        "//acme/x",
        "/acme//x",
        "/acme/./x",
        "/acme%2fx",
        "/acme%5c..%5cother",
        "/acme\\x",
        "/acme/x%00",
        "/acme/%ff",
        "acme/x",
        "/acme/%zz",
        "/acme/..;/other",
        "/acme;v=1/x",
        "/acme/x#/../../other",
    ] {
        assert_eq!(setup.authz("store", "PUT", path, &[("authorization", &bearer)]).await.status, 403, "{path}");
    }
    assert_eq!(setup.authz("store", "PUT", "/acme/legacy/", &[("authorization", &bearer)]).await.status, 200);
}
