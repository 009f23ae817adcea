//! What a build is, once its registration was checked. Never holds a value that was not validated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Event, Image};

/// The facts of one build, as its tokens will state them. Made from a checked registration
/// alone, and read back from the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Organisation; may hold `/`.
    pub org: String,
    /// The organisation's immutable id.
    pub org_id: Option<String>,
    /// The repository's name alone, without `/`.
    pub repo: String,
    /// The repository's immutable id.
    pub repo_id: Option<String>,
    /// The CI's number of the build.
    pub number: u64,
    /// Which run of the same number; from 1.
    pub attempt: u64,
    /// What set it off.
    pub event: Event,
    /// `opened` of `pull_request:opened`.
    pub event_action: Option<String>,
    /// Text from git: unauthenticated.
    pub author: Option<String>,
    /// The author's id, as the CI says.
    pub author_id: Option<String>,
    /// Who set it off, as the CI authenticated them.
    pub actor: Option<String>,
    /// The actor's immutable id.
    pub actor_id: Option<String>,
    /// Full ref: `refs/heads/main`.
    #[serde(rename = "ref")]
    pub git_ref: String,
    /// Commit: 40 or 64 hexadecimal digits.
    pub sha: String,
    /// Target of a pull request, as given.
    pub base_ref: Option<String>,
    /// Source of a pull request, as given.
    pub head_ref: Option<String>,
    /// Does the code come from another repository? Shown as `pull_fork` for pull requests.
    pub fork: bool,
    /// Was the code that runs already accepted in the repository? Computed, never believed.
    pub trusted: bool,
    /// Is the ref protected, where known; never true for a pull ref or an untrusted build.
    pub ref_protected: Option<bool>,
    /// Deployment environment; never for a pull ref or an untrusted build.
    pub environment: Option<String>,
    /// Visibility of the repository, as given.
    pub visibility: Option<String>,
    /// The pipeline file.
    pub workflow: Option<String>,
    /// Where the pipeline file came from.
    pub workflow_ref: Option<String>,
    /// The pipeline file's commit.
    pub workflow_sha: Option<String>,
    /// Where the job's definition came from.
    pub job_workflow_ref: Option<String>,
    /// The commit of the job's definition.
    pub job_workflow_sha: Option<String>,
    /// Which runner.
    pub runner_id: Option<String>,
    /// What kind of runner.
    pub runner_environment: Option<String>,
    /// Custom properties of the repository.
    pub properties: BTreeMap<String, String>,
}

impl Build {
    /// `org/name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.org, self.repo)
    }

    /// Is the ref outside `refs/heads/` and `refs/tags/`?
    #[must_use]
    pub fn is_pull_ref(&self) -> bool {
        !self.git_ref.starts_with("refs/heads/") && !self.git_ref.starts_with("refs/tags/")
    }

    /// Does the ref vouch for the code? Only then do a protection and an environment say anything: accepted code, on a
    /// branch or tag.
    #[must_use]
    pub fn is_vouched(&self) -> bool {
        self.trusted && !self.is_pull_ref()
    }

    /// Is the ref known to be protected? Never for a ref that vouches for nothing, whatever a row says.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.ref_protected == Some(true) && self.is_vouched()
    }

    /// The environment of a step, else of the build. Never where the ref vouches for nothing, whatever a row says.
    #[must_use]
    pub fn environment_of<'a>(&'a self, step: Option<&'a BuildStep>) -> Option<&'a str> {
        if !self.is_vouched() {
            return None;
        }
        step.and_then(|step| step.environment.as_deref()).or(self.environment.as_deref())
    }

    /// The branch, derived from the ref.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.git_ref.strip_prefix("refs/heads/")
    }

    /// `branch` or `tag`, derived from the ref; pull refs have neither.
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

/// What a step's request token adds to the build's claims. Comes from the CI or the worker, never from the job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildStep {
    /// The step's name.
    pub step: String,
    /// What the step runs in.
    pub image: Option<Image>,
    /// The step's declared purpose.
    pub request: Option<String>,
    /// Does the step run its own commands?
    pub commands: Option<bool>,
    /// The step's environment; only a client may set it.
    pub environment: Option<String>,
}
