//! `/api/v1/publications`: packages that registries report as pushed with a key.

use buildpass::base::IssuerId;
use buildpass::exchange::provenance;
use buildpass::policy::Scope;
use serde_json::{Value, json};

use crate::harness::exchange_setup::{ExchangeSetup, RULES};
use crate::harness::{Auth, Credential, Reply};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

async fn downstream(setup: &ExchangeSetup, audiences: &[&str]) -> Credential {
    let audiences: Vec<_> = audiences.iter().map(|audience| audience.parse().unwrap()).collect();
    setup
        .server
        .client_with(|client| (client.scopes, client.audiences) = (vec![Scope::PublicationsWrite], audiences))
        .await
}

fn push(ecosystem: &str, package: &str, version: &str, key: &str) -> Value {
    json!({ "ecosystem": ecosystem, "package": package, "version": version, "digest": DIGEST, "key": key })
}

async fn publish(setup: &ExchangeSetup, client: &Credential, body: &Value) -> Reply {
    setup.server.post("/api/v1/publications", Auth::Client(client), body).await
}

async fn gem_key(setup: &ExchangeSetup) -> String {
    let reply = setup.assume(&setup.role("push-app").await, &setup.token("gems.example.com").await).await;
    reply.json()["rubygems_api_key"].as_str().unwrap().to_owned()
}

/// The audience of a role's key is the one that the role's statement names, not the host of the flow.
#[tokio::test(flavor = "multi_thread")]
async fn a_roles_key_has_the_audience_of_its_subject_token() {
    let setup = ExchangeSetup::open().await;
    setup.apply(&RULES.replace("gems.example.com", "other-gems.example.com")).await;
    let reply = setup.assume(&setup.role("push-app").await, &setup.token("other-gems.example.com").await).await;
    let key = reply.json()["rubygems_api_key"].as_str().unwrap().to_owned();
    assert_eq!(setup.introspect(&key).await["aud"], "other-gems.example.com");
    let (own, host) = (["other-gems.example.com"], ["gems.example.com"]);
    let pushed = push("rubygems", "app", "1.0.0", &key);
    assert_eq!(publish(&setup, &downstream(&setup, &host).await, &pushed).await.status, 403);
    assert_eq!(publish(&setup, &downstream(&setup, &own).await, &pushed).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn provenance_leads_from_a_package_to_its_build() {
    let setup = ExchangeSetup::open().await;
    let gems = downstream(&setup, &["gems.example.com"]).await;
    let key = gem_key(&setup).await;
    let reply = publish(&setup, &gems, &push("rubygems", "app", "1.0.0", &key)).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(reply.json()["audience"], "gems.example.com");
    assert!(!reply.text.contains(&key), "the answer never contains the key");
    let again = publish(&setup, &gems, &push("rubygems", "app", "1.0.0", &key)).await;
    assert_eq!((again.status, again.code().as_str()), (409, "publication_exists"));
    let store = &**setup.server.app.store();
    let found = provenance(store, &IssuerId::main(), "app", "1.0.0", None).await.unwrap();
    let (publication, key, token) = &found[0];
    assert_eq!((publication.package.as_str(), publication.digest.as_str()), ("app", DIGEST));
    assert_eq!(key.user.as_deref(), Some("octo"));
    let claims: Value = serde_json::from_str(&token.claims).unwrap();
    assert_eq!(
        (claims["repo"].clone(), claims["build_number"].clone()),
        (json!("acme/app"), claims["build_number"].clone())
    );
    assert!(provenance(store, &IssuerId::main(), "app", "1.0.1", None).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_is_recorded_only_for_packages_and_audiences_of_the_key() {
    let setup = ExchangeSetup::open().await;
    let gems = downstream(&setup, &["gems.example.com"]).await;
    let feed = downstream(&setup, &["https://nuget.example.com"]).await;
    let any = downstream(&setup, &[]).await;
    let key = gem_key(&setup).await;
    let api_key = setup.nuget(&setup.token("https://nuget.example.com").await, "octo").await.json();
    let api_key = api_key["apiKey"].as_str().unwrap();
    let grant = setup.granted("https://artefacts.example.com").await;
    let refused = [
        ("another registry's key", &feed, push("rubygems", "app", "1", &key)),
        ("another package", &gems, push("rubygems", "other", "1", &key)),
        ("another ecosystem", &any, push("generic", "app", "1", &key)),
        ("a feed's key for a gem", &any, push("rubygems", "Acme.Core", "1", api_key)),
        ("another owner's package", &feed, push("nuget", "Evil.Core", "1", api_key)),
        ("no key", &any, push("generic", "app", "1", "bpk_nothing")),
    ];
    for (what, client, body) in refused {
        let reply = publish(&setup, client, &body).await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "forbidden"), "{what}");
    }
    assert_eq!(
        publish(&setup, &feed, &push("nuget", "acme.core", "1", api_key)).await.status,
        201,
        "package names ignore case"
    );
    assert_eq!(publish(&setup, &feed, &push("nuget", "Acme.Core", "1", api_key)).await.status, 409);
    assert_eq!(publish(&setup, &any, &push("oci", "acme/app", "1", &grant)).await.status, 201, "`*` covers every name");
    setup.finish().await;
    assert_eq!(publish(&setup, &gems, &push("rubygems", "app", "2", &key)).await.status, 403, "the build has finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_field_is_named() {
    let setup = ExchangeSetup::open().await;
    let client = downstream(&setup, &[]).await;
    let good = push("generic", "app", "1", "bpk_x");
    let spoiled = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, named) in [
        (spoiled("digest", json!("sha256:xyz")), "digest: must be `sha256:`"),
        (spoiled("package", json!("")), "package: must be text"),
        (spoiled("version", json!("a\nb")), "version: must be text"),
        (spoiled("ecosystem", json!("cargo")), "ecosystem: must be"),
        (spoiled("extra", json!(1)), "extra: is an unknown field"),
    ] {
        let reply = publish(&setup, &client, &body).await;
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!((reply.status, detail.starts_with(named)), (400, true), "{detail}");
    }
    let other = setup.server.client().await;
    assert_eq!(publish(&setup, &other, &good).await.status, 403, "the client lacks the scope");
}
