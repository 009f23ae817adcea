//! Policies, without a store or a server.

mod access;
mod cel;
mod criteria;
mod issuance;
mod rules;
mod statements;

use std::collections::BTreeMap;

use buildpass::claims::{Build, Event};
use buildpass::policy::RuleSpec;

/// A push to the main branch of `acme/app`.
fn push() -> Build {
    let some = |text: &str| Some(text.to_owned());
    Build {
        org: "acme".to_owned(),
        org_id: some("42"),
        repo: "app".to_owned(),
        repo_id: some("1001"),
        number: 17,
        attempt: 2,
        event: Event::Push,
        event_action: None,
        author: some("mallory"),
        author_id: some("666"),
        actor: None,
        actor_id: None,
        git_ref: "refs/heads/main".to_owned(),
        sha: "a".repeat(40),
        base_ref: None,
        head_ref: None,
        fork: false,
        trusted: true,
        ref_protected: Some(true),
        environment: some("production"),
        visibility: some("private"),
        workflow: some(".ci.yml"),
        workflow_ref: None,
        workflow_sha: None,
        job_workflow_ref: None,
        job_workflow_sha: None,
        runner_id: some("r-1"),
        runner_environment: None,
        properties: BTreeMap::from([("team".to_owned(), "platform".to_owned())]),
    }
}

/// A pull request from a fork, with stored values that must not count for it.
fn fork() -> Build {
    Build {
        event: Event::PullRequest,
        event_action: Some("opened".to_owned()),
        git_ref: "refs/pull/9/head".to_owned(),
        fork: true,
        trusted: false,
        ..push()
    }
}

/// A rule for these audiences without other settings.
fn rule(name: &str, audiences: &[&str]) -> RuleSpec {
    RuleSpec {
        name: name.to_owned(),
        when: None,
        audiences: audiences.iter().map(|audience| audience.parse().unwrap()).collect(),
        multiple: false,
        allow_untrusted: false,
        max_lifetime: None,
        max_tokens_per_build: None,
        algorithm: None,
    }
}

/// A rule for these audiences with a condition.
fn rule_when(name: &str, audiences: &[&str], when: &str) -> RuleSpec {
    RuleSpec { when: Some(when.to_owned()), ..rule(name, audiences) }
}
