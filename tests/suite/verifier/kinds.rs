//! Checks of each kind of provider.

use buildpass::base::Seconds;
use buildpass::verifier::{ProviderKind, ProviderSpec};
use serde_json::{Value, json};

use super::forge::{Forge, good};
use super::{refused, spec, verify_one};

/// Issuer of each kind without a default one, and the claims of a valid token of every kind.
fn kinds() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("generic", "https://issuer.example", json!({})),
        ("github", "https://token.actions.githubusercontent.com", json!({ "repository_owner": "acme" })),
        (
            "gitlab",
            "https://gitlab.com",
            json!({ "project_path": "acme/tools/app", "namespace_path": "acme/tools", "project_id": "1", "namespace_id": "2" }),
        ),
        (
            "vela",
            "https://vela.example/_services/token",
            json!({ "org": "acme", "repo": "acme/app", "build_number": 7, "event": "push" }),
        ),
        (
            "buildkite",
            "https://agent.buildkite.com",
            json!({ "organization_slug": "acme", "pipeline_slug": "app", "jti": null }),
        ),
        (
            "circleci",
            "https://oidc.circleci.com/org/7c1f",
            json!({ "oidc.circleci.com/project-id": "9a", "oidc.circleci.com/ssh-rerun": false, "jti": null, "nbf": null }),
        ),
        (
            "kubernetes",
            "https://kubernetes.default.svc.cluster.local",
            json!({ "kubernetes.io": { "namespace": "ci" }, "sub": "system:serviceaccount:ci:vela" }),
        ),
        (
            "entra",
            "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
            json!({ "tid": "11111111-2222-3333-4444-555555555555", "oid": "o", "ver": "2.0", "uti": "u" }),
        ),
        ("google", "https://accounts.google.com", json!({ "email": "ci@acme.example", "email_verified": true })),
    ]
}

fn of(kind: &str, issuer: &str, forge: &Forge) -> ProviderSpec {
    ProviderSpec { kind: kind.to_owned(), issuer: Some(issuer.to_owned()), ..spec(forge) }
}

#[tokio::test]
async fn a_valid_token_of_every_kind_is_accepted() {
    let forge = Forge::new();
    assert_eq!(kinds().iter().map(|(kind, ..)| *kind).collect::<Vec<_>>(), ProviderKind::names());
    for (kind, issuer, claims) in kinds() {
        let mut claims = claims;
        claims["iss"] = json!(issuer);
        verify_one(of(kind, issuer, &forge), &forge.with_claims(claims)).await.unwrap_or_else(|refusal| {
            panic!("{kind}: {refusal}");
        });
    }
}

/// Our own tokens have `org` beside `repo`.
#[tokio::test]
async fn velas_own_tokens_name_the_organisation_in_repo_only() {
    let (forge, issuer) = (Forge::new(), "https://vela.example/_services/token");
    let is_accepted = async |repo: &str| {
        let claims = json!({ "iss": issuer, "repo": repo, "build_number": "7", "event": "push:opened", "nbf": null });
        verify_one(of("vela", issuer, &forge), &forge.with_claims(claims)).await.is_ok()
    };
    assert!(is_accepted("acme/app").await);
    assert!(!is_accepted("app").await && !is_accepted("/app").await);
}

#[tokio::test]
async fn a_token_that_fails_its_kinds_check_is_rejected_by_its_claim() {
    let forge = Forge::new();
    let cases = [
        ("github", json!({ "repository": null })),
        ("github", json!({ "actor": null })),
        ("github", json!({ "repository": "acme" })),
        ("github", json!({ "repository": "acme/app/x" })),
        ("github", json!({ "repository_owner": "evil" })),
        ("gitlab", json!({ "project_path": "acme/toolsmith/app" })),
        ("gitlab", json!({ "namespace_id": null })),
        ("vela", json!({ "repo": "evil/app" })),
        ("vela", json!({ "repo": "acme-app" })),
        ("vela", json!({ "org": 7 })),
        ("buildkite", json!({ "pipeline_slug": "" })),
        ("circleci", json!({ "oidc.circleci.com/ssh-rerun": true })),
        ("circleci", json!({ "oidc.circleci.com/ssh-rerun": "false" })),
        ("kubernetes", json!({ "sub": "system:node:a" })),
        ("kubernetes", json!({ "sub": "system:serviceaccount:ci" })),
        ("entra", json!({ "ver": "1.0" })),
        ("entra", json!({ "tid": "99999999-2222-3333-4444-555555555555" })),
        ("entra", json!({ "oid": null })),
        ("google", json!({ "email_verified": false })),
        ("google", json!({ "email_verified": "true" })),
        ("google", json!({ "email_verified": null })),
        ("github", json!({ "exp": good()["iat"].as_i64().unwrap() + 901 })),
    ];
    let mut table = String::new();
    for (kind, changed) in cases {
        let (_, issuer, mut claims) = kinds().into_iter().find(|(name, ..)| *name == kind).unwrap();
        claims["iss"] = json!(issuer);
        for (name, value) in changed.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let refusal = verify_one(of(kind, issuer, &forge), &forge.with_claims(claims)).await.unwrap_err();
        table.push_str(&format!("{kind} {changed}: {}: {refusal}\n", refusal.reason()));
    }
    insta::assert_snapshot!(table);
}

#[test]
fn an_issuer_of_the_wrong_form_is_refused() {
    let forge = Forge::new();
    for (kind, issuer) in [
        ("circleci", "https://oidc.circleci.com"),
        ("circleci", "https://oidc.circleci.com/org/a/b"),
        ("entra", "https://login.microsoftonline.com/common/v2.0"),
        ("entra", "https://login.microsoftonline.com/v2.0"),
        ("entra", "https://sts.windows.net/11111111-2222-3333-4444-555555555555/"),
    ] {
        assert_eq!(refused("p", of(kind, issuer, &forge)).field, "issuer", "{kind} {issuer}");
    }
}

#[test]
fn a_default_issuer_may_be_replaced() {
    for kind in ["github", "gitlab", "buildkite", "google"] {
        let spec = ProviderSpec { kind: kind.to_owned(), ..ProviderSpec::default() };
        assert!(buildpass::verifier::Provider::new("p", spec).is_ok(), "{kind}");
    }
    let enterprise = ProviderSpec {
        kind: "github".to_owned(),
        issuer: Some("https://git.acme.example/_services/token".to_owned()),
        max_token_lifetime: Some(Seconds::new(600)),
        ..ProviderSpec::default()
    };
    assert!(buildpass::verifier::Provider::new("p", enterprise).is_ok());
}
