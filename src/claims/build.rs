//! A build whose registration was checked. Never holds a value that was not validated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::image::Image;

/// One build, as its tokens describe it. Created from a checked registration only, and read back from the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Organisation; may contain `/`.
    pub org: String,
    /// Immutable id of the organisation.
    pub org_id: Option<String>,
    /// Name of the repository, without the organisation.
    pub repo: String,
    /// Immutable id of the repository.
    pub repo_id: Option<String>,
    /// Build number that the CI assigned.
    pub number: u64,
    /// Run of this build number, counted from 1.
    pub attempt: u64,
    /// Event that triggered the build.
    pub event: Event,
    /// Action of the event, such as `opened` in `pull_request:opened`.
    pub event_action: Option<String>,
    /// Author of the commit: text from git, not authenticated.
    pub author: Option<String>,
    /// Id of the author, as the CI reports it.
    pub author_id: Option<String>,
    /// User who triggered the build, as the CI authenticated them.
    pub actor: Option<String>,
    /// Immutable id of the actor.
    pub actor_id: Option<String>,
    /// Full git ref, such as `refs/heads/main`.
    #[serde(rename = "ref")]
    pub git_ref: String,
    /// Commit hash: 40 or 64 hexadecimal digits.
    pub sha: String,
    /// Target branch of a pull request, as the CI reports it.
    pub base_ref: Option<String>,
    /// Source branch of a pull request, as the CI reports it.
    pub head_ref: Option<String>,
    /// Whether the code comes from another repository. Pull requests show it as `pull_fork`.
    pub fork: bool,
    /// Whether the repository had already accepted the code that runs. Computed, never copied from the registration.
    pub trusted: bool,
    /// Whether the ref is protected, if known. Never true for a pull ref or an untrusted build.
    pub ref_protected: Option<bool>,
    /// Deployment environment. Never set for a pull ref or an untrusted build.
    pub environment: Option<String>,
    /// Visibility of the repository, as the CI reports it.
    pub visibility: Option<String>,
    /// Path of the pipeline file.
    pub workflow: Option<String>,
    /// Repository and ref that the pipeline file was read from.
    pub workflow_ref: Option<String>,
    /// Commit of the pipeline file.
    pub workflow_sha: Option<String>,
    /// Repository and ref that the job's definition was read from.
    pub job_workflow_ref: Option<String>,
    /// Commit of the job's definition.
    pub job_workflow_sha: Option<String>,
    /// Id of the runner.
    pub runner_id: Option<String>,
    /// Kind of runner, such as `self-hosted`.
    pub runner_environment: Option<String>,
    /// Custom properties of the repository.
    pub properties: BTreeMap<String, String>,
}

impl Build {
    /// Returns `org/name` of the repository.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.org, self.repo)
    }

    /// Returns whether the ref is outside `refs/heads/` and `refs/tags/`.
    #[must_use]
    pub fn is_pull_ref(&self) -> bool {
        !self.git_ref.starts_with("refs/heads/") && !self.git_ref.starts_with("refs/tags/")
    }

    /// Returns whether the code is trusted and on a branch or tag. Only then may a protection or an environment count.
    #[must_use]
    pub fn is_vouched(&self) -> bool {
        self.trusted && !self.is_pull_ref()
    }

    /// Returns whether the ref is known to be protected. Never true unless [`Self::is_vouched`], whatever was stored.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.ref_protected == Some(true) && self.is_vouched()
    }

    /// Returns the environment of the step, else of the build. `None` unless [`Self::is_vouched`], whatever was stored.
    #[must_use]
    pub fn environment_of<'a>(&'a self, step: Option<&'a BuildStep>) -> Option<&'a str> {
        if !self.is_vouched() {
            return None;
        }
        step.and_then(|step| step.environment.as_deref()).or(self.environment.as_deref())
    }

    /// Returns the branch, derived from the ref.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.git_ref.strip_prefix("refs/heads/")
    }

    /// Returns `branch` or `tag`, derived from the ref. Pull refs have neither.
    #[must_use]
    pub fn ref_type(&self) -> Option<&'static str> {
        if self.git_ref.starts_with("refs/heads/") {
            Some("branch")
        } else if self.git_ref.starts_with("refs/tags/") {
            Some("tag")
        } else {
            None
        }
    }
}

/// What a step's request token adds to the claims of the build. Set by the CI or the worker, never by the job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildStep {
    /// Name of the step.
    pub step: String,
    /// Container image that the step runs in.
    pub image: Option<Image>,
    /// Declared purpose of the step.
    pub request: Option<String>,
    /// Whether the step runs its own commands.
    pub commands: Option<bool>,
    /// Deployment environment of the step. Only a client may set it.
    pub environment: Option<String>,
}
