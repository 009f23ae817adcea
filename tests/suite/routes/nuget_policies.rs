//! `/api/v2/token`: which trust policy accepts a token, of each kind, and when ids are pinned.

use buildpass::base::{Clock, IssuerId, Moment};
use buildpass::exchange::{Prune, Section};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::nuget::{FEED, NO_POLICY, partner, provider, refusal, status_and_text};
use crate::harness::exchange_setup::ExchangeSetup;
use crate::harness::registration_with;

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_tried_oldest_first_and_their_mismatches_are_joined() {
    let setup = ExchangeSetup::open().await;
    let policy = |name: &str, environment: &str, valid_for: &str| {
        format!(
            "[[nuget.trust_policies]]\nname=\"{name}\"\nuser=\"second\"\nowner=\"{name}\"\nkind=\"vela\"\n\
             criteria={{org=\"ACME\",repo=\"App\",environment=\"{environment}\"}}\nvalid_for=\"{valid_for}\"\n"
        )
    };
    let rules = "[[users]]\nname=\"second\"\n".to_owned()
        + &policy("one", "production", "1h")
        + &policy("two", "staging", "1m");
    setup.apply(&rules).await;
    let reply = setup.nuget(&setup.token(FEED).await, "second").await;
    let both = "Environment mismatch for policy 'one': expected 'production', actual ''. Environment mismatch for \
                policy 'two': expected 'staging', actual ''";
    assert_eq!(status_and_text(&reply), refusal(401, both));
    let staged = json!({ "audience": FEED, "step": { "step": "deploy", "environment": "Staging" } });
    let reply = setup.nuget(&setup.token_of(&setup.build.id, staged.clone()).await, "second").await;
    assert_eq!(reply.status, 200, "names without case: {}", reply.text);
    assert_eq!(setup.introspect(reply.json()["apiKey"].as_str().unwrap()).await["owner"], "two");
    setup.apply("[[users]]\nname=\"second\"\ndisabled=true\n").await;
    let locked = setup.nuget(&setup.token_of(&setup.build.id, staged).await, "second").await;
    assert_eq!((locked.status, locked.json()["error"].clone()), (400, json!("The user 'second' is locked.")));
    let other = setup
        .server
        .register(&setup.client, &registration_with(&json!({ "repo": "other", "repo_id": "2002", "number": 2 })))
        .await;
    let token = setup.token_of(&other.id, json!({ "audience": FEED })).await;
    assert_eq!(status_and_text(&setup.nuget(&token, "octo").await), refusal(401, NO_POLICY));
    let unlocked = NO_POLICY.replace("octo", "second");
    assert_eq!(status_and_text(&setup.nuget(&token, "second").await), refusal(401, &unlocked), "locked or not");
}

/// Returns a policy of `octo` with these criteria and more fields.
fn policy(name: &str, owner: &str, kind: &str, criteria: &str, more: &str) -> String {
    format!(
        "[[nuget.trust_policies]]\nname=\"{name}\"\nuser=\"octo\"\nowner=\"{owner}\"\nkind=\"{kind}\"\n\
         criteria={{{criteria}}}\n{more}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_policies_that_accept_a_token_the_older_one_decides_the_owner() {
    let setup = ExchangeSetup::open().await;
    setup.apply(&policy("first-by-name", "younger", "vela", "org=\"acme\",repo=\"app\"", "")).await;
    let owner = async || {
        let reply = setup.nuget(&setup.token(FEED).await, "octo").await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        setup.introspect(reply.json()["apiKey"].as_str().unwrap()).await["owner"].clone()
    };
    assert_eq!(owner().await, "acme");
    let older = Prune::One(Section::TrustPolicies, Some("octo".to_owned()), "nuget-app".to_owned());
    setup.try_apply("", older).await.unwrap();
    assert_eq!(owner().await, "younger");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_principal_of_entra_gets_one_key_for_each_uti() {
    const TENANT: &str = "11111111-2222-3333-4444-555555555555";
    const OBJECT: &str = "99999999-2222-3333-4444-aaaaaaaaaaaa";
    let setup = ExchangeSetup::open().await;
    let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let criteria = format!("tid=\"{TENANT}\",oid=\"{OBJECT}\"");
    let rules = provider(&setup, "entra", &issuer, "") + &policy("principal", "acme", "entra", &criteria, "");
    setup.apply(&rules).await;
    let sent = async |changed: Value| {
        let mut claims = json!({
            "iss": issuer, "tid": TENANT, "oid": OBJECT, "sub": OBJECT, "ver": "2.0", "idtyp": "app", "azpacr": "2",
            "uti": "first",
        });
        claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        setup.nuget(&partner(&setup, &claims), "octo").await
    };
    let good = sent(json!({ "jti": null })).await;
    assert_eq!(good.status, 200, "{}", good.text);
    let used = "This bearer token has already been used. A new bearer token must be used for each request.";
    for (changed, words) in [
        // The same `uti` in a token of another time.
        (json!({ "jti": null, "x": 1 }), used),
        (json!({ "uti": null }), "The JSON web token must have a uti claim."),
        (json!({ "uti": "  " }), "The JSON web token must have a uti claim."),
        (json!({ "uti": "second", "ver": "1.0" }), NO_POLICY),
        (json!({ "uti": "second", "tid": OBJECT }), NO_POLICY),
        (json!({ "uti": "second", "oid": TENANT }), NO_POLICY),
        (json!({ "uti": "second", "azpacr": "1" }), NO_POLICY),
    ] {
        assert_eq!(status_and_text(&sent(changed.clone()).await), refusal(401, words), "{changed}");
    }
    assert_eq!(sent(json!({ "uti": "second", "jti": "another" })).await.status, 200);
}

/// Another provider of the issuer may be of a kind with another token id.
#[tokio::test(flavor = "multi_thread")]
async fn the_provider_that_accepts_a_token_decides_which_id_it_must_have() {
    let setup = ExchangeSetup::open().await;
    let issuer = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0";
    let of = |kind: &str| provider(&setup, kind, issuer, &format!("required_audience=\"{kind}\""));
    let object = "99999999-2222-3333-4444-aaaaaaaaaaaa";
    let criteria = format!("tid=\"11111111-2222-3333-4444-555555555555\",oid=\"{object}\"");
    setup.apply(&(of("generic") + &of("entra") + &policy("principal", "acme", "entra", &criteria, ""))).await;
    let claims = json!({
        "iss": issuer, "tid": "11111111-2222-3333-4444-555555555555", "oid": object, "sub": object, "ver": "2.0",
        "idtyp": "app", "azpacr": "2", "uti": "u", "jti": null,
    });
    let reply = setup.nuget(&partner(&setup, &claims), "octo").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

/// Requirements of the operator are not part of NuGet's policies.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_only_the_provider_requires_is_not_named() {
    let setup = ExchangeSetup::open().await;
    setup.apply(&provider(&setup, "generic", "https://issuer.example", "required_claims=[\"team\"]")).await;
    let reply = setup.nuget(&partner(&setup, &json!({})), "octo").await;
    assert_eq!(status_and_text(&reply), refusal(401, "The JSON web token could not be validated."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_of_gitlab_gets_a_key_or_the_name_of_the_missing_claim() {
    let setup = ExchangeSetup::open().await;
    let criteria = "namespace_path=\"acme/tools\",namespace_id=\"2\",project_path=\"app\",project_id=\"1\"";
    let rules = provider(&setup, "gitlab", "https://gitlab.com", "") + &policy("lab", "acme", "gitlab", criteria, "");
    setup.apply(&rules).await;
    let sent = async |changed: Value| {
        let mut claims = json!({
            "iss": "https://gitlab.com", "namespace_path": "acme/tools", "namespace_id": "2",
            "project_path": "acme/tools/app", "project_id": "1",
        });
        claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        setup.nuget(&partner(&setup, &claims), "octo").await
    };
    let lacking = sent(json!({ "project_path": null })).await;
    let words = "The JSON Web Token is missing the required claim 'project_path'.";
    assert_eq!(status_and_text(&lacking), refusal(401, words));
    assert_eq!(status_and_text(&sent(json!({ "project_id": "3" })).await), refusal(401, NO_POLICY));
    let good = sent(json!({})).await;
    assert_eq!(good.status, 200, "{}", good.text);
}

/// Returns a token of a workflow of this repository with these claims changed.
fn workflow(setup: &ExchangeSetup, repository: &str, changed: Value) -> String {
    let mut claims = json!({
        "iss": "https://token.actions.githubusercontent.com", "repository": format!("acme/{repository}"),
        "repository_owner": "acme", "repository_owner_id": "42", "repository_id": "1001", "event_name": "push",
        "job_workflow_ref": format!("acme/{repository}/.github/workflows/push.yml@refs/heads/main"),
    });
    claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    partner(setup, &claims)
}

/// Returns the criteria of that workflow, without ids.
fn without_ids(repository: &str) -> String {
    format!("owner=\"acme\",repository=\"{repository}\",workflow=\"push.yml\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_first_uses_one_sides_ids_are_pinned_and_all_its_tokens_are_accepted() {
    let setup = ExchangeSetup::open().await;
    setup.apply(&setup.external_providers()).await;
    // Position of the token with other ids among the eight, if any.
    for other_at in [None, Some(0), Some(4), Some(8)] {
        let repository = format!("app{}", other_at.map_or("alone".to_owned(), |at| at.to_string()));
        setup.apply(&policy(&repository, "acme", "github", &without_ids(&repository), "")).await;
        let ours = |jti: &str| workflow(&setup, &repository, json!({ "jti": format!("{repository} {jti}") }));
        let other = |jti: &str| {
            let changed = json!({ "jti": format!("{repository} {jti}"), "repository_owner_id": "43" });
            workflow(&setup, &repository, changed)
        };
        let mut tokens: Vec<String> = (0..8).map(|at| ours(&at.to_string())).collect();
        if let Some(at) = other_at {
            tokens.insert(at, other("first"));
        }
        let mut replies = join_all(tokens.iter().map(|token| setup.nuget(token, "octo"))).await;
        let outsider = other_at.map(|at| replies.remove(at));
        let pinned_other = outsider.as_ref().is_some_and(|reply| reply.status == 200);
        let expected = |wins: bool| if wins { (200, String::new()) } else { refusal(401, NO_POLICY) };
        for reply in &replies {
            assert_eq!(status_and_text(reply), expected(!pinned_other), "{outsider:?}");
        }
        if let Some(outsider) = &outsider {
            assert_eq!(status_and_text(outsider), expected(pinned_other));
        }
        assert_eq!(status_and_text(&setup.nuget(&ours("again"), "octo").await), expected(!pinned_other));
        assert_eq!(status_and_text(&setup.nuget(&other("again"), "octo").await), expected(pinned_other));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pinning_starts_again_with_other_criteria_and_with_nothing_else() {
    let setup = ExchangeSetup::open().await;
    let named = |criteria: &str, more: &str| policy("late", "acme", "github", criteria, more);
    let (first, staged) = (without_ids("app"), without_ids("app") + ",environment=\"staging\"");
    setup.apply(&(setup.external_providers() + &named(&first, ""))).await;
    setup.server.clock.advance(7 * 24 * 3_600 + 1);
    setup.server.app.issuer().step().await.unwrap();
    let now = setup.server.clock.now().unix();
    let sent = async |jti: &str, owner_id: &str| {
        let changed = json!({
            "jti": jti, "iat": now, "nbf": now, "exp": now + 300, "environment": "staging",
            "repository_owner_id": owner_id,
        });
        status_and_text(&setup.nuget(&workflow(&setup, "app", changed), "octo").await)
    };
    let expired = "The policy 'late' has expired. Sign in and renew the trust policy on the Trusted Publishing page.";
    assert!(setup.apply(&named(&first, "")).await.changes_nothing());
    assert_eq!(sent("a", "42").await, refusal(401, expired), "the same again");
    setup.apply(&named(&first, "valid_for=\"5m\"")).await;
    assert_eq!(sent("b", "42").await, refusal(401, expired), "another lifetime of its keys");
    setup.apply(&named(&staged, "valid_for=\"5m\"")).await;
    assert_eq!(sent("c", "42").await.0, 200, "other criteria");
    setup.apply(&named(&staged, "valid_for=\"6m\"")).await;
    assert_eq!(sent("d", "43").await, refusal(401, NO_POLICY), "pins stay");
    assert_eq!(sent("e", "42").await.0, 200);
    setup.apply(&named(&first, "valid_for=\"6m\"")).await;
    assert_eq!(sent("f", "43").await.0, 200, "other criteria clear the pins");
}

/// A policy may be older than the repository that it names.
#[tokio::test(flavor = "multi_thread")]
async fn ids_of_a_repository_that_first_built_after_pinning_ended_are_pinned_by_the_next_apply() {
    let setup = ExchangeSetup::open().await;
    let rules = policy("late", "acme", "vela", "org=\"acme\",repo=\"late\"", "");
    setup.apply(&rules).await;
    setup.server.clock.advance(8 * 24 * 3_600);
    setup.server.app.issuer().step().await.unwrap();
    let late = registration_with(&json!({ "repo": "late", "repo_id": "2002", "number": 2 }));
    let build = setup.server.register(&setup.client, &late).await;
    let asked = async || setup.nuget(&setup.token_of(&build.id, json!({ "audience": FEED })).await, "octo").await;
    let expired = asked().await;
    assert!(expired.text.contains("The policy 'late' has expired."), "{}", expired.text);
    let pins = async || {
        let (issuer, since) = (IssuerId::main(), Moment::from_unix(0));
        let events = setup.server.app.store().list_events(&issuer, since, None, 999).await.unwrap();
        events.iter().filter(|event| event.kind == "ids_pinned").count()
    };
    assert!(setup.apply(&rules).await.changes_nothing(), "a pin is no change");
    assert_eq!(pins().await, 1, "and it is recorded");
    let reply = asked().await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(setup.apply(&rules).await.changes_nothing());
    assert_eq!(pins().await, 1);
    assert!(setup.is_active(reply.json()["apiKey"].as_str().unwrap()).await, "and revokes nothing");
}
