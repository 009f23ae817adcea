//! The variables that conditions of issuance rules may read: the build as the token would show it, and the job's
//! request. No rule sees a value that the token would omit.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::cel::{Fact, Facts, Names};
use super::decision::IssuanceRequest;
use crate::base::Seconds;
use crate::claims::{Build, BuildStep, Event, FieldSource, FieldValue, condition_variables};
use crate::jose::Algorithm;

/// Returns the variables `build.*` and `request.*` with their values. A string variable without a value is empty.
pub(super) fn facts<'a>(request: &IssuanceRequest<'a>) -> Facts<'a> {
    let source = FieldSource { build: request.build, step: request.step, build_id: None };
    let build = condition_variables(source).map(|(name, value)| (name, fact(value)));
    let requested = [
        ("request.audiences", Fact::Texts(request.audiences)),
        ("request.lifetime", Fact::Number(lifetime(request.lifetime))),
        ("request.algorithm", Fact::text(request.algorithm.map(Algorithm::name))),
        ("request.step", Fact::text(request.step.map(|step| step.step.as_str()))),
    ];
    build.chain(requested).collect()
}

fn fact(value: Option<FieldValue<'_>>) -> Fact<'_> {
    match value {
        None => Fact::text(None),
        Some(FieldValue::Flag(flag)) => Fact::Flag(flag),
        Some(FieldValue::Properties(properties)) => Fact::TextMap(properties),
        Some(FieldValue::Text(text)) => Fact::Text(text),
    }
}

/// Returns the requested lifetime in seconds, or 0 if the job requested no lifetime.
fn lifetime(requested: Option<Seconds>) -> i64 {
    i64::try_from(requested.unwrap_or_default().get()).unwrap_or(i64::MAX)
}

/// Calls `act` with the variables of issuance rules, whose example values are those of an ordinary build.
pub(super) fn with_names<T>(act: impl FnOnce(&Names<'_>) -> T) -> T {
    let (build, step, audiences) = &*EXAMPLE;
    let request = IssuanceRequest {
        build,
        step: Some(step),
        audiences,
        lifetime: Some(Seconds::new(300)),
        algorithm: Some(Algorithm::Rs256),
        restrictions: &[],
    };
    act(&Names::from_example(facts(&request)))
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
