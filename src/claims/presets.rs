//! Every claim of a build on one screen: its name under each preset, and its value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use super::{Build, BuildStep, Event};
use crate::base::BuildId;

/// A family of names for the same facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// GitHub's names, so that verifiers written for GitHub work.
    GitHub,
    /// Vela's names, and ours.
    Vela,
}

impl FromStr for Preset {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "github" => Ok(Self::GitHub),
            "vela" => Ok(Self::Vela),
            "gitlab" => Err("gitlab is not supported yet; use vela, github or both"),
            _ => Err("must be vela or github"),
        }
    }
}

/// The presets in force: at least one, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presets(Vec<Preset>);

impl TryFrom<Vec<Preset>> for Presets {
    type Error = &'static str;

    fn try_from(presets: Vec<Preset>) -> Result<Self, Self::Error> {
        match presets.as_slice() {
            [] => Err("must name at least one preset: vela or github"),
            [first, second, ..] if presets.len() > 2 || first == second => Err("names a preset twice"),
            _ => Ok(Self(presets)),
        }
    }
}

/// What a claim is made from.
pub(super) struct Facts<'a> {
    pub(super) build: &'a Build,
    pub(super) step: Option<&'a BuildStep>,
    pub(super) id: BuildId,
}

/// A claim's value.
pub(super) enum Value<'a> {
    Properties(&'a BTreeMap<String, String>),
    Text(Cow<'a, str>),
}

type Read = for<'a> fn(&Facts<'a>) -> Option<Value<'a>>;

/// One fact: what `vela` calls it, what `github` calls it (the same, where it has no name of its own), and its value.
struct Row {
    vela: Option<&'static str>,
    github: Option<&'static str>,
    read: Read,
}

const fn both(name: &'static str, read: Read) -> Row {
    Row { vela: Some(name), github: Some(name), read }
}

const fn renamed(vela: &'static str, github: &'static str, read: Read) -> Row {
    Row { vela: Some(vela), github: Some(github), read }
}

const ROWS: &[Row] = &[
    both("token_type", |_| text("ID")),
    renamed("org", "repository_owner", |facts| text(&facts.build.org)),
    renamed("org_id", "repository_owner_id", |facts| some(facts.build.org_id.as_deref())),
    renamed("repo", "repository", |facts| text(facts.build.full_name())),
    renamed("repo_id", "repository_id", |facts| some(facts.build.repo_id.as_deref())),
    both("author", |facts| some(facts.build.author.as_deref())),
    both("author_id", |facts| some(facts.build.author_id.as_deref())),
    both("actor", |facts| some(facts.build.actor.as_deref())),
    both("actor_id", |facts| some(facts.build.actor_id.as_deref())),
    both("actor_scm_id", |facts| some(facts.build.actor_id.as_deref())),
    Row {
        vela: Some("event"),
        github: None,
        read: |facts| match &facts.build.event_action {
            Some(action) => text(format!("{}:{action}", facts.build.event)),
            None => text(facts.build.event.name()),
        },
    },
    Row { vela: None, github: Some("event_name"), read: |facts| text(facts.build.event.name()) },
    both("ref", |facts| text(&facts.build.git_ref)),
    both("branch", |facts| some(facts.build.branch())),
    both("ref_type", |facts| some(facts.build.ref_type())),
    both("sha", |facts| text(&facts.build.sha)),
    both("base_ref", |facts| some(facts.build.base_ref.as_deref())),
    both("head_ref", |facts| some(facts.build.head_ref.as_deref())),
    renamed("build_id", "run_id", |facts| text(facts.id.to_string())),
    renamed("build_number", "run_number", |facts| text(facts.build.number.to_string())),
    renamed("attempt", "run_attempt", |facts| text(facts.build.attempt.to_string())),
    both("pull_fork", |facts| match facts.build.event {
        Event::PullRequest => boolean(facts.build.fork),
        _ => None,
    }),
    both("trusted", |facts| boolean(facts.build.trusted)),
    both("ref_protected", |facts| {
        let known = facts.build.ref_protected.filter(|protected| !protected || facts.build.is_vouched());
        known.and_then(boolean)
    }),
    both("environment", |facts| some(facts.build.environment_of(facts.step))),
    both("workflow", |facts| some(facts.build.workflow.as_deref())),
    both("workflow_ref", |facts| some(facts.build.workflow_ref.as_deref())),
    both("workflow_sha", |facts| some(facts.build.workflow_sha.as_deref())),
    both("job_workflow_ref", |facts| some(facts.build.job_workflow_ref.as_deref())),
    both("job_workflow_sha", |facts| some(facts.build.job_workflow_sha.as_deref())),
    both("step", |facts| some(facts.step.map(|step| step.step.as_str()))),
    both("request", |facts| some(facts.step?.request.as_deref())),
    both("image", |facts| text(facts.step?.image.as_ref()?.reference())),
    both("image_name", |facts| text(facts.step?.image.as_ref()?.name())),
    both("image_tag", |facts| some(facts.step?.image.as_ref()?.tag())),
    both("image_digest", |facts| some(facts.step?.image.as_ref()?.digest())),
    both("commands", |facts| facts.step?.commands.and_then(boolean)),
    both("runner_id", |facts| some(facts.build.runner_id.as_deref())),
    both("runner_environment", |facts| some(facts.build.runner_environment.as_deref())),
    renamed("visibility", "repository_visibility", |facts| some(facts.build.visibility.as_deref())),
    both("custom_properties", |facts| {
        Some(&facts.build.properties).filter(|properties| !properties.is_empty()).map(Value::Properties)
    }),
];

fn text<'a>(value: impl Into<Cow<'a, str>>) -> Option<Value<'a>> {
    Some(Value::Text(value.into()))
}

fn some(value: Option<&str>) -> Option<Value<'_>> {
    value.filter(|value| !value.is_empty()).and_then(text)
}

fn boolean<'a>(value: bool) -> Option<Value<'a>> {
    text(if value { "true" } else { "false" })
}

impl Presets {
    /// The names under which a row appears, each once.
    fn names(&self, row: &Row) -> impl Iterator<Item = &'static str> {
        let name = |preset: Option<&Preset>| match preset? {
            Preset::GitHub => row.github,
            Preset::Vela => row.vela,
        };
        let first = name(self.0.first());
        let second = name(self.0.get(1)).filter(|second| Some(*second) != first);
        first.into_iter().chain(second)
    }

    /// Calls `emit` with every claim that has a value.
    pub(super) fn each<E>(
        &self,
        facts: &Facts<'_>,
        mut emit: impl FnMut(&'static str, &Value<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for row in ROWS {
            let mut names = self.names(row).peekable();
            if names.peek().is_none() {
                continue;
            }
            let Some(value) = (row.read)(facts) else { continue };
            names.try_for_each(|name| emit(name, &value))?;
        }
        Ok(())
    }

    /// Every name that these presets may show.
    pub(super) fn all_names(&self) -> impl Iterator<Item = &'static str> {
        ROWS.iter().flat_map(|row| self.names(row))
    }
}

/// Is this the name of a claim in any preset?
pub(super) fn is_preset_name(name: &str) -> bool {
    ROWS.iter().any(|row| row.vela == Some(name) || row.github == Some(name))
}
