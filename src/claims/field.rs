//! The fields of a build that templates may name, and their values.

use std::borrow::Cow;

use super::{Build, BuildStep};

/// One field: a name of `build.*`, or a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Property(String),
    Known(&'static str),
}

/// Every name, as rules and templates write it.
const NAMES: [&str; 30] = [
    "org",
    "org_id",
    "repo",
    "repo_id",
    "author",
    "author_id",
    "actor",
    "actor_id",
    "event",
    "event_action",
    "ref",
    "branch",
    "ref_type",
    "sha",
    "base_ref",
    "head_ref",
    "number",
    "attempt",
    "workflow",
    "workflow_ref",
    "workflow_sha",
    "job_workflow_ref",
    "job_workflow_sha",
    "environment",
    "visibility",
    "runner_id",
    "runner_environment",
    "trusted",
    "fork",
    "ref_protected",
];

impl Field {
    pub(super) fn parse(name: &str) -> Option<Self> {
        if let Some(key) = name.strip_prefix("properties.") {
            return (!key.is_empty()).then(|| Self::Property(key.to_owned()));
        }
        NAMES.into_iter().find(|known| *known == name).map(Self::Known)
    }

    pub(super) fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Known(name) => Cow::Borrowed(name),
            Self::Property(key) => Cow::Owned(format!("properties.{key}")),
        }
    }

    /// May a value of this field hold a raw `/` in a subject?
    pub(super) fn holds_slashes(&self) -> bool {
        matches!(self, Self::Known("org" | "ref" | "base_ref" | "head_ref" | "branch"))
    }

    /// The value for one build and step; `None` where there is none.
    pub(super) fn value<'a>(&self, build: &'a Build, step: Option<&'a BuildStep>) -> Option<Cow<'a, str>> {
        let name = match self {
            Self::Property(key) => {
                return build.properties.get(key).filter(|text| !text.is_empty()).map(|text| borrowed(text));
            }
            Self::Known(name) => *name,
        };
        match name {
            "org" => Some(borrowed(&build.org)),
            "org_id" => build.org_id.as_ref().map(|text| borrowed(text)),
            "repo" => Some(borrowed(&build.repo)),
            "repo_id" => build.repo_id.as_ref().map(|text| borrowed(text)),
            "author" => build.author.as_ref().map(|text| borrowed(text)),
            "author_id" => build.author_id.as_ref().map(|text| borrowed(text)),
            "actor" => build.actor.as_ref().map(|text| borrowed(text)),
            "actor_id" => build.actor_id.as_ref().map(|text| borrowed(text)),
            "event" => Some(Cow::Borrowed(build.event.name())),
            "event_action" => build.event_action.as_ref().map(|text| borrowed(text)),
            "ref" => Some(borrowed(&build.git_ref)),
            "branch" => build.branch().map(Cow::Borrowed),
            "ref_type" => build.ref_type().map(Cow::Borrowed),
            "sha" => Some(borrowed(&build.sha)),
            "base_ref" => build.base_ref.as_ref().map(|text| borrowed(text)),
            "head_ref" => build.head_ref.as_ref().map(|text| borrowed(text)),
            "number" => Some(Cow::Owned(build.number.to_string())),
            "attempt" => Some(Cow::Owned(build.attempt.to_string())),
            "workflow" => build.workflow.as_ref().map(|text| borrowed(text)),
            "workflow_ref" => build.workflow_ref.as_ref().map(|text| borrowed(text)),
            "workflow_sha" => build.workflow_sha.as_ref().map(|text| borrowed(text)),
            "job_workflow_ref" => build.job_workflow_ref.as_ref().map(|text| borrowed(text)),
            "job_workflow_sha" => build.job_workflow_sha.as_ref().map(|text| borrowed(text)),
            "environment" => build.environment_of(step).map(Cow::Borrowed),
            "visibility" => build.visibility.as_ref().map(|text| borrowed(text)),
            "runner_id" => build.runner_id.as_ref().map(|text| borrowed(text)),
            "runner_environment" => build.runner_environment.as_ref().map(|text| borrowed(text)),
            "trusted" => Some(boolean(build.trusted)),
            "fork" => Some(boolean(build.fork)),
            "ref_protected" => Some(boolean(build.is_protected())),
            _ => None,
        }
    }
}

fn borrowed(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

fn boolean(value: bool) -> Cow<'static, str> {
    Cow::Borrowed(if value { "true" } else { "false" })
}
