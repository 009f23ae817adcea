//! Issuance rules: which are rejected with which text, and the variables of their conditions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use buildpass::base::Seconds;
use buildpass::claims::{Build, BuildStep, Event};
use buildpass::jose::Algorithm;
use buildpass::policy::{DefaultGrant, IssuancePolicy, IssuanceRequest, RuleSpec};

use super::{fork, push, rule, rule_when};

#[test]
fn an_invalid_rule_is_rejected_by_number_name_and_field() {
    let good = || rule("good", &["x"]);
    let table = [
        vec![rule("", &["x"])],
        vec![rule("two\nlines", &["x"])],
        vec![rule(&"n".repeat(256), &["x"])],
        vec![good(), good()],
        vec![good(), rule("nothing", &[])],
        vec![RuleSpec { max_lifetime: Some(Seconds::ZERO), ..good() }],
        vec![RuleSpec { max_tokens_per_build: Some(0), ..good() }],
        vec![good(), rule_when("misspelt", &["x"], "build.trusted &&\n  build.ref_protectd")],
        vec![rule_when("an action", &["x"], "build.event == ''")],
        vec![rule_when("elsewhere", &["x"], "request.audience == 'x'")],
    ];
    let mut text = String::new();
    for rules in table {
        match IssuancePolicy::new(DefaultGrant::Trusted, rules) {
            Ok(_) => writeln!(text, "accepted\n").unwrap(),
            Err(error) => writeln!(text, "{error}\n").unwrap(),
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_rule_of_the_manual_compiles_and_decides() {
    let deploys = RuleSpec {
        max_lifetime: Some("15m".parse().unwrap()),
        max_tokens_per_build: Some(20),
        algorithm: Some(Algorithm::Rs256),
        ..rule_when(
            "deploys to AWS from protected branches",
            &["sts.amazonaws.com"],
            r#"build.trusted && build.event in ["push", "deployment"] && build.ref_protected"#,
        )
    };
    let policy = IssuancePolicy::new(DefaultGrant::Trusted, vec![deploys]).unwrap();
    assert!(holds_for(&policy, &push()));
    assert!(!holds_for(&policy, &Build { ref_protected: Some(false), ..push() }));
    assert!(!holds_for(&policy, &Build { ref_protected: None, ..push() }));
    assert!(!holds_for(&policy, &Build { event: Event::Schedule, ..push() }));
    assert!(IssuancePolicy::new(DefaultGrant::Deny, vec![]).is_ok());
}

fn holds_for(policy: &IssuancePolicy, build: &Build) -> bool {
    let audiences = ["sts.amazonaws.com".to_owned()];
    let ask = IssuanceRequest {
        build,
        step: None,
        audiences: &audiences,
        lifetime: None,
        algorithm: None,
        restrictions: &[],
    };
    policy.decide(&ask).is_ok()
}

/// Whether this condition is true for the request.
fn sees(ask: &IssuanceRequest<'_>, when: &str) -> bool {
    let rule = RuleSpec { allow_untrusted: true, multiple: true, ..rule_when("seen", &["*"], when) };
    let policy = IssuancePolicy::new(DefaultGrant::Deny, vec![rule]).unwrap_or_else(|error| panic!("{error}"));
    policy.decide(ask).is_ok()
}

fn text(name: &str, value: &str) -> String {
    format!("{name} == {value:?}")
}

#[test]
fn a_condition_reads_the_build_as_its_token_would_show_it() {
    let some = |text: &str| Some(text.to_owned());
    let build = Build {
        event: Event::PullRequest,
        event_action: some("opened"),
        actor: some("octocat"),
        actor_id: some("1"),
        git_ref: "refs/heads/feature/a".to_owned(),
        base_ref: some("refs/heads/main"),
        head_ref: some("refs/heads/topic"),
        workflow_ref: some("acme/app/.ci.yml@main"),
        workflow_sha: some("b"),
        job_workflow_ref: some("acme/ci/job.yml@main"),
        job_workflow_sha: some("c"),
        runner_environment: some("hosted"),
        ..push()
    };
    let step = BuildStep { step: "deploy".to_owned(), ..BuildStep::default() };
    let audiences = ["a".to_owned(), "b".to_owned()];
    let ask = IssuanceRequest {
        build: &build,
        step: Some(&step),
        audiences: &audiences,
        lifetime: Some(Seconds::new(300)),
        algorithm: Some(Algorithm::Es256),
        restrictions: &[],
    };
    let sha = "a".repeat(40);
    for (name, value) in [
        ("build.org", "acme"),
        ("build.org_id", "42"),
        ("build.repo", "acme/app"),
        ("build.repo_id", "1001"),
        ("build.author", "mallory"),
        ("build.author_id", "666"),
        ("build.actor", "octocat"),
        ("build.actor_id", "1"),
        ("build.event", "pull_request"),
        ("build.event_action", "opened"),
        ("build.ref", "refs/heads/feature/a"),
        ("build.branch", "feature/a"),
        ("build.ref_type", "branch"),
        ("build.sha", sha.as_str()),
        ("build.base_ref", "refs/heads/main"),
        ("build.head_ref", "refs/heads/topic"),
        ("build.number", "17"),
        ("build.attempt", "2"),
        ("build.workflow", ".ci.yml"),
        ("build.workflow_ref", "acme/app/.ci.yml@main"),
        ("build.workflow_sha", "b"),
        ("build.job_workflow_ref", "acme/ci/job.yml@main"),
        ("build.job_workflow_sha", "c"),
        ("build.environment", "production"),
        ("build.visibility", "private"),
        ("build.runner_id", "r-1"),
        ("build.runner_environment", "hosted"),
        ("build.properties.team", "platform"),
        ("request.algorithm", "ES256"),
        ("request.step", "deploy"),
    ] {
        assert!(sees(&ask, &text(name, value)), "{name}");
        assert!(!sees(&ask, &text(name, "another")), "{name}");
    }
    for condition in [
        "build.trusted",
        "!build.fork",
        "build.ref_protected",
        "request.audiences == ['a', 'b']",
        "request.lifetime == 300",
    ] {
        assert!(sees(&ask, condition), "{condition}");
    }
}

#[test]
fn an_absent_value_is_empty() {
    let build = Build {
        org_id: None,
        repo_id: None,
        author: None,
        author_id: None,
        environment: None,
        visibility: None,
        workflow: None,
        runner_id: None,
        properties: BTreeMap::new(),
        ..fork()
    };
    let audiences = ["a".to_owned()];
    let ask = IssuanceRequest {
        build: &build,
        step: None,
        audiences: &audiences,
        lifetime: None,
        algorithm: None,
        restrictions: &[],
    };
    for name in [
        "org_id",
        "repo_id",
        "author",
        "author_id",
        "actor",
        "actor_id",
        "branch",
        "ref_type",
        "base_ref",
        "head_ref",
        "workflow",
        "workflow_ref",
        "workflow_sha",
        "job_workflow_ref",
        "job_workflow_sha",
        "environment",
        "visibility",
        "runner_id",
        "runner_environment",
    ] {
        assert!(sees(&ask, &format!("build.{name} == ''")), "{name}");
    }
    for condition in [
        "request.lifetime == 0",
        "request.algorithm == ''",
        "request.step == ''",
        "build.properties.size() == 0",
        "!build.trusted && build.fork",
        // The stored build says that the ref is protected; the token of a pull ref does not.
        "!build.ref_protected",
    ] {
        assert!(sees(&ask, condition), "{condition}");
    }
}
