//! Clients without a secret: a CI server that authenticates with the token of a provider, such as its cluster.

use buildpass::policy::{Client, ClientIdentity};
use serde_json::{Value, json};

use crate::harness::{Auth, Credential, Server, registration, registration_with};
use crate::verifier::forge::{Forge, claims_with, header};
use crate::verifier::stranger::Stranger;

const SUBJECT: &str = "system:serviceaccount:ci:vela";

struct Cluster {
    forge: Forge,
    issuer: Stranger,
    server: Server,
}

impl Cluster {
    /// Starts a server with the providers `k8s` and `other`, which have the same keys.
    async fn new() -> Self {
        let forge = Forge::new();
        let (issuer, other) = (Stranger::issuer(&forge.jwks()).await, Stranger::issuer(&forge.jwks()).await);
        let entry = |name: &str, url: &str| {
            format!("[oidc.{name}]\nprovider = \"generic\"\nissuer = \"{url}\"\nallow_private = [\"127.0.0.1\"]\n")
        };
        let server = Server::with(&(entry("k8s", &issuer.url) + &entry("other", &other.url))).await;
        Self { forge, issuer, server }
    }

    async fn client(&self, change: impl FnOnce(&mut Client)) -> Credential {
        let known = |client: &mut Client| {
            client.identity = Some(ClientIdentity { provider: "k8s".to_owned(), subject: SUBJECT.to_owned() });
            change(client);
        };
        self.server.client_with(known).await
    }

    /// Returns a valid token of the cluster for our API with these claims changed.
    fn token(&self, changed: Value) -> String {
        let mut claims = claims_with(json!({
            "iss": self.issuer.url, "aud": format!("{}/api/v1", self.server.url), "sub": SUBJECT,
        }));
        for (name, value) in changed.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.forge.token(&header("RS256"), &claims)
    }

    async fn register(&self, token: &str) -> (u16, Value) {
        let reply = self.server.post("/api/v1/builds", Auth::Token(token), &registration()).await;
        (reply.status, reply.json())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ci_server_in_a_cluster_does_all_its_work_with_its_clusters_token() {
    let cluster = Cluster::new().await;
    cluster.client(|_| {}).await;
    let token = cluster.token(json!({}));
    let (status, build) = cluster.register(&token).await;
    assert_eq!(status, 201, "{build}");
    let path = format!("/api/v1/builds/{}", build["id"].as_str().unwrap());
    assert_eq!(cluster.server.get(&path, Auth::Token(&token)).await.status, 200);
    let direct = format!("{path}/id_tokens");
    let issued = cluster.server.post(&direct, Auth::Token(&token), &json!({ "audience": "x" })).await;
    assert_eq!(issued.status, 201, "{}", issued.text);
    let finish = format!("{path}/finish");
    let finished = cluster.server.post(&finish, Auth::Token(&token), &json!({ "status": "success" })).await;
    assert_eq!(finished.status, 204);
    assert_eq!(cluster.issuer.asked(), 2, "its keys were fetched once");
}

/// Two providers of one issuer with different requirements. A client belongs to one of them.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_entries_of_one_issuer_the_clients_own_is_asked() {
    let forge = Forge::new();
    let issuer = Stranger::issuer(&forge.jwks()).await;
    let entry = |name: &str| {
        format!(
            "[oidc.{name}]\nprovider = \"generic\"\nissuer = \"{}\"\nallow_private = [\"127.0.0.1\"]\n\
             required_audience = \"{name}\"\n",
            issuer.url
        )
    };
    let server = Server::with(&(entry("first") + &entry("k8s"))).await;
    let cluster = Cluster { forge, issuer, server };
    assert_eq!(cluster.register(&cluster.token(json!({}))).await.0, 401, "nobody's yet");
    cluster.client(|_| {}).await;
    assert_eq!(cluster.register(&cluster.token(json!({}))).await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses_token_is_the_clients() {
    let cluster = Cluster::new().await;
    let credential = cluster.client(|_| {}).await;
    assert_eq!(cluster.register(&cluster.token(json!({}))).await.0, 201);
    let api = format!("{}/api/v1", cluster.server.url);
    for (name, changed) in [
        ("another subject", json!({ "sub": "system:serviceaccount:ci:other" })),
        ("the subject in other case", json!({ "sub": SUBJECT.to_uppercase() })),
        ("another audience", json!({ "aud": "sts.amazonaws.com" })),
        ("the issuer as its audience", json!({ "aud": cluster.server.url })),
        ("several audiences", json!({ "aud": [api, "sts.amazonaws.com"] })),
        ("an issuer that nobody knows", json!({ "iss": "https://evil.example" })),
        ("expired", json!({ "iat": 1_799_999_000, "nbf": 1_799_999_000, "exp": 1_799_999_900 })),
    ] {
        assert_eq!(cluster.register(&cluster.token(changed)).await.0, 401, "{name}");
    }
    let stranger = Forge::new();
    let claims = claims_with(json!({ "iss": cluster.issuer.url, "aud": api, "sub": SUBJECT }));
    assert_eq!(cluster.register(&stranger.token(&header("RS256"), &claims)).await.0, 401, "another's key");
    let listed = cluster.token(json!({ "aud": [api] }));
    let body = registration_with(&json!({ "number": 18 }));
    let reply = cluster.server.post("/api/v1/builds", Auth::Token(&listed), &body).await;
    assert_eq!(reply.status, 201, "Kubernetes writes a list of one");
    // The secret in its row was never shown, and would be rejected even if it were known.
    let reply = cluster.server.post("/api/v1/builds", Auth::Client(&credential), &registration()).await;
    assert_eq!(reply.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_our_own_is_no_clients_and_a_clusters_token_pulls_none() {
    let cluster = Cluster::new().await;
    cluster.client(|_| {}).await;
    let (_, build) = cluster.server.build().await;
    let audience = format!("{}/api/v1", cluster.server.url);
    let ours = cluster.server.pull(&build, &format!("audience={audience}")).await.json()["value"].clone();
    assert_eq!(cluster.register(ours.as_str().unwrap()).await.0, 401);
    let reply = cluster.server.get(&build.request_url, Auth::Token(&cluster.token(json!({})))).await;
    assert_eq!(reply.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_disabled_or_lacks_a_scope_is_told_so_and_one_whose_cluster_is_down_to_come_again() {
    let cluster = Cluster::new().await;
    cluster.client(|client| client.scopes.clear()).await;
    cluster.issuer.forget();
    let token = cluster.token(json!({}));
    let reply = cluster.server.post("/api/v1/builds", Auth::Token(&token), &registration()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("10")));
    let cluster = Cluster::new().await;
    cluster.client(|client| client.scopes.clear()).await;
    assert_eq!(cluster.register(&cluster.token(json!({}))).await.0, 403);
    let cluster = Cluster::new().await;
    cluster.client(|client| client.disabled_at = Some(client.created_at)).await;
    assert_eq!(cluster.register(&cluster.token(json!({}))).await.0, 401);
}
