//! What an issuance rule may look at: the build as its token would show it, and what the job asks for.
//! Never shows what the token would leave out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::cel::{Fact, Facts, Names};
use super::decision::IssuanceRequest;
use crate::base::Seconds;
use crate::claims::{Build, BuildStep, Event};
use crate::jose::Algorithm;

/// `build.*` and `request.*`. Strings are empty where there is no value.
pub(super) fn facts<'a>(ask: &IssuanceRequest<'a>) -> Facts<'a> {
    let build = ask.build;
    let number = |number: u64| Fact::Text(Cow::Owned(number.to_string()));
    Facts::from([
        ("build.org", Fact::text(Some(&build.org))),
        ("build.org_id", Fact::text(build.org_id.as_deref())),
        ("build.repo", Fact::Text(Cow::Owned(build.full_name()))),
        ("build.repo_id", Fact::text(build.repo_id.as_deref())),
        ("build.author", Fact::text(build.author.as_deref())),
        ("build.author_id", Fact::text(build.author_id.as_deref())),
        ("build.actor", Fact::text(build.actor.as_deref())),
        ("build.actor_id", Fact::text(build.actor_id.as_deref())),
        ("build.event", Fact::text(Some(build.event.name()))),
        ("build.event_action", Fact::text(build.event_action.as_deref())),
        ("build.ref", Fact::text(Some(&build.git_ref))),
        ("build.branch", Fact::text(build.branch())),
        ("build.ref_type", Fact::text(build.ref_type())),
        ("build.sha", Fact::text(Some(&build.sha))),
        ("build.base_ref", Fact::text(build.base_ref.as_deref())),
        ("build.head_ref", Fact::text(build.head_ref.as_deref())),
        ("build.number", number(build.number)),
        ("build.attempt", number(build.attempt)),
        ("build.workflow", Fact::text(build.workflow.as_deref())),
        ("build.workflow_ref", Fact::text(build.workflow_ref.as_deref())),
        ("build.workflow_sha", Fact::text(build.workflow_sha.as_deref())),
        ("build.job_workflow_ref", Fact::text(build.job_workflow_ref.as_deref())),
        ("build.job_workflow_sha", Fact::text(build.job_workflow_sha.as_deref())),
        ("build.environment", Fact::text(build.environment_of(ask.step))),
        ("build.visibility", Fact::text(build.visibility.as_deref())),
        ("build.runner_id", Fact::text(build.runner_id.as_deref())),
        ("build.runner_environment", Fact::text(build.runner_environment.as_deref())),
        ("build.trusted", Fact::Flag(build.trusted)),
        ("build.fork", Fact::Flag(build.fork)),
        ("build.ref_protected", Fact::Flag(build.is_protected())),
        ("build.properties", Fact::TextMap(&build.properties)),
        ("request.audiences", Fact::Texts(ask.audiences)),
        ("request.lifetime", Fact::Number(lifetime(ask.lifetime))),
        ("request.algorithm", Fact::text(ask.algorithm.map(Algorithm::name))),
        ("request.step", Fact::text(ask.step.map(|step| step.step.as_str()))),
    ])
}

/// Whole seconds, 0 where none was asked for.
fn lifetime(asked: Option<Seconds>) -> i64 {
    i64::try_from(asked.unwrap_or_default().get()).unwrap_or(i64::MAX)
}

/// The names above, with an ordinary build as the example.
pub(super) fn with_names<T>(act: impl FnOnce(&Names<'_>) -> T) -> T {
    let (build, step, audiences) = &*EXAMPLE;
    let ask = IssuanceRequest {
        build,
        step: Some(step),
        audiences,
        lifetime: Some(Seconds::new(300)),
        algorithm: Some(Algorithm::Rs256),
        narrowed: &[],
    };
    act(&Names::like(facts(&ask)))
}

static EXAMPLE: LazyLock<(Build, BuildStep, Vec<String>)> = LazyLock::new(|| {
    let some = |text: &str| Some(text.to_owned());
    let build = Build {
        org: "acme".to_owned(),
        org_id: some("42"),
        repo: "app".to_owned(),
        repo_id: some("1001"),
        number: 7,
        attempt: 1,
        event: Event::Push,
        event_action: None,
        author: some("octocat"),
        author_id: some("1"),
        actor: some("octocat"),
        actor_id: some("1"),
        git_ref: "refs/heads/main".to_owned(),
        sha: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        base_ref: None,
        head_ref: None,
        fork: false,
        trusted: true,
        ref_protected: Some(true),
        environment: some("production"),
        visibility: some("private"),
        workflow: some(".ci.yml"),
        workflow_ref: some("acme/app/.ci.yml@refs/heads/main"),
        workflow_sha: some("0123456789abcdef0123456789abcdef01234567"),
        job_workflow_ref: None,
        job_workflow_sha: None,
        runner_id: some("1"),
        runner_environment: some("self-hosted"),
        properties: BTreeMap::from([("team".to_owned(), "platform".to_owned())]),
    };
    let step = BuildStep { step: "deploy".to_owned(), ..BuildStep::default() };
    (build, step, vec!["sts.amazonaws.com".to_owned()])
});
