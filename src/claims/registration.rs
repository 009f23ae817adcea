//! A CI server's registration of a build, and the checks of the registration. Never guesses a value that the CI server
//! left out.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::audience::AudiencePattern;
use super::build::Build;
use super::event::Event;
use super::subject::SubjectFormat;
use super::text;
use super::trust::{Provenance, is_trusted};
use crate::base::{FieldError, Seconds};

/// Largest accepted build number. Many JSON readers lose digits of a larger number.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// Limits of custom properties: maximum number of properties, maximum bytes of a key, maximum bytes of a value.
const MAX_PROPERTIES: (usize, usize, usize) = (64, 128, 1024);

/// Lifetime of a build if the registration names no `timeout`.
const DEFAULT_TIMEOUT: Seconds = Seconds::new(3_600);

/// JSON body of the request that registers a build. An optional member that is `null` counts as absent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    key: Option<String>,
    org: String,
    org_id: Option<String>,
    repo: String,
    repo_id: Option<String>,
    number: u64,
    attempt: Option<u64>,
    event: Event,
    event_action: Option<String>,
    author: String,
    author_id: Option<String>,
    actor: Option<String>,
    actor_id: Option<String>,
    r#ref: String,
    sha: String,
    base_ref: Option<String>,
    head_ref: Option<String>,
    head_repo_id: Option<String>,
    fork: Option<bool>,
    trusted: Option<bool>,
    ref_protected: Option<bool>,
    environment: Option<String>,
    visibility: Option<String>,
    workflow: Option<String>,
    workflow_ref: Option<String>,
    workflow_sha: Option<String>,
    job_workflow_ref: Option<String>,
    job_workflow_sha: Option<String>,
    runner: Option<Runner>,
    properties: Option<BTreeMap<String, String>>,
    audiences: Option<Vec<String>>,
    build_token: Option<bool>,
    timeout: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Runner {
    id: Option<String>,
    environment: Option<String>,
}

/// Limits and settings by which a registration is checked.
#[derive(Debug)]
pub struct RegistrationRules<'a> {
    /// Prefix that is put before the ids of organisations and repositories, so that equal ids of two CI servers stay
    /// distinct; `None` for no prefix.
    pub ids: Option<&'a str>,
    /// Format of the subjects of tokens. Some formats require `repo_id`.
    pub subject: &'a SubjectFormat,
    /// Maximum lifetime of a build.
    pub max_build: Seconds,
}

/// The result of checking a registration: the build and the settings of the build's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRegistration {
    /// The registered build, as the build's tokens describe it.
    pub build: Build,
    /// Unique key of the build: the registration's `key`, or else `org/repo#number.attempt`.
    pub key: String,
    /// Patterns of the audiences that the build's tokens may have. `None` sets no limit, an empty list allows no
    /// audience.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// Whether the response to the registration contains a request token for the whole build.
    pub build_token: bool,
    /// Time from the registration until the build expires.
    pub timeout: Seconds,
}

/// Error returned for an invalid registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationError {
    /// The value of a field of the registration is invalid.
    Field(FieldError),
    /// The registration has no `repo_id`, which the format of subjects requires.
    IdsRequired,
}

impl From<FieldError> for RegistrationError {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

impl Registration {
    /// Returns the organisation as the CI server sent it, before any check.
    #[must_use]
    pub fn org(&self) -> &str {
        &self.org
    }

    /// Checks every value of the registration and computes whether the build is trusted.
    ///
    /// # Errors
    /// [`RegistrationError`] names the first invalid field, or says that the format of subjects requires `repo_id`.
    pub fn check(self, rules: &RegistrationRules<'_>) -> Result<CheckedRegistration, RegistrationError> {
        text::path_name("org", &self.org)?;
        text::plain_name("repo", &self.repo)?;
        text::git_ref("ref", &self.r#ref)?;
        text::sha("sha", &self.sha)?;
        number("number", self.number, 0)?;
        let attempt = self.attempt.unwrap_or(1);
        number("attempt", attempt, 1)?;

        let prefixed = |id: Option<String>| match (rules.ids, id) {
            (Some(prefix), Some(id)) => Some(format!("{prefix}.{id}")),
            (_, id) => id,
        };
        let org_id = prefixed(optional("org_id", self.org_id, text::id)?);
        let repo_id = prefixed(optional("repo_id", self.repo_id, text::id)?);
        let head_repo_id = prefixed(optional("head_repo_id", self.head_repo_id, text::id)?);
        if repo_id.is_none() && rules.subject.needs_repo_id() {
            return Err(RegistrationError::IdsRequired);
        }

        let event = self.event;
        let trusted = is_trusted(&Provenance {
            event,
            git_ref: &self.r#ref,
            fork: self.fork,
            head_repo_id: head_repo_id.as_deref(),
            repo_id: repo_id.as_deref(),
            declared: self.trusted,
        });
        let runner = self.runner.unwrap_or_default();
        let mut build = Build {
            org: self.org,
            org_id,
            repo: self.repo,
            repo_id,
            number: self.number,
            attempt,
            event,
            event_action: optional("event_action", self.event_action, text::word)?,
            author: optional("author", Some(self.author), text::text)?,
            author_id: optional("author_id", self.author_id, text::id)?,
            actor: optional("actor", self.actor, text::text)?,
            actor_id: optional("actor_id", self.actor_id, text::id)?,
            git_ref: self.r#ref,
            sha: self.sha,
            base_ref: optional("base_ref", self.base_ref, text::text)?,
            head_ref: optional("head_ref", self.head_ref, text::text)?,
            fork: self.fork.unwrap_or(matches!(event, Event::PullRequest | Event::Comment)),
            trusted,
            ref_protected: self.ref_protected,
            environment: optional("environment", self.environment, text::text)?,
            visibility: optional("visibility", self.visibility, text::text)?,
            workflow: optional("workflow", self.workflow, text::text)?,
            workflow_ref: optional("workflow_ref", self.workflow_ref, text::text)?,
            workflow_sha: optional("workflow_sha", self.workflow_sha, text::sha)?,
            job_workflow_ref: optional("job_workflow_ref", self.job_workflow_ref, text::text)?,
            job_workflow_sha: optional("job_workflow_sha", self.job_workflow_sha, text::sha)?,
            runner_id: optional("runner.id", runner.id, text::id)?,
            runner_environment: optional("runner.environment", runner.environment, text::text)?,
            properties: properties(self.properties.unwrap_or_default())?,
        };
        // The author of a pull request controls the pipeline file, so neither environment nor protection counts.
        if !build.is_vouched() {
            build.environment = None;
            build.ref_protected = build.ref_protected.filter(|protected| !protected);
        }
        let key = match optional("key", self.key, text::id)? {
            Some(key) => key,
            None => format!("{}/{}#{}.{attempt}", build.org, build.repo, build.number),
        };
        Ok(CheckedRegistration {
            key,
            audiences: audience_patterns(self.audiences)?,
            build_token: self.build_token.unwrap_or(true),
            timeout: timeout(self.timeout.as_deref(), rules.max_build)?,
            build,
        })
    }
}

/// Checks the text of an optional field. An empty text counts as absent.
pub(super) fn optional(
    field: &str,
    value: Option<String>,
    check: fn(&str, &str) -> Result<(), FieldError>,
) -> Result<Option<String>, FieldError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    check(field, &value)?;
    Ok(Some(value))
}

/// Parses the patterns of the audiences that the tokens of a build or step may have.
pub(super) fn audience_patterns(patterns: Option<Vec<String>>) -> Result<Option<Vec<AudiencePattern>>, FieldError> {
    const MAX_PATTERNS: usize = 64;
    const MAX_LIST_BYTES: usize = 8 * 1024;
    let Some(patterns) = patterns else { return Ok(None) };
    if patterns.len() > MAX_PATTERNS {
        return Err(FieldError::new("audiences", format!("must have at most {MAX_PATTERNS} patterns")));
    }
    if patterns.iter().map(String::len).sum::<usize>() > MAX_LIST_BYTES {
        return Err(FieldError::new("audiences", format!("must have at most {MAX_LIST_BYTES} bytes in all")));
    }
    let parsed = patterns.into_iter().enumerate().map(|(index, pattern)| {
        pattern.try_into().map_err(|problem: &str| FieldError::new(format!("audiences[{index}]"), problem))
    });
    parsed.collect::<Result<_, _>>().map(Some)
}

fn number(field: &str, value: u64, least: u64) -> Result<(), FieldError> {
    if (least..=MAX_NUMBER).contains(&value) {
        Ok(())
    } else {
        Err(FieldError::new(field, format!("must be from {least} to {MAX_NUMBER}")))
    }
}

fn properties(properties: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, FieldError> {
    let (most, key_bytes, value_bytes) = MAX_PROPERTIES;
    if properties.len() > most {
        return Err(FieldError::new("properties", format!("must have at most {most} properties")));
    }
    for (key, value) in &properties {
        text::bounded("properties", key, key_bytes)?;
        if key.is_empty() {
            return Err(FieldError::new("properties", "must not have an empty key"));
        }
        let field = format!("properties.{key}");
        text::bounded(&field, value, value_bytes)?;
        text::no_userinfo(&field, value)?;
    }
    Ok(properties.into_iter().filter(|(_, value)| !value.is_empty()).collect())
}

fn timeout(text: Option<&str>, longest: Seconds) -> Result<Seconds, FieldError> {
    let Some(text) = text else { return Ok(DEFAULT_TIMEOUT.min(longest)) };
    let timeout: Seconds = text.parse().map_err(|problem| FieldError::new("timeout", problem))?;
    if timeout == Seconds::ZERO || timeout > longest {
        return Err(FieldError::new("timeout", format!("must be from 1s to {longest} (tokens.max_build)")));
    }
    Ok(timeout)
}

#[cfg(test)]
#[path = "registration_tests.rs"]
mod tests;
