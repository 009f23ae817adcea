//! Typed criteria: which workflow, project or build may publish by NuGet's and RubyGems' rules.

use buildpass::base::{Moment, Seconds};
use buildpass::policy::{
    BuildFacts, Criteria, GithubCriteria, Matched, PINNING_PERIOD, Pins, Unmatched, workflow_file,
};
use serde_json::{Map, Value, json};

use crate::harness::START;

fn table(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn read(kind: &str, value: Value) -> Criteria {
    Criteria::read(kind, &table(value)).map_err(|error| error.to_string()).unwrap()
}

fn evaluate(criteria: &Criteria, claims: Value) -> Result<Matched, Unmatched> {
    criteria.evaluate("P", &table(claims), Some(START + PINNING_PERIOD), START)
}

fn changed(base: &Value, change: Value) -> Value {
    let mut claims = base.clone();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

/// One line for each change of claims, with the outcome.
fn answers(criteria: &Criteria, base: &Value, changes: &[Value]) -> String {
    assert_eq!(evaluate(criteria, base.clone()), Ok(Matched::default()), "the base fits");
    let mut text = String::new();
    for change in changes {
        let message = match evaluate(criteria, changed(base, change.clone())) {
            Ok(matched) => format!("matched {matched:?}"),
            Err(Unmatched { claim, expected, actual, disclosed }) => {
                format!(
                    "{claim}: expected {expected}, found {actual}; disclosed: {}",
                    disclosed.unwrap_or("nothing".into())
                )
            }
        };
        text.push_str(&format!("{change}: {message}\n"));
    }
    text
}

fn github() -> (Criteria, Value) {
    let criteria = json!({
        "owner": "Acme", "owner_id": "42", "repository": "App", "repository_id": "7", "workflow": "release.yml",
        "environment": "Production",
    });
    let claims = json!({
        "repository": "acme/app", "repository_owner": "acme", "repository_owner_id": "42", "repository_id": "7",
        "event_name": "push", "environment": "production", "ref": "refs/heads/main", "sha": "abc",
        "job_workflow_ref": "acme/app/.github/workflows/Release.yml@refs/heads/main", "job_workflow_sha": "abc",
    });
    (read("github", criteria), claims)
}

#[test]
fn github_compares_names_without_case_and_ids_exactly_and_discloses_some_mismatches() {
    let (criteria, claims) = github();
    insta::assert_snapshot!(answers(
        &criteria,
        &claims,
        &[
            json!({ "repository": null }),
            json!({ "repository_owner": null }),
            json!({ "repository_owner_id": null }),
            json!({ "repository_id": null }),
            json!({ "event_name": null }),
            json!({ "repository_id": 7 }),
            json!({ "repository": "evil/app" }),
            json!({ "repository_owner": "evil" }),
            json!({ "repository_owner_id": "43" }),
            json!({ "repository_id": "8" }),
            json!({ "event_name": "pull_request_target" }),
            json!({ "event_name": "Pull_Request_Target" }),
            json!({ "event_name": "workflow_dispatch" }),
            json!({ "job_workflow_ref": null }),
            json!({ "job_workflow_ref": "evil/app/.github/workflows/release.yml@refs/heads/main" }),
            json!({ "job_workflow_ref": "acme/app/.github/workflows/release.yml" }),
            json!({ "job_workflow_ref": "acme/app/.github/workflows/other.yml@refs/heads/main" }),
            json!({ "job_workflow_ref": "acme/app/.github/workflows/release.yml@refs/heads/x@release.yml" }),
            json!({ "environment": null }),
            json!({ "environment": "staging" }),
            json!({ "ref": "refs/heads/other" }),
        ]
    ));
}

/// NuGet accepts no reusable workflow of another repository. This server accepts the named one, and then no other.
#[test]
fn a_named_repository_of_a_reusable_workflow_replaces_the_repository_itself() {
    let criteria = |more: Value| {
        let base = json!({
            "owner": "acme", "owner_id": "42", "repository": "app", "repository_id": "7", "workflow": "release.yml",
        });
        read("github", changed(&base, more))
    };
    let fits = |criteria: &Criteria, repository: &str| {
        let reference = format!("{repository}/.github/workflows/release.yml@refs/tags/v1");
        evaluate(criteria, changed(&github().1, json!({ "job_workflow_ref": reference }))).is_ok()
    };
    let (own, shared) = (criteria(json!({})), criteria(json!({ "workflow_repository": "acme/shared" })));
    assert!(fits(&own, "acme/app") && !fits(&own, "acme/shared"));
    assert!(fits(&shared, "Acme/Shared") && !fits(&shared, "acme/app"));
    assert!(!fits(&shared, "evil/shared") && !fits(&shared, "acme/shared2"));
}

/// Criteria of every kind with ids, whose ids have letters in both cases, and claims that match.
fn with_ids() -> [(&'static str, Value, Value); 3] {
    [
        (
            "github",
            json!({
                "owner": "acme", "owner_id": "aB", "repository": "app", "repository_id": "cD", "workflow": "release.yml",
            }),
            changed(&github().1, json!({ "repository_owner_id": "aB", "repository_id": "cD" })),
        ),
        (
            "gitlab",
            json!({ "namespace_path": "acme/tools", "namespace_id": "aB", "project_path": "app", "project_id": "cD" }),
            json!({
                "namespace_path": "acme/tools", "namespace_id": "aB", "project_path": "acme/tools/app",
                "project_id": "cD",
            }),
        ),
        (
            "vela",
            json!({ "org": "acme", "org_id": "aB", "repo": "app", "repo_id": "cD" }),
            json!({ "org": "acme", "org_id": "aB", "repo": "acme/app", "repo_id": "cD" }),
        ),
    ]
}

#[test]
fn ids_are_compared_with_case_and_pinned_unchanged() {
    for (kind, written, claims) in with_ids() {
        let criteria = read(kind, written.clone());
        assert_eq!(evaluate(&criteria, claims.clone()), Ok(Matched::default()), "{kind}");
        for (id, value) in claims.as_object().unwrap().iter().filter(|(_, value)| **value == "aB" || **value == "cD") {
            let lower = json!({ id.as_str(): value.as_str().unwrap().to_lowercase() });
            let unmatched = evaluate(&criteria, changed(&claims, lower)).unwrap_err();
            assert_eq!((&unmatched.claim, unmatched.disclosed), (id, None), "{kind}");
        }
        let names_alone = table(written).into_iter().filter(|(name, _)| !name.ends_with("_id")).collect();
        let pins = Pins { owner_id: Some("aB".to_owned()), repository_id: Some("cD".to_owned()) };
        let matched = evaluate(&read(kind, Value::Object(names_alone)), claims);
        assert_eq!(matched, Ok(Matched { pins: Some(pins) }), "{kind}");
    }
}

#[test]
fn criteria_of_gitlab_without_ref_and_environment_match_any() {
    let [_, (kind, criteria, claims), _] = with_ids();
    let criteria = read(kind, criteria);
    for more in [
        json!({ "ref": "main", "ref_type": "branch" }),
        json!({ "ref": "v1", "ref_type": "tag" }),
        json!({ "environment": "production" }),
    ] {
        assert_eq!(evaluate(&criteria, changed(&claims, more.clone())), Ok(Matched::default()), "{more}");
    }
}

#[test]
fn gitlab_compares_paths_without_case_and_environments_with_case() {
    let criteria = read(
        "gitlab",
        json!({
            "namespace_path": "acme/tools", "namespace_id": "2", "project_path": "app", "project_id": "1", "ref": "main",
            "environment": "production",
        }),
    );
    let claims = json!({
        "namespace_path": "Acme/Tools", "namespace_id": "2", "project_path": "acme/tools/App", "project_id": "1",
        "ref": "main", "ref_type": "branch", "environment": "production",
    });
    insta::assert_snapshot!(answers(
        &criteria,
        &claims,
        &[
            json!({ "namespace_path": null }),
            json!({ "project_path": null }),
            json!({ "namespace_id": null }),
            json!({ "project_id": null }),
            json!({ "namespace_path": "acme" }),
            json!({ "project_path": "acme/tools/other" }),
            json!({ "namespace_id": "3" }),
            json!({ "project_id": "3" }),
            json!({ "ref": "Main" }),
            json!({ "ref_type": "tag" }),
            json!({ "environment": "Production" }),
            json!({ "environment": null }),
        ]
    ));
}

#[test]
fn entra_accepts_a_service_principal_that_used_no_secret() {
    let tenant = "11111111-2222-3333-4444-555555555555";
    let object = "99999999-2222-3333-4444-aaaaaaaaaaaa";
    let criteria = read("entra", json!({ "tid": tenant.to_uppercase(), "oid": object }));
    let claims = json!({
        "tid": tenant, "oid": object.to_uppercase(), "sub": object, "ver": "2.0", "idtyp": "app", "azpacr": "2",
    });
    insta::assert_snapshot!(answers(
        &criteria,
        &claims,
        &[
            json!({ "ver": "1.0" }),
            json!({ "idtyp": "user" }),
            json!({ "idtyp": null }),
            json!({ "azpacr": "1" }),
            json!({ "tid": object }),
            json!({ "oid": tenant }),
            json!({ "sub": tenant }),
        ]
    ));
}

#[test]
fn a_build_of_vela_is_matched_by_organisation_and_repository() {
    let criteria = read(
        "vela",
        json!({
            "org": "acme", "org_id": "42", "repo": "app", "repo_id": "7", "workflow": ".vela.yml",
            "environment": "production",
        }),
    );
    let claims = json!({
        "org": "Acme", "org_id": "42", "repo": "Acme/app", "repo_id": "7", "workflow": ".vela.yml",
        "environment": "Production",
    });
    insta::assert_snapshot!(answers(
        &criteria,
        &claims,
        &[
            json!({ "org": "evil" }),
            json!({ "repo": "acme/app" }),
            json!({ "repo": "Acme/other" }),
            json!({ "org_id": "43" }),
            json!({ "org_id": null }),
            json!({ "repo_id": "8" }),
            json!({ "workflow": ".other.yml" }),
            json!({ "environment": null }),
            json!({ "environment": "staging" }),
        ]
    ));
}

/// Tokens of Vela's own server have no `org` and no ids, so that names alone count and no id is pinned.
#[test]
fn a_token_of_velas_own_server_is_matched_by_names_alone() {
    let names = json!({ "org": "acme", "repo": "app" });
    let claims = json!({ "repo": "Acme/app", "build_number": "7", "event": "push" });
    let late = |criteria: &Criteria, claims: &Value| {
        criteria.evaluate("P", &table(claims.clone()), Some(START), START + Seconds::new(1)).is_ok()
    };
    let criteria = read("vela", names.clone());
    assert!(late(&criteria, &claims));
    for other in [json!({ "repo": "acme/other" }), json!({ "repo": "evil/app" }), json!({ "repo": "app" })] {
        assert!(!late(&criteria, &changed(&claims, other)));
    }
    for ids in [
        json!({ "org_id": "42", "repo_id": "7" }),
        json!({ "org_id": 42, "repo_id": 7 }),
        json!({ "org_id": "", "repo_id": "" }),
        json!({ "repo_id": [] }),
    ] {
        assert!(!late(&criteria, &changed(&claims, ids.clone())), "ids that there are count: {ids}");
    }
    assert!(!late(&criteria, &changed(&claims, json!({ "org": 7 }))));
    let bound = read("vela", changed(&names, json!({ "org_id": "42", "repo_id": "7" })));
    assert!(!late(&bound, &claims), "and those that are written");
}

/// For this issuer's own tokens the build decides, whatever the claims are called.
#[test]
fn a_build_of_this_issuer_is_matched_by_its_facts() {
    let Criteria::Build(criteria) =
        read("self", json!({ "org": "acme", "org_id": "42", "repo": "app", "repo_id": "7" }))
    else {
        panic!("criteria of a build");
    };
    let facts = BuildFacts {
        org: Some("acme"),
        org_id: Some("42"),
        repo: Some("app"),
        repo_id: Some("7"),
        ..BuildFacts::default()
    };
    assert_eq!(criteria.evaluate("P", &facts), Ok(Pins::default()));
    assert!(criteria.evaluate("P", &BuildFacts { org_id: None, ..facts }).is_err(), "nothing matches without ids");
    assert!(criteria.evaluate("P", &BuildFacts { repo: Some("other"), ..facts }).is_err());
}

#[test]
fn ids_are_pinned_within_seven_days_by_a_token_that_matches_otherwise() {
    let criteria = read(
        "github",
        json!({
            "owner": "acme", "repository": "app", "workflow": "release.yml", "environment": "production",
        }),
    );
    let (_, claims) = github();
    let until = Some(START + Seconds::new(10));
    let at = |claims: &Value, now: Moment| criteria.evaluate("P", &table(claims.clone()), until, now);
    let pins = Pins { owner_id: Some("42".to_owned()), repository_id: Some("7".to_owned()) };
    assert_eq!(at(&claims, START), Ok(Matched { pins: Some(pins) }));
    let late = at(&claims, START + Seconds::new(10)).unwrap_err();
    let text = "The policy 'P' has expired. Sign in and renew the trust policy on the Trusted Publishing page.";
    assert_eq!(late.disclosed.as_deref(), Some(text));
    assert!(criteria.evaluate("P", &table(claims.clone()), None, START).is_err());
    for squatter in [json!({ "environment": "staging" }), json!({ "event_name": "pull_request_target" })] {
        assert!(at(&changed(&claims, squatter), START).is_err(), "nothing is learned");
    }
    let half = read(
        "github",
        json!({
            "owner": "acme", "owner_id": "42", "repository": "app", "workflow": "release.yml",
        }),
    );
    let matched = half.evaluate("P", &table(claims), until, START).unwrap();
    assert_eq!(matched.pins, Some(Pins { owner_id: None, repository_id: Some("7".to_owned()) }));
}

#[test]
fn a_trusted_publishers_workflow_was_read_at_the_runs_own_ref_or_commit() {
    let publisher = |more: Value| {
        let base = json!({
            "owner": "acme", "owner_id": "42", "repository": "app", "repository_id": "7", "workflow": "release.yml",
        });
        let Criteria::Github(criteria) = read("github", changed(&base, more)) else { panic!("GitHub's") };
        criteria
    };
    let fits = |criteria: &GithubCriteria, change: Value| {
        criteria.evaluate_publisher("P", &table(changed(&github().1, change))).is_ok()
    };
    let own = publisher(json!({}));
    let file = "acme/app/.github/workflows/release.yml@";
    assert!(fits(&own, json!({})));
    assert!(fits(&own, json!({ "job_workflow_ref": format!("{file}abc") })), "by the commit");
    assert!(!fits(&own, json!({ "job_workflow_ref": format!("{file}refs/heads/other") })), "read at another ref");
    assert!(!fits(&own, json!({ "job_workflow_ref": format!("{file}refs/heads/main"), "ref": null })));
    assert!(!fits(&own, json!({ "job_workflow_ref": "acme/other/.github/workflows/release.yml@refs/heads/main" })));
    let reused = publisher(json!({ "workflow_repository": "acme/shared" }));
    let shared = "acme/shared/.github/workflows/release.yml@";
    assert!(fits(&reused, json!({ "job_workflow_ref": format!("{shared}refs/tags/v1") })));
    assert!(!fits(&reused, json!({})), "the caller's own workflow is not the shared one");
    assert!(!fits(&own, json!({ "job_workflow_ref": format!("{shared}refs/heads/main") })));
    let own_issuer = publisher(json!({ "workflow_repository": "Acme/App" }));
    assert!(fits(&own_issuer, json!({})), "the repository itself is no other one");
    assert!(
        !fits(&own_issuer, json!({ "job_workflow_ref": format!("{file}refs/heads/other") })),
        "read at another ref"
    );
    let staged = publisher(json!({ "environment": "production" }));
    assert!(fits(&staged, json!({})) && !fits(&staged, json!({ "environment": null })));
}

#[test]
fn pasted_urls_and_paths_are_reduced_to_names() {
    for (pasted, repository) in [
        ("app", "app"),
        ("Acme/app", "app"),
        ("https://github.com/acme/app", "app"),
        ("https://github.com/acme/app.git?tab=readme#x", "app"),
    ] {
        let criteria = read("github", json!({ "owner": "acme", "repository": pasted, "workflow": "x.yml" }));
        let Criteria::Github(criteria) = criteria else { panic!("GitHub's") };
        assert_eq!(criteria.repository, repository, "{pasted}");
    }
    for (pasted, workflow) in [
        (".github/workflows/x.yml", "x.yml"),
        ("/.github/workflows/x.yaml", "x.yaml"),
        (".github\\workflows\\x.yml", "x.yml"),
        ("nested/x.yml", "nested/x.yml"),
    ] {
        let criteria = read("github", json!({ "owner": "acme", "repository": "app", "workflow": pasted }));
        let Criteria::Github(criteria) = criteria else { panic!("GitHub's") };
        assert_eq!(criteria.workflow, workflow, "{pasted}");
    }
    let criteria = read(
        "gitlab",
        json!({
            "namespace_path": "https://gitlab.com/acme/tools/", "project_path": "https://gitlab.com/acme/tools/app?x#y",
        }),
    );
    let Criteria::Gitlab(criteria) = criteria else { panic!("GitLab's") };
    assert_eq!((criteria.namespace_path.as_str(), criteria.project_path.as_str()), ("acme/tools", "app"));
}

#[test]
fn invalid_criteria_are_rejected_by_their_field() {
    let github = |change: Value| {
        ("github", changed(&json!({ "owner": "acme", "repository": "app", "workflow": "x.yml" }), change))
    };
    let cases = [
        ("gitea", json!({})),
        github(json!({ "owner": null })),
        github(json!({ "owner": "ac me" })),
        github(json!({ "owner": 5 })),
        github(json!({ "owner": "x".repeat(256) })),
        github(json!({ "repository": "evil/app" })),
        github(json!({ "workflow": "x.txt" })),
        github(json!({ "workflow": ".yml" })),
        github(json!({ "workflow": "../x.yml" })),
        github(json!({ "environment": "a,b" })),
        github(json!({ "workflow_repository": "shared" })),
        github(json!({ "branch": "main" })),
        ("gitlab", json!({ "namespace_path": "acme", "project_path": "app.git" })),
        ("gitlab", json!({ "namespace_path": "acme", "project_path": "app", "environment": "a;b" })),
        ("entra", json!({ "tid": "x", "oid": "y" })),
        ("vela", json!({ "org": "acme" })),
        ("vela", json!({ "org": "acme", "repo": "acme/app" })),
    ];
    let text: Vec<String> =
        cases.into_iter().map(|(kind, value)| Criteria::read(kind, &table(value)).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(text.join("\n"));
}

/// The cases that crates.io and PyPI test.
#[test]
fn a_workflows_file_is_found_as_the_registries_do() {
    for (reference, file) in [
        ("acme/app/.github/workflows/basic.yml@refs/heads/main", Some("basic.yml")),
        ("acme/app/.github/workflows/basic.yaml@refs/heads/main", Some("basic.yaml")),
        ("acme/app/.github/workflows/nested.yml@evil.yml@refs/heads/main", Some("nested.yml@evil.yml")),
        ("acme/app/.github/workflows/basic.yml@refs/heads/misleading@branch.yml", Some("basic.yml")),
        ("acme/app/.github/workflows/.yml@refs/heads/main", None),
        ("acme/app/.github/workflows/main.yml", None),
        ("", None),
    ] {
        assert_eq!(workflow_file(reference), file, "{reference}");
    }
}
