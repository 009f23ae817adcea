//! `/admin/v1/…`: users, providers, entitlements, issued credentials and events.

use buildpass::policy::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::exchange_setup::ExchangeSetup;
use crate::harness::{Auth, Credential, Reply};

struct Admin<'a> {
    setup: &'a ExchangeSetup,
    client: Credential,
}

impl<'a> Admin<'a> {
    async fn of(setup: &'a ExchangeSetup) -> Self {
        Self { setup, client: setup.server.client_with(|client| client.scopes = vec![Scope::Admin]).await }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let url = format!("{}/admin/v1/{path}", self.setup.server.admin);
        self.setup.server.send(method, &url, Auth::Client(&self.client), body).await
    }

    async fn get(&self, path: &str) -> Value {
        let reply = self.send(Method::GET, path, None).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        reply.json()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_answer_404_without_an_admin_client_and_403_to_other_clients() {
    let setup = ExchangeSetup::open().await;
    let url = format!("{}/admin/v1/roles", setup.server.admin);
    let status = async |auth: Auth<'_>| setup.server.get(&url, auth).await.status;
    assert_eq!(status(Auth::Client(&setup.client)).await, 404);
    assert_eq!(status(Auth::None).await, 404);
    let admin = Admin::of(&setup).await;
    assert_eq!(status(Auth::Client(&setup.client)).await, 403);
    assert_eq!(status(Auth::None).await, 401);
    assert_eq!(status(Auth::Client(&admin.client)).await, 200);
    assert_eq!(
        setup.server.get("/admin/v1/roles", Auth::Client(&admin.client)).await.status,
        404,
        "not on the public listener"
    );
    for path in ["nothing", "trusted-publishers", "policies", "api-keys"] {
        assert_eq!(admin.send(Method::GET, path, None).await.status, 404, "{path}");
    }
    assert_eq!(admin.send(Method::GET, "users/%ff", None).await.code(), "not_found", "an id that is not UTF-8");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_provider_can_be_neither_updated_nor_deleted() {
    let toml = "[oidc.partner]\nprovider = \"generic\"\nissuer = \"https://partner.example\"\n";
    let setup = ExchangeSetup::with(toml, crate::harness::exchange_setup::RULES).await;
    let admin = Admin::of(&setup).await;
    let shown = admin.get("providers/partner").await;
    for (method, body) in [(Method::PUT, Some(&shown)), (Method::DELETE, None)] {
        let reply = admin.send(method, "providers/partner", body).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
        assert!(reply.text.contains("is declared in the configuration: change it there"), "{}", reply.text);
    }
    assert_eq!(admin.get("providers/partner").await, shown);
}

/// An object of each section, before and after an update.
fn objects() -> Vec<(&'static str, Value, Value)> {
    let role = |valid_for: &str| {
        json!({
            "name": "other", "user": "octo", "provider": "self",
            "permissions": { "scopes": ["push_rubygem"], "valid_for": valid_for },
            "access_policy": { "statements": [{ "effect": "allow", "conditions": [
                { "operator": "string_equals", "claim": "repo", "value": "acme/app" } ] }] },
        })
    };
    let policy = |valid_for: &str| {
        json!({
            "name": "other", "user": "octo", "owner": "acme", "kind": "vela", "valid_for": valid_for,
            "criteria": { "org": "acme", "repo": "other" },
        })
    };
    let grant = |scopes: Value| json!({ "name": "other", "provider": "self", "audience": "other", "scopes": scopes, "token": "jwt", "user": "ci-{repo}" });
    let publisher = |allow_untrusted: bool| {
        json!({
            "gem": "other", "user": "octo", "provider": "self", "criteria": { "org": "acme", "repo": "other" },
            "allow_untrusted": allow_untrusted,
        })
    };
    let provider = |seconds: u64| json!({ "name": "ci", "provider": "generic", "issuer": "https://ci.partner.example", "clock_skew_tolerance": seconds });
    vec![
        ("users", json!({ "name": "deployer" }), json!({ "name": "deployer", "disabled": true })),
        ("providers", provider(60), provider(30)),
        ("roles", role("30m"), role("1h")),
        ("trust-policies", policy("15m"), policy("1h")),
        ("grants", grant(json!(["read"])), {
            let mut changed = grant(json!(["read", "write"]));
            changed["user"] = json!("bot");
            changed
        }),
        ("publishers", publisher(false), publisher(true)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_each_section_are_created_listed_shown_updated_and_deleted() {
    let setup = ExchangeSetup::open().await;
    let admin = Admin::of(&setup).await;
    for (section, object, changed) in objects() {
        let before = admin.get(section).await["items"].as_array().unwrap().len();
        let created = admin.send(Method::POST, section, Some(&object)).await;
        assert_eq!(created.status, 201, "{section}: {}", created.text);
        let created = created.json();
        let id = created.get("id").or(created.get("name")).unwrap().as_str().unwrap().to_owned();
        assert_eq!(admin.send(Method::POST, section, Some(&object)).await.status, 400, "{section}: exists already");
        assert_eq!(admin.get(section).await["items"].as_array().unwrap().len(), before + 1);
        let path = format!("{section}/{id}");
        assert_eq!(admin.get(&path).await, created);
        let same = admin.send(Method::PUT, &path, Some(&created)).await;
        assert_eq!((same.status, same.json()), (200, created.clone()), "{section}: a view sent back changes nothing");
        let updated = admin.send(Method::PUT, &path, Some(&changed)).await;
        assert_eq!(updated.status, 200, "{section}: {}", updated.text);
        assert_ne!(updated.json(), created, "{section}");
        let mut renamed = changed.clone();
        renamed["name"] = json!("another-name");
        assert_eq!(admin.send(Method::PUT, &path, Some(&renamed)).await.status, 400, "{section}: a name cannot change");
        assert_eq!(admin.send(Method::DELETE, &path, None).await.status, 204);
        assert_eq!(admin.send(Method::GET, &path, None).await.status, 404);
        assert_eq!(admin.send(Method::DELETE, &path, None).await.status, 404);
    }
    let events = admin.get("events?limit=1000").await;
    let kinds: Vec<&str> =
        events["items"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    for kind in ["user_created", "provider_updated", "role_deleted", "trust_policy_created", "grant_updated"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_object_is_rejected_with_its_field_and_changes_nothing() {
    let setup = ExchangeSetup::open().await;
    let admin = Admin::of(&setup).await;
    let spoil = |section: &str, field: &str, value: Value| {
        let mut object = objects().into_iter().find(|(name, ..)| *name == section).unwrap().1;
        object[field] = value;
        object
    };
    let cases = [
        ("users", spoil("users", "name", json!("a b")), "must be 1 to 64 letters"),
        ("users", spoil("users", "shoe_size", json!(7)), "unknown field"),
        ("providers", spoil("providers", "issuer", json!("ftp://x")), "issuer"),
        ("providers", spoil("providers", "jwks_file", json!("/etc/passwd")), "allowed only in the configuration"),
        ("providers", spoil("providers", "issuer", json!("https://ci.example.com")), "our own issuer"),
        ("roles", spoil("roles", "user", json!("nobody")), "no such user"),
        ("roles", spoil("roles", "provider", json!("nobody")), "no such provider"),
        ("roles", spoil("roles", "permissions", json!({ "scopes": [] })), "at least one scope"),
        ("roles", spoil("roles", "permissions", json!({ "scopes": ["fly"] })), "unknown scope fly"),
        ("roles", spoil("roles", "permissions", json!({ "scopes": ["show_dashboard", "push_rubygem"] })), "exclusive"),
        (
            "roles",
            spoil("roles", "permissions", json!({ "scopes": ["push_rubygem"], "gems": ["a", "b"] })),
            "may include at most 1 gem",
        ),
        (
            "roles",
            spoil("roles", "permissions", json!({ "scopes": ["push_rubygem"], "valid_for": "PT4M" })),
            "must be from 5m to 1d",
        ),
        ("trust-policies", spoil("trust-policies", "kind", json!("gitlab")), "no provider is of kind"),
        ("trust-policies", spoil("trust-policies", "valid_for", json!("61m")), "must be from 1s to 1h"),
        ("trust-policies", spoil("trust-policies", "packages", json!(["a b"])), "is not a glob"),
        ("trust-policies", spoil("trust-policies", "criteria", json!({ "org": "acme" })), "criteria.repo"),
        ("grants", spoil("grants", "when", json!("identity.oidc.claims.repo ==")), "when"),
        ("grants", spoil("grants", "when", json!("request.metod == 'GET'")), "unknown variable request.metod"),
        ("grants", spoil("grants", "audience", json!("gems.example.com")), "belongs to RubyGems"),
        ("grants", spoil("grants", "audience", json!("https://ci.example.com/api/v1")), "clients without a secret"),
        ("grants", spoil("grants", "scopes", json!(["a", "a"])), "must not list a scope twice"),
        ("grants", spoil("grants", "user", json!("ci-{repo")), "an unbalanced"),
    ];
    for (section, object, problem) in cases {
        let before = admin.get(section).await;
        let reply = admin.send(Method::POST, section, Some(&object)).await;
        assert_eq!(reply.status, 400, "{section} {object}: {}", reply.text);
        assert!(reply.json()["detail"].as_str().unwrap().contains(problem), "{problem}: {}", reply.text);
        assert_eq!(admin.get(section).await, before, "{problem}");
    }
    let used = admin.send(Method::DELETE, "users/octo", None).await;
    assert_eq!(used.status, 400, "a user who still has roles: {}", used.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_an_object_without_duplicate_members_and_a_view_may_be_sent_back() {
    let setup = ExchangeSetup::open().await;
    let admin = Admin::of(&setup).await;
    let send = async |body: &'static str| {
        let url = format!("{}/admin/v1/grants", setup.server.admin);
        let request = reqwest::Client::new().post(url).basic_auth(&admin.client.id, Some(&admin.client.secret));
        let reply = request.header("content-type", "application/json").body(body).send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    };
    let twice = r#"{"name":"dup","provider":"self","audience":"https://dup","when":"false","when":"true"}"#;
    let (status, text) = send(twice).await;
    assert_eq!((status, text.contains("has a duplicate member")), (400, true), "{text}");
    let (status, text) = send(r#"["listed","self","https://listed",null,[],null,"key"]"#).await;
    assert_eq!((status, text.contains("must be a JSON object")), (400, true), "{text}");
    let mut grants = admin.get("grants").await["items"].as_array().unwrap().clone();
    assert_eq!(grants.len(), 2, "neither was created");
    let shown = grants.swap_remove(0);
    let path = format!("grants/{}", shown["id"].as_str().unwrap());
    let reply = admin.send(Method::PUT, &path, Some(&shown)).await;
    assert_eq!((reply.status, reply.json()["id"].clone()), (200, shown["id"].clone()), "{}", reply.text);
    let mut other = shown.clone();
    other["created_at"] = json!("2020-01-01T00:00:00Z");
    assert_eq!(
        admin.send(Method::PUT, &path, Some(&other)).await.status,
        400,
        "a member that only the view has cannot be set"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_and_revoked_without_their_text() {
    let setup = ExchangeSetup::open().await;
    let admin = Admin::of(&setup).await;
    let key = setup.granted("https://artefacts.example.com").await;
    let listed = admin.get("keys").await;
    let items = listed["items"].as_array().unwrap();
    assert_eq!((items.len(), items[0]["flow"].clone()), (1, json!("grant")));
    assert!(!listed.to_string().contains(&key), "the text of a key is never listed");
    let path = format!("keys/{}", items[0]["id"].as_str().unwrap());
    assert_eq!(admin.get(&path).await["name"], "artefacts");
    assert_eq!(admin.send(Method::DELETE, &path, None).await.status, 204);
    assert!(!setup.is_active(&key).await);
    assert_eq!(admin.get("keys").await["items"], json!([]));
    assert_eq!(admin.get("keys?all=1").await["items"][0]["revoked_reason"], "the credential was revoked");
    assert_eq!(admin.send(Method::GET, "keys/nothing", None).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_and_refusals_after_the_signature_are_events_without_secrets() {
    let setup = ExchangeSetup::open().await;
    let admin = Admin::of(&setup).await;
    let key = setup.granted("https://artefacts.example.com").await;
    let token = setup.token("https://artefacts.example.com").await;
    setup.exchange(&token, &[("scope", "admin")]).await;
    setup.exchange("a.b.c", &[]).await;
    let events = admin.get("events?limit=1000").await;
    let of = |kind: &str| -> Vec<&Value> {
        events["items"].as_array().unwrap().iter().filter(|one| one["kind"] == kind).collect()
    };
    let created = of("credential_created");
    assert_eq!((created.len(), created[0]["detail"]["audience"].clone()), (1, json!("https://artefacts.example.com")));
    let refused = of("exchange_refused");
    assert_eq!(refused.len(), 1, "a refusal before the signature is only counted: {refused:?}");
    assert_eq!(
        (refused[0]["detail"]["reason"].clone(), refused[0]["detail"]["actual"].clone(), refused[0]["flow"].clone()),
        (json!("scope"), json!("admin"), json!("grant"))
    );
    let text = events.to_string();
    assert!(!text.contains(&key) && !text.contains(&token), "no key and no token");
    // A client with valid tokens must not be able to fill the disk with events.
    for _ in 0..200 {
        setup.exchange(&token, &[("scope", "admin")]).await;
    }
    let events = admin.get("events?limit=1000").await;
    let rows = events["items"].as_array().unwrap().iter().filter(|one| one["kind"] == "exchange_refused").count();
    assert!((60..=62).contains(&rows), "{rows}");
}
