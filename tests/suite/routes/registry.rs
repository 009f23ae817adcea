//! `/token`: a registry's bearer login, by access policies in CEL.

use std::sync::Arc;

use buildpass::base::{IssuerId, Secret};
use buildpass::exchange::flows::registry::{Registry, RegistryScope};
use buildpass::store::CredentialFilter;
use buildpass::verifier::Check;
use serde_json::{Value, json};

use crate::harness::exchange_setup::{ExchangeSetup, RULES, TOML};
use crate::harness::postgres::PostgresServer;
use crate::harness::{Auth, Credential, START, SettableClock, Start, claims, logged, registration_with};
use crate::verifier::forge::Forge;

const POLICIES: &str = r#"
[repository."acme".access_policy]
providers = ["self"]
rules = [
  "identity.oidc.claims.repo == 'acme/never'",
  "identity.oidc.claims.repo == 'acme/app' && request.action != 'delete-manifest'",
]
[repository."acme/secret".access_policy]
providers = ["self"]
rules = ["identity.oidc.claims.repo == 'acme/secret'"]
[repository."open".access_policy]
providers = ["self"]
default = "allow"
rules = ["request.action.startsWith('put-')"]
"#;

async fn setup() -> ExchangeSetup {
    ExchangeSetup::with(POLICIES, RULES).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_action_on_each_repository_is_evaluated_on_its_own() {
    let setup = setup().await;
    let token = setup.token("registry.example.com").await;
    let ask =
        async |query: &str| setup.server.get(&format!("/token?service=registry{query}"), Auth::Token(&token)).await;
    let cases: [(&str, Value); 8] = [
        ("", json!([])),
        ("&scope=repository:acme/app:pull,push", json!([["acme/app", ["pull", "push"]]])),
        ("&scope=repository:acme/app:pull,push,delete", json!([["acme/app", ["pull", "push"]]])),
        ("&scope=repository:acme/secret:pull", json!([])),
        ("&scope=repository:acme/secret/deep:pull", json!([])),
        ("&scope=repository:other:pull", json!([])),
        (
            "&scope=repository:open/x:pull,push&scope=repository:acme/app:pull",
            json!([["open/x", ["pull"]], ["acme/app", ["pull"]]]),
        ),
        (
            "&scope=repository:open/x:pull%20registry:catalog:*%20repository:acme/app:frobnicate",
            json!([["open/x", ["pull"]]]),
        ),
    ];
    for (query, expected) in cases {
        let reply = ask(query).await;
        assert_eq!(reply.status, 200, "{query}: {}", reply.text);
        let answer = reply.json();
        assert_eq!(answer["token"], answer["access_token"]);
        let output = claims(answer["token"].as_str().unwrap());
        assert_eq!(
            (output["aud"].clone(), output["iss"].clone()),
            (json!("registry.example.com"), json!("https://ci.example.com"))
        );
        let access: Vec<Value> =
            output["access"].as_array().unwrap().iter().map(|one| json!([one["name"], one["actions"]])).collect();
        assert_eq!(json!(access), expected, "{query}");
        // It expires with its subject token.
        assert_eq!(output["exp"], claims(&token)["exp"], "{query}");
        assert_eq!(answer["expires_in"], 300);
    }
}

/// A valid token may be sent any number of times.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_access_is_answered_and_leaves_no_row() {
    let setup = setup().await;
    let token = setup.token("registry.example.com").await;
    let credentials = async || {
        let all = setup.server.app.store().list_credentials(&IssuerId::main(), &CredentialFilter::default()).await;
        all.unwrap().len()
    };
    for query in ["/token", "/token?scope=repository:acme/app:frobnicate"] {
        let reply = setup.server.get(query, Auth::Token(&token)).await;
        assert_eq!(claims(reply.json()["token"].as_str().unwrap())["access"], json!([]));
    }
    assert_eq!(credentials().await, 0);
    setup.server.get("/token?scope=repository:open/x:pull,pull", Auth::Token(&token)).await;
    assert_eq!(credentials().await, 1);
    setup.form("/oauth/revoke", Auth::None, &[("token", &token)]).await;
    assert_eq!(setup.server.get("/token", Auth::Token(&token)).await.status, 401, "given up, it is not even answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_name_the_provider_as_basic_user() {
    let setup = setup().await;
    let token = setup.token("registry.example.com").await;
    let basic = |user: &str| Credential { id: user.to_owned(), secret: token.clone() };
    let path = "/token?scope=repository:acme/app:pull";
    let reply = setup.server.get(path, Auth::Client(&basic("self"))).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    for user in ["partner", "nobody", ""] {
        let reply = setup.server.get(path, Auth::Client(&basic(user))).await;
        assert_eq!(reply.status, 401, "{user}");
        assert_eq!(reply.json()["errors"][0]["code"], "UNAUTHORIZED");
    }
    let nothing = setup.server.get(path, Auth::None).await;
    assert_eq!(nothing.status, 401);
    let challenges: Vec<_> =
        nothing.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(challenges, ["Basic realm=\"buildpass\"", "Bearer realm=\"https://ci.example.com/token\""]);
    let posted = setup.server.post("/token", Auth::None, &json!({})).await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET")), "on which clients fall back to GET");
    let other = setup.token("elsewhere").await;
    assert_eq!(setup.server.get(path, Auth::Token(&other)).await.status, 401, "another audience");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_within_seconds_is_refused_whatever_the_tolerance() {
    let setup = setup().await;
    let token = setup.token("registry.example.com").await;
    setup.server.clock.advance(296);
    setup.server.app.issuer().step().await.unwrap();
    assert_eq!(setup.server.get("/token", Auth::Token(&token)).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_with_its_own_audience_requires_it() {
    let toml = "[oidc.partner]\nprovider = \"generic\"\nissuer = \"https://issuer.example\"\nrequired_audience = \"registry.example\"\njwks = ";
    let forge = Forge::new();
    let jwks = toml::Value::try_from(forge.jwks()).unwrap();
    let policy = "[repository.\"acme\".access_policy]\nproviders = [\"partner\"]\nrules = [\"identity.oidc.claims.repository == 'acme/app'\"]\n";
    let setup = ExchangeSetup::with(&format!("{toml}{jwks}\n{policy}"), RULES).await;
    let setup = ExchangeSetup { forge: Arc::new(forge), ..setup };
    let path = "/token?scope=repository:acme/app:pull";
    let reply = setup.server.get(path, Auth::Token(&setup.partner(json!({})))).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(claims(reply.json()["token"].as_str().unwrap())["access"][0]["name"], "acme/app");
    let wrong = setup.partner(json!({ "aud": "registry.example.com" }));
    assert_eq!(setup.server.get(path, Auth::Token(&wrong)).await.status, 401);
}

/// Scopes that a request writes into rows and evaluates are bounded.
#[tokio::test(flavor = "multi_thread")]
async fn each_scope_is_evaluated_once_and_their_number_is_limited() {
    let setup = setup().await;
    let token = setup.token("registry.example.com").await;
    let ask = async |query: String| setup.server.get(&format!("/token?{query}"), Auth::Token(&token)).await;
    let repeated = vec!["scope=repository:open/x:pull"; 200].join("&") + "&scope=repository:open/x:frobnicate,pull";
    let reply = ask(repeated).await;
    let access = claims(reply.json()["token"].as_str().unwrap())["access"].clone();
    assert_eq!(access, json!([{ "type": "repository", "name": "open/x", "actions": ["pull"] }]));
    let many: Vec<_> = (0..65).map(|number| format!("scope=repository:open/x{number}:pull")).collect();
    assert_eq!(ask(many[..64].join("&")).await.status, 200);
    let long = format!("scope=repository:open/{}:pull", "x".repeat(251));
    for (query, output) in [
        (many.join("&"), "scope: must be at most 64 scopes"),
        (long, "scope: a repository name must have at most 255 bytes"),
    ] {
        let reply = ask(query).await;
        assert_eq!((reply.status, reply.json()["errors"][0]["message"].clone()), (400, json!(output)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_subjects_rate_limit_does_not_affect_others() {
    let setup = setup().await;
    let token = setup.token("registry.example.com").await;
    let path = "/token?scope=repository:open/x:pull";
    for _ in 0..200 {
        assert_eq!(setup.server.get(path, Auth::Token(&token)).await.status, 200);
    }
    let reply = setup.server.get(path, Auth::Token(&token)).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")));
    assert_eq!(reply.json()["errors"][0]["code"], "TOOMANYREQUESTS");
    for _ in 0..3 {
        assert_eq!(setup.server.get("/token", Auth::Token(&token)).await.status, 200, "what opens nothing has none");
    }
    let other = json!({ "repo": "other", "repo_id": "2002", "number": 2 });
    let other = setup.server.register(&setup.client, &registration_with(&other)).await;
    let other = setup.token_of(&other.id, json!({ "audience": "registry.example.com" })).await;
    assert_eq!(setup.server.get(path, Auth::Token(&other)).await.status, 200);
    setup.server.clock.advance(1);
    assert_eq!(setup.server.get(path, Auth::Token(&token)).await.status, 200);
}

/// Returns a configured provider for the forge's tokens with this audience.
fn entry(name: &str, audience: &str, keys: &str) -> String {
    format!(
        "[oidc.{name}]\nprovider=\"generic\"\nissuer=\"https://issuer.example\"\nrequired_audience=\"{audience}\"\n{keys}\n"
    )
}

fn allowing(provider: &str) -> String {
    format!(
        "[repository.\"acme\".access_policy]\nproviders=[\"{provider}\"]\nrules=[\"identity.oidc.claims.repository == 'acme/app'\"]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_providers_of_one_issuer_the_available_one_accepts_its_own_tokens() {
    let forge = Arc::new(Forge::new());
    let jwks = format!("jwks={}", toml::Value::try_from(forge.jwks()).unwrap());
    let unreachable = "jwks_file=\"not-there.json\"";
    let toml = entry("a", "one", unreachable) + &entry("b", "registry.example", &jwks) + &allowing("b");
    let setup = ExchangeSetup { forge, ..ExchangeSetup::with(&toml, RULES).await };
    let path = "/token?scope=repository:acme/app:pull";
    let reply = setup.server.get(path, Auth::Token(&setup.partner(json!({})))).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let reply = setup.server.get(path, Auth::Token(&setup.partner(json!({ "aud": "one" })))).await;
    assert_eq!(reply.status, 503, "it may be good for the one that can't be asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_provider_is_covered_by_the_policies_that_name_it() {
    let setup = with_stored_ci(&allowing("ci")).await;
    assert!(opens(&setup).await);
    assert!(logged().contains("access policy names a provider that does not exist"), "as it was not at the start");
    let setup = with_stored_ci(&allowing("self")).await;
    assert!(!opens(&setup).await);
}

/// Policies name configured providers; a stored provider, which verifies the tokens, may have the same name. On a shared
/// database such a server must run nevertheless.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_policy_covers_its_configured_provider_and_no_stored_one_of_the_same_name() {
    let database = PostgresServer::shared().database().await;
    let clock = Arc::new(SettableClock::at(START));
    let forge = Arc::new(Forge::new());
    let first = ExchangeSetup { forge, ..ExchangeSetup::on(Start::new(TOML).on(&database, &clock), RULES).await };
    first.apply(&stored_ci(&first)).await;
    let written_for = entry("ci", "registry.example", &keys(&first)).replace("issuer.example", "github.example");
    let toml = format!("{TOML}{written_for}{}", allowing("ci"));
    let second = ExchangeSetup { server: Start::new(&toml).on(&database, &clock).go().await, ..first };
    assert!(!opens(&second).await, "the partner's tokens don't get what was written for another issuer's");
}

fn keys(setup: &ExchangeSetup) -> String {
    format!("jwks={}", toml::Value::try_from(setup.forge.jwks()).unwrap())
}

/// Returns a provider `ci` that a command created, as a rules file has it.
fn stored_ci(setup: &ExchangeSetup) -> String {
    entry("ci", "registry.example", &keys(setup)).replace("[oidc.ci]", "[[providers]]\nname=\"ci\"")
}

async fn with_stored_ci(policies: &str) -> ExchangeSetup {
    let setup = ExchangeSetup::with(policies, RULES).await;
    setup.apply(&stored_ci(&setup)).await;
    setup
}

/// Whether a token of `https://issuer.example` grants any access.
async fn opens(setup: &ExchangeSetup) -> bool {
    let path = "/token?scope=repository:acme/app:pull";
    let reply = setup.server.get(path, Auth::Token(&setup.partner(json!({})))).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    claims(reply.json()["token"].as_str().unwrap())["access"] != json!([])
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_each_part_of_each_evaluated_rule() {
    let setup = setup().await;
    let token = Secret::new(setup.token("registry.example.com").await);
    let scopes = RegistryScope::read_all(["repository:acme/app:pull,delete", "repository:acme/secret:pull"]).unwrap();
    let exchange = setup.server.app.exchange().unwrap();
    let explained = exchange.explain(&Registry { provider: None, scopes }, &token).await.unwrap();
    assert!(explained.accepted());
    let nothing = RegistryScope::read_all(["repository:acme/secret:pull"]).unwrap();
    let nothing = exchange.explain(&Registry { provider: None, scopes: nothing }, &token).await.unwrap();
    assert!(!nothing.accepted(), "the flow answers, with no access");
    let steps = explained.steps.iter().filter(|step| step.check == Check::Policy);
    let described: Vec<String> =
        steps.map(|step| format!("{} {}: {}", step.passed, step.expected, step.actual)).collect();
    insta::assert_snapshot!(described.join("\n"));
}
