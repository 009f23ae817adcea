//! The table of every field of a build. The claims, the variables of conditions and the fields of templates are made
//! from this table; tests compare [`Build`], `Registration` and the manual with the table.
//!
//! To add a field, add a row to the table, a member to [`Build`] and to `Registration`, and the field's name to the
//! manual.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::build::{Build, BuildStep};
use super::event::Event;
use crate::base::BuildId;

/// The build and step from which the fields' values are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldSource<'a> {
    pub(crate) build: &'a Build,
    pub(crate) step: Option<&'a BuildStep>,
    /// Id of the build, which only tokens show; `None` for templates and conditions.
    pub(crate) build_id: Option<BuildId>,
}

/// Value of a field: a flag, custom properties or a text.
#[derive(Debug)]
pub(crate) enum FieldValue<'a> {
    Flag(bool),
    Properties(&'a BTreeMap<String, String>),
    Text(Cow<'a, str>),
}

type Read = for<'a> fn(&FieldSource<'a>) -> Option<FieldValue<'a>>;

/// A field of a build, one row of the table [`FIELDS`]: its names and values in templates, conditions and claims.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// Name of the field in templates; `None` if no template may use the field.
    template: Option<&'static str>,
    /// Name of the field's variable in conditions, such as `build.org`; `None` if conditions cannot use the field.
    variable: Option<&'static str>,
    /// Name of the field's claim under the preset `vela`.
    vela: Option<&'static str>,
    /// Name of the field's claim under the preset `github`. The name is Vela's if GitHub has no such claim.
    github: Option<&'static str>,
    /// Whether a subject keeps a `/` in the field's value instead of percent-encoding the `/`.
    holds_slashes: bool,
    value: Read,
    template_value: Read,
    claim_value: Read,
}

/// Creates a field that has the same name in templates, conditions and both presets.
macro_rules! field {
    ($name:literal, $value:expr) => {
        Field {
            template: Some($name),
            variable: Some(concat!("build.", $name)),
            vela: Some($name),
            github: Some($name),
            holds_slashes: false,
            value: $value,
            template_value: $value,
            claim_value: $value,
        }
    };
}

/// Creates a field that both presets show as a claim, but that templates and conditions cannot use.
const fn claim(name: &'static str, value: Read) -> Field {
    Field {
        template: None,
        variable: None,
        vela: Some(name),
        github: Some(name),
        holds_slashes: false,
        value,
        template_value: value,
        claim_value: value,
    }
}

impl Field {
    const fn in_github(self, name: &'static str) -> Self {
        Self { github: Some(name), ..self }
    }

    const fn in_claims(self, vela: Option<&'static str>, github: Option<&'static str>, claim_value: Read) -> Self {
        Self { vela, github, claim_value, ..self }
    }

    const fn in_templates(self, template_value: Read) -> Self {
        Self { template_value, ..self }
    }

    const fn with_slashes(self) -> Self {
        Self { holds_slashes: true, ..self }
    }
}

/// Every field, in the order of the claims in a token.
const FIELDS: &[Field] = &[
    claim("token_type", |_| text("ID")),
    field!("org", |from| text(&from.build.org)).in_github("repository_owner").with_slashes(),
    field!("org_id", |from| optional(from.build.org_id.as_deref())).in_github("repository_owner_id"),
    field!("repo", |from| text(from.build.full_name()))
        .in_github("repository")
        .in_templates(|from| text(&from.build.repo)),
    field!("repo_id", |from| optional(from.build.repo_id.as_deref())).in_github("repository_id"),
    field!("author", |from| optional(from.build.author.as_deref())),
    field!("author_id", |from| optional(from.build.author_id.as_deref())),
    field!("actor", |from| optional(from.build.actor.as_deref())),
    field!("actor_id", |from| optional(from.build.actor_id.as_deref())),
    claim("actor_scm_id", |from| optional(from.build.actor_id.as_deref())),
    field!("event", |from| text(from.build.event.name())).in_claims(Some("event"), None, event_with_action),
    claim("event_name", |from| text(from.build.event.name()))
        .in_claims(None, Some("event_name"), |from| text(from.build.event.name())),
    field!("event_action", |from| optional(from.build.event_action.as_deref())).in_claims(None, None, |_| None),
    field!("ref", |from| text(&from.build.git_ref)).with_slashes(),
    field!("branch", |from| optional(from.build.branch())).with_slashes(),
    field!("ref_type", |from| optional(from.build.ref_type())),
    field!("sha", |from| text(&from.build.sha)),
    field!("base_ref", |from| optional(from.build.base_ref.as_deref())).with_slashes(),
    field!("head_ref", |from| optional(from.build.head_ref.as_deref())).with_slashes(),
    claim("build_id", |from| text(from.build_id?.to_string())).in_github("run_id"),
    field!("number", build_number).in_claims(Some("build_number"), Some("run_number"), build_number),
    field!("attempt", |from| text(from.build.attempt.to_string())).in_github("run_attempt"),
    field!("fork", |from| flag(from.build.fork)).in_claims(Some("pull_fork"), Some("pull_fork"), |from| {
        if from.build.event == Event::PullRequest { flag(from.build.fork) } else { None }
    }),
    field!("trusted", |from| flag(from.build.trusted)),
    field!("ref_protected", |from| flag(from.build.is_protected())).in_claims(
        Some("ref_protected"),
        Some("ref_protected"),
        |from| {
            let known = from.build.ref_protected.filter(|protected| !protected || from.build.is_vouched());
            known.and_then(flag)
        },
    ),
    field!("environment", |from| optional(from.build.environment_of(from.step))),
    field!("workflow", |from| optional(from.build.workflow.as_deref())),
    field!("workflow_ref", |from| optional(from.build.workflow_ref.as_deref())),
    field!("workflow_sha", |from| optional(from.build.workflow_sha.as_deref())),
    field!("job_workflow_ref", |from| optional(from.build.job_workflow_ref.as_deref())),
    field!("job_workflow_sha", |from| optional(from.build.job_workflow_sha.as_deref())),
    claim("step", |from| optional(from.step.map(|step| step.step.as_str()))),
    claim("request", |from| optional(from.step?.request.as_deref())),
    claim("image", |from| text(from.step?.image.as_ref()?.reference())),
    claim("image_name", |from| text(from.step?.image.as_ref()?.name())),
    claim("image_tag", |from| optional(from.step?.image.as_ref()?.tag())),
    claim("image_digest", |from| optional(from.step?.image.as_ref()?.digest())),
    claim("commands", |from| from.step?.commands.and_then(flag)),
    field!("runner_id", |from| optional(from.build.runner_id.as_deref())),
    field!("runner_environment", |from| optional(from.build.runner_environment.as_deref())),
    field!("visibility", |from| optional(from.build.visibility.as_deref())).in_github("repository_visibility"),
    // A template cannot use all properties together; it names a single property, as `properties.KEY`.
    Field {
        template: None,
        variable: Some("build.properties"),
        value: |from| Some(FieldValue::Properties(&from.build.properties)),
        ..claim("custom_properties", |from| {
            Some(&from.build.properties).filter(|map| !map.is_empty()).map(FieldValue::Properties)
        })
    },
];

fn text<'a>(value: impl Into<Cow<'a, str>>) -> Option<FieldValue<'a>> {
    Some(FieldValue::Text(value.into()))
}

fn optional(value: Option<&str>) -> Option<FieldValue<'_>> {
    value.filter(|value| !value.is_empty()).and_then(text)
}

const fn flag<'a>(value: bool) -> Option<FieldValue<'a>> {
    Some(FieldValue::Flag(value))
}

fn build_number<'a>(from: &FieldSource<'a>) -> Option<FieldValue<'a>> {
    text(from.build.number.to_string())
}

fn event_with_action<'a>(from: &FieldSource<'a>) -> Option<FieldValue<'a>> {
    match &from.build.event_action {
        Some(action) => text(format!("{}:{action}", from.build.event)),
        None => text(from.build.event.name()),
    }
}

impl Field {
    /// Returns every field of the table [`FIELDS`].
    pub(super) fn all() -> impl Iterator<Item = &'static Self> {
        FIELDS.iter()
    }

    /// Returns the field that templates call `name`.
    pub(super) fn of_template(name: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.template == Some(name))
    }

    /// Returns the field's name in templates; empty if no template may use the field.
    pub(super) fn template_name(&self) -> &'static str {
        self.template.unwrap_or_default()
    }

    /// Returns the field's value in templates. A flag's value is `true` or `false`.
    pub(super) fn template_value<'a>(&self, from: &FieldSource<'a>) -> Option<Cow<'a, str>> {
        match (self.template_value)(from)? {
            FieldValue::Flag(flag) => Some(Cow::Borrowed(flag_text(flag))),
            FieldValue::Properties(_) => None,
            FieldValue::Text(text) => Some(text),
        }
    }

    /// Whether a subject keeps a `/` in the field's value instead of percent-encoding the `/`.
    pub(super) const fn holds_slashes(&self) -> bool {
        self.holds_slashes
    }

    /// Returns the name of the field's claim under the preset `vela`.
    pub(super) const fn vela(&self) -> Option<&'static str> {
        self.vela
    }

    /// Returns the name of the field's claim under the preset `github`.
    pub(super) const fn github(&self) -> Option<&'static str> {
        self.github
    }

    /// Returns the value of the field's claim.
    pub(super) fn claim_value<'a>(&self, from: &FieldSource<'a>) -> Option<FieldValue<'a>> {
        (self.claim_value)(from)
    }
}

/// Compares the names of two fields. The names suffice, because no name appears in two rows of the table [`FIELDS`].
impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        (self.template, self.variable, self.vela, self.github)
            == (other.template, other.variable, other.vela, other.github)
    }
}

impl Eq for Field {}

/// Returns the text of a flag's value in claims and templates.
pub(super) const fn flag_text(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

/// Returns each variable that CEL conditions may use, with its value; `None` if the build has no value for the
/// variable.
pub(crate) fn condition_variables<'a>(
    from: FieldSource<'a>,
) -> impl Iterator<Item = (&'static str, Option<FieldValue<'a>>)> {
    FIELDS.iter().filter_map(move |field| field.variable.map(|variable| (variable, (field.value)(&from))))
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
