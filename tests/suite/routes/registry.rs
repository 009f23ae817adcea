//! `/token`: a registry's bearer login, by access policies in CEL.

use buildpass::base::IssuerId;
use buildpass::store::CredentialFilter;
use serde_json::{Value, json};

use crate::harness::market::{Market, RULES};
use crate::harness::{Auth, Credential, claims};

const POLICIES: &str = r#"
[repository."acme".access_policy]
providers = ["self"]
rules = ["identity.oidc.claims.repo == 'acme/app' && request.action != 'delete-manifest'"]
[repository."acme/secret".access_policy]
providers = ["self"]
rules = ["identity.oidc.claims.repo == 'acme/secret'"]
[repository."open".access_policy]
providers = ["self"]
default = "allow"
rules = ["request.action.startsWith('put-')"]
"#;

async fn market() -> Market {
    Market::with(POLICIES, RULES).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_action_on_each_repository_is_judged_by_itself() {
    let market = market().await;
    let token = market.token("registry.example.com").await;
    let ask =
        async |query: &str| market.server.get(&format!("/token?service=registry{query}"), Auth::Token(&token)).await;
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
        let said = claims(answer["token"].as_str().unwrap());
        assert_eq!(
            (said["aud"].clone(), said["iss"].clone()),
            (json!("registry.example.com"), json!("https://ci.example.com"))
        );
        let access: Vec<Value> =
            said["access"].as_array().unwrap().iter().map(|one| json!([one["name"], one["actions"]])).collect();
        assert_eq!(json!(access), expected, "{query}");
        // It ends with the token that it was given for.
        assert_eq!(said["exp"], claims(&token)["exp"], "{query}");
        assert_eq!(answer["expires_in"], 300);
    }
}

/// Whoever has a good token may ask as often as they like.
#[tokio::test(flavor = "multi_thread")]
async fn what_opens_nothing_is_answered_and_leaves_no_row() {
    let market = market().await;
    let token = market.token("registry.example.com").await;
    let credentials = async || {
        let all = market.server.app.store().list_credentials(&IssuerId::main(), &CredentialFilter::default()).await;
        all.unwrap().len()
    };
    for query in ["/token", "/token?scope=repository:acme/app:frobnicate"] {
        let reply = market.server.get(query, Auth::Token(&token)).await;
        assert_eq!(claims(reply.json()["token"].as_str().unwrap())["access"], json!([]));
    }
    assert_eq!(credentials().await, 0);
    market.server.get("/token?scope=repository:open/x:pull,pull", Auth::Token(&token)).await;
    assert_eq!(credentials().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_name_the_provider_as_basic_user() {
    let market = market().await;
    let token = market.token("registry.example.com").await;
    let basic = |user: &str| Credential { id: user.to_owned(), secret: token.clone() };
    let path = "/token?scope=repository:acme/app:pull";
    let reply = market.server.get(path, Auth::Client(&basic("self"))).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    for user in ["partner", "nobody", ""] {
        let reply = market.server.get(path, Auth::Client(&basic(user))).await;
        assert_eq!(reply.status, 401, "{user}");
        assert_eq!(reply.json()["errors"][0]["code"], "UNAUTHORIZED");
    }
    let nothing = market.server.get(path, Auth::None).await;
    assert_eq!(nothing.status, 401);
    let challenges: Vec<_> =
        nothing.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(challenges, ["Basic realm=\"buildpass\"", "Bearer realm=\"https://ci.example.com/token\""]);
    let posted = market.server.post("/token", Auth::None, &json!({})).await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET")), "on which clients fall back to GET");
    let other = market.token("elsewhere").await;
    assert_eq!(market.server.get(path, Auth::Token(&other)).await.status, 401, "another audience");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_in_a_moment_gives_nothing_whatever_the_tolerance() {
    let market = market().await;
    let token = market.token("registry.example.com").await;
    market.server.clock.advance(296);
    market.server.app.issuer().step().await.unwrap();
    assert_eq!(market.server.get("/token", Auth::Token(&token)).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_own_audience_is_due_where_it_has_one() {
    let toml = "[oidc.partner]\nprovider = \"generic\"\nissuer = \"https://issuer.example\"\nrequired_audience = \"registry.example\"\njwks = ";
    let forge = crate::verifier::forge::Forge::new();
    let jwks = toml::Value::try_from(forge.jwks()).unwrap();
    let policy = "[repository.\"acme\".access_policy]\nproviders = [\"partner\"]\nrules = [\"identity.oidc.claims.repository == 'acme/app'\"]\n";
    let market = Market::with(&format!("{toml}{jwks}\n{policy}"), RULES).await;
    let market = Market { forge: std::sync::Arc::new(forge), ..market };
    let path = "/token?scope=repository:acme/app:pull";
    let reply = market.server.get(path, Auth::Token(&market.partner(json!({})))).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(claims(reply.json()["token"].as_str().unwrap())["access"][0]["name"], "acme/app");
    let wrong = market.partner(json!({ "aud": "registry.example.com" }));
    assert_eq!(market.server.get(path, Auth::Token(&wrong)).await.status, 401);
}
