//! `verify`, `access-policy check` and `providers check`: tokens of another issuer on loopback.

use buildpass::base::{Clock, SystemClock};
use serde_json::{Value, json};

use super::{Folder, Run};
use crate::verifier::forge::{Forge, claims_with, header};
use crate::verifier::stranger::{Stranger, ok};

/// The configuration of the decision record of the verifier. Only the URL of GitHub's issuer, on loopback here, is added.
const SEED: &str = r#"
# GitHub Actions provider with defaults
[oidc.github-actions]
provider = "github"
issuer = "ISSUER"
allow_private = ["127.0.0.1"]

# Generic OIDC provider
[oidc.my-provider]
provider = "generic"
issuer = "https://auth.example.com"
jwks_uri = "https://auth.example.com/.well-known/jwks"  # optional, uses discovery if not set
required_audience = "my-registry"
clock_skew_tolerance = 60
jwks_refresh_interval = 3600

# Repository access policy using OIDC claims
[repository."myapp".access_policy]
rules = [
    """identity.oidc.claims.repository == "myorg/myrepo" &&
       identity.oidc.claims.actor == "github-actions[bot]" &&
       request.action in ["put-manifest", "put-blob"]"""
]
"#;

struct World {
    forge: Forge,
    issuer: Stranger,
    folder: Folder,
}

impl World {
    async fn new() -> Self {
        let forge = Forge::new();
        let issuer = Stranger::issuer(&forge.jwks()).await;
        let folder = Folder::new();
        std::fs::write(folder.path().join("registry.toml"), SEED.replace("ISSUER", &issuer.url)).unwrap();
        Self { forge, issuer, folder }
    }

    /// A token of GitHub's issuer, good now, with these claims changed.
    fn token(&self, changed: Value) -> String {
        let now = SystemClock::new().now().unix();
        let mut claims = claims_with(json!({
            "iss": self.issuer.url, "iat": now, "nbf": now, "exp": now + 300,
            "repository": "myorg/myrepo", "actor": "github-actions[bot]",
        }));
        for (name, value) in changed.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.forge.token(&header("RS256"), &claims)
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Run {
        tokio::task::block_in_place(|| self.folder.run_with(arguments, input))
    }

    async fn check(&self, token: &str, repository: &str, action: &str) -> Run {
        let request = json!({ "action": action }).to_string();
        let arguments = [
            "access-policy",
            "check",
            "registry.toml",
            "--token",
            "-",
            "--repository",
            repository,
            "--request",
            &request,
        ];
        self.run(&arguments, token).await
    }
}

/// As in the registry flow: without `required_audience` the configured audience of the registry is required.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_an_access_policy_must_have_the_audience_of_the_registry() {
    let world = World::new().await;
    let seed = SEED.replace("ISSUER", &world.issuer.url);
    let named = format!("[exchange]\nregistry_audience = \"registry.example.com\"\n{seed}");
    std::fs::write(world.folder.path().join("registry.toml"), named).unwrap();
    let elsewhere = world.check(&world.token(json!({})), "myapp", "put-manifest").await;
    assert_eq!(elsewhere.code, 1, "{elsewhere:?}");
    assert!(elsewhere.stdout.contains("registry.example.com"), "{elsewhere:?}");
    world.check(&world.token(json!({ "aud": "registry.example.com" })), "myapp", "put-manifest").await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_policy_allows_its_repository_alone_and_explains_denials() {
    let world = World::new().await;
    let allowed = world.check(&world.token(json!({})), "myapp", "put-manifest").await.done();
    assert!(allowed.ends_with("allowed\n") && !allowed.contains("FAILED"), "{allowed}");
    for (changed, action, named) in [
        (json!({ "repository": "myorg/other" }), "put-manifest", "identity.oidc.claims.repository = \"myorg/other\""),
        (json!({ "actor": "octocat" }), "put-manifest", "identity.oidc.claims.actor = \"octocat\""),
        (json!({}), "delete-blob", "request.action = \"delete-blob\""),
    ] {
        let refused = world.check(&world.token(changed), "myapp", action).await;
        assert_eq!(refused.code, 1, "{refused:?}");
        let failed: Vec<&str> = refused.stdout.lines().filter(|line| line.starts_with("FAILED")).collect();
        assert!(failed[0].contains(named) && failed.len() == 2, "{failed:?}");
        assert!(refused.stderr.contains("denied: no rule allows the request"), "{refused:?}");
    }
    let elsewhere = world.check(&world.token(json!({})), "other", "put-manifest").await;
    assert_eq!(elsewhere.code, 1);
    assert!(elsewhere.stderr.contains("no access policy matches this repository"), "{elsewhere:?}");
}

/// Threat 28: the own issuer can issue `repository: myorg/myrepo` too, but is not GitHub.
#[tokio::test(flavor = "multi_thread")]
async fn equal_claims_of_another_issuer_are_rejected() {
    let world = World::new().await;
    let impostor = Stranger::issuer(&world.forge.jwks()).await;
    let refused = world.check(&world.token(json!({ "iss": impostor.url })), "myapp", "put-manifest").await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("issuer: expected the issuer of a configured provider"), "{refused:?}");
    assert_eq!(impostor.asked(), 0, "nobody asked it for keys");
    // With a provider of its own, the impostor is still not the provider of the policy.
    let file = world.folder.path().join("registry.toml");
    let more = format!(
        "{}\n[oidc.impostor]\nprovider = \"generic\"\nissuer = \"{}\"\nallow_private = [\"127.0.0.1\"]\n",
        std::fs::read_to_string(&file).unwrap(),
        impostor.url
    );
    std::fs::write(&file, more).unwrap();
    let refused = world.check(&world.token(json!({ "iss": impostor.url })), "myapp", "put-manifest").await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("accepts tokens of github-actions, not of impostor"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_accepted_with_its_claims_or_rejected_with_a_reason() {
    let world = World::new().await;
    let verify = |more: &[&'static str]| {
        [&["verify", "--config", "registry.toml", "--provider", "github-actions", "--json"], more, &["-"]].concat()
    };
    let accepted = world.run(&verify(&[]), &world.token(json!({}))).await.json();
    assert_eq!(accepted["accepted"], true);
    assert_eq!(accepted["claims"]["repository"], "myorg/myrepo");
    let refused = world.run(&verify(&["--audience", "other"]), &world.token(json!({}))).await;
    assert_eq!(refused.code, 1);
    let answer: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(answer["accepted"], false);
    assert_eq!(answer["refusal"], json!({ "reason": "audience", "expected": "other", "actual": "registry.example" }));
    let several = world.token(json!({ "aud": ["other", "registry.example"] }));
    assert_eq!(world.run(&verify(&["--audience", "other"]), &several).await.code, 1);
    assert_eq!(world.run(&verify(&["--audience", "other", "--several"]), &several).await.code, 0);
    world.issuer.forget();
    let down = world.run(&verify(&[]), &world.token(json!({}))).await;
    assert_eq!(down.code, 3, "unavailable keys are not a fault of the token: {down:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_escaped_in_an_explanation() {
    let world = World::new().await;
    let hostile = world.token(json!({ "actor": "\u{1b}[2J\r\nallowed" }));
    let refused = world.check(&hostile, "myapp", "put-manifest").await;
    let all = format!("{}{}", refused.stdout, refused.stderr);
    assert!(refused.code == 1 && !all.contains('\u{1b}') && !all.contains('\r'), "{all:?}");
    assert!(!all.contains(&hostile), "the token itself is not repeated");
}

/// Threat 32: a checkout must not choose which issuers to trust.
#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_in_the_working_directory_is_not_read() {
    let world = World::new().await;
    std::fs::copy(world.folder.path().join("registry.toml"), world.folder.path().join("buildpass.toml")).unwrap();
    let refused = world.run(&["verify", "--provider", "github-actions", "-"], &world.token(json!({}))).await;
    assert!(refused.failed(2).contains("no configuration: name a file"));
}

#[test]
fn the_own_issuer_is_the_provider_self() {
    let folder = Folder::installed();
    std::fs::write(folder.path().join("named.toml"), "[issuer]\nurl = \"http://127.0.0.1:9\"\n").unwrap();
    let run = folder.run_with(&["verify", "--config", "named.toml", "--provider", "self", "-"], "a.b.c");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("rejected: form"), "{run:?}");
    std::fs::write(folder.path().join("token"), "a.b.c\r\n").unwrap();
    let from_file = folder.run(&["verify", "--config", "named.toml", "--provider", "self", "token"]);
    assert_eq!((from_file.code, &from_file.stderr), (1, &run.stderr), "a token in a file ends with a line end");
    let run = folder.run_with(&["verify", "--config", "named.toml", "--provider", "nobody", "-"], "a.b.c");
    assert!(run.failed(2).contains("known providers: self"));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_in_the_documents_of_a_provider_are_reported() {
    let world = World::new().await;
    let weak = json!({ "kty": "RSA", "kid": "old", "n": "AQAB", "e": "AQAB" });
    let mut rs512 = world.forge.rsa_jwk();
    rs512["alg"] = json!("RS512");
    rs512["kid"] = json!("rs512");
    world.issuer.set("/jwks", ok(json!({ "keys": [world.forge.rsa_jwk(), weak, rs512] }).to_string()));
    world.issuer.discovery(&json!({
        "issuer": world.issuer.url, "jwks_uri": format!("{}/jwks", world.issuer.url),
        "claims_supported": ["sub", "repository"], "response_types_supported": ["id_token"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }));
    let check = world.run(&["providers", "check", "--config", "registry.toml", "github-actions"], "").await;
    assert_eq!(check.code, 1, "{check:?}");
    insta::assert_snapshot!(check.stdout.replace(&world.issuer.port.to_string(), "PORT"));
    world.issuer.forget();
    let check = world.run(&["providers", "check", "--config", "registry.toml", "--json", "github-actions"], "").await;
    assert_eq!(check.code, 3, "{check:?}");
    assert!(check.stdout.contains("answered 404"), "{check:?}");
}
