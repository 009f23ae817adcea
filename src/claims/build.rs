//! A build whose registration was checked. A `Build` never holds a value that was not checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::image::Image;

/// One build of a CI server, as the build's tokens describe it. Created from a checked registration only, and read back
/// from the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Name of the organisation that owns the repository. May contain `/`.
    pub org: String,
    /// Immutable id of the organisation that owns the repository.
    pub org_id: Option<String>,
    /// Name of the repository, without the organisation's name.
    pub repo: String,
    /// Immutable id of the repository.
    pub repo_id: Option<String>,
    /// Number that the CI server gave the build.
    pub number: u64,
    /// Number of this run of the build: 1 for the first run, and one more for each restart by the CI server.
    pub attempt: u64,
    /// Event that triggered the build.
    pub event: Event,
    /// Action of the build's event, such as `opened` in `pull_request:opened`.
    pub event_action: Option<String>,
    /// Name of the commit's author, as written in the commit. Not authenticated, because anyone can write any name.
    pub author: Option<String>,
    /// Id of the commit's author, as the CI server reports the id.
    pub author_id: Option<String>,
    /// Name of the user who triggered the build. The CI server authenticated the user.
    pub actor: Option<String>,
    /// Immutable id of the user who triggered the build.
    pub actor_id: Option<String>,
    /// Full git ref that the build runs on, such as `refs/heads/main`.
    #[serde(rename = "ref")]
    pub git_ref: String,
    /// Hash of the commit that the build runs on: 40 or 64 hexadecimal digits.
    pub sha: String,
    /// Target branch of the pull request, as the CI server reports the branch.
    pub base_ref: Option<String>,
    /// Source branch of the pull request, as the CI server reports the branch.
    pub head_ref: Option<String>,
    /// Whether the build's code comes from another repository. Tokens of pull requests show this value as `pull_fork`.
    pub fork: bool,
    /// Whether the repository had already accepted the code that the build runs. Computed, never copied from the
    /// registration.
    pub trusted: bool,
    /// Whether the build's ref is protected, if known. Never true for an untrusted build, or if the ref is neither a
    /// branch nor a tag.
    pub ref_protected: Option<bool>,
    /// Deployment environment of the build. Never set for an untrusted build, or if the ref is neither a branch nor a
    /// tag.
    pub environment: Option<String>,
    /// Visibility of the repository, such as `private`, as the CI server reports it.
    pub visibility: Option<String>,
    /// Path of the build's pipeline file.
    pub workflow: Option<String>,
    /// Repository, path and ref from which the pipeline file was read.
    pub workflow_ref: Option<String>,
    /// Hash of the commit from which the pipeline file was read.
    pub workflow_sha: Option<String>,
    /// Repository, path and ref from which the job's definition was read.
    pub job_workflow_ref: Option<String>,
    /// Hash of the commit from which the job's definition was read.
    pub job_workflow_sha: Option<String>,
    /// Id of the runner that executes the build.
    pub runner_id: Option<String>,
    /// Type of the runner that executes the build, such as `self-hosted`.
    pub runner_environment: Option<String>,
    /// Custom properties of the repository, by name.
    pub properties: BTreeMap<String, String>,
}

impl Build {
    /// Returns the full name of the repository, `org/repo`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.org, self.repo)
    }

    /// Returns whether the build's ref is neither a branch (`refs/heads/`) nor a tag (`refs/tags/`).
    #[must_use]
    pub fn is_pull_ref(&self) -> bool {
        !self.git_ref.starts_with("refs/heads/") && !self.git_ref.starts_with("refs/tags/")
    }

    /// Returns whether the build is trusted and its ref is a branch or tag. Any other build counts as having no
    /// protected ref and no environment.
    #[must_use]
    pub fn is_vouched(&self) -> bool {
        self.trusted && !self.is_pull_ref()
    }

    /// Returns whether the build's ref is known to be protected. Always false for a build that is untrusted or not on a
    /// branch or tag, even if the stored value is true.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.ref_protected == Some(true) && self.is_vouched()
    }

    /// Returns the deployment environment of the step, or else of the build. Always `None` for a build that is
    /// untrusted or not on a branch or tag, even if an environment is stored.
    #[must_use]
    pub fn environment_of<'a>(&'a self, step: Option<&'a BuildStep>) -> Option<&'a str> {
        if !self.is_vouched() {
            return None;
        }
        step.and_then(|step| step.environment.as_deref()).or(self.environment.as_deref())
    }

    /// Returns the name of the branch, if the build's ref is a branch.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.git_ref.strip_prefix("refs/heads/")
    }

    /// Returns `branch` or `tag` according to the build's ref; `None` for any other ref, such as a pull request's.
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

/// One step of a build. Tokens of the step show these values in addition to the build's. The CI server or the worker
/// describes the step, never the job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildStep {
    /// Name of the step.
    pub step: String,
    /// Container image in which the step runs.
    pub image: Option<Image>,
    /// Purpose of the step, in the words of the CI server or worker.
    pub request: Option<String>,
    /// Whether the step runs its own commands.
    pub commands: Option<bool>,
    /// Deployment environment of the step. Only a client may set this value, never a worker.
    pub environment: Option<String>,
}
