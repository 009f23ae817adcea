//! Criteria for a workflow of GitHub Actions. A trust policy checks the workflow's file; a trusted publisher also
//! checks the ref or commit from which the file was read.

use serde_json::{Map, Value};

use super::input::{Input, environment, name, path_of, workflow};
use super::outcome::{Pins, Unmatched, required, same_id, same_name, text};
use crate::base::FieldError;

/// Event that no trust policy accepts: a pull request of any user runs workflows of this event with the repository's
/// permissions.
const REJECTED_EVENT: &str = "pull_request_target";
/// Folder of a repository that contains all workflow files.
const FOLDER: &str = ".github/workflows/";

/// Criteria that name a workflow of GitHub Actions, by names and ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubCriteria {
    /// Name of the repository's owner.
    pub owner: String,
    /// Id of the repository's owner; if `None`, the first matching token determines the id.
    pub owner_id: Option<String>,
    /// Name of the repository, without the owner's name.
    pub repository: String,
    /// Id of the repository; if `None`, the first matching token determines the id.
    pub repository_id: Option<String>,
    /// Path of the workflow's file within `.github/workflows/`.
    pub workflow: String,
    /// Environment that the job must have; `None` allows any job.
    pub environment: Option<String>,
    /// `owner/name` of another repository that contains the workflow's file (a reusable workflow); `None` if
    /// `repository` contains the file.
    pub workflow_repository: Option<String>,
}

impl GithubCriteria {
    pub(super) fn read(table: &Map<String, Value>) -> Result<Self, FieldError> {
        const FIELDS: [&str; 7] =
            ["owner", "owner_id", "repository", "repository_id", "workflow", "environment", "workflow_repository"];
        let input = Input::new(table, &FIELDS)?;
        let owner = name("owner", input.required("owner")?)?;
        let repository = path_of(input.required("repository")?);
        let repository = match repository.split_once('/') {
            None => repository,
            Some((of, repository)) if of.eq_ignore_ascii_case(&owner) => repository,
            Some(_) => return Err(FieldError::new("repository", format!("must belong to the owner {owner}"))),
        };
        let workflow_repository = match input.text("workflow_repository")?.map(path_of) {
            None => None,
            Some(text) => match text.split_once('/') {
                Some((owner, repository)) => {
                    let field = "workflow_repository";
                    Some(format!("{}/{}", name(field, owner)?, name(field, repository)?))
                }
                None => return Err(FieldError::new("workflow_repository", "must be owner/name")),
            },
        };
        let repository = name("repository", repository.trim_end_matches(".git"))?;
        let own = format!("{owner}/{repository}").to_lowercase();
        Ok(Self {
            owner_id: input.owned("owner_id")?,
            repository,
            repository_id: input.owned("repository_id")?,
            workflow: workflow("workflow", input.required("workflow")?)?,
            environment: environment("environment", input.text("environment")?)?,
            // Naming the repository itself means the same as naming no workflow repository.
            workflow_repository: workflow_repository.filter(|named| named.to_lowercase() != own),
            owner,
        })
    }

    /// Returns `owner/name` of the repository that contains the workflow's file.
    fn workflow_repository(&self) -> String {
        self.workflow_repository.clone().unwrap_or_else(|| format!("{}/{}", self.owner, self.repository))
    }

    /// Evaluates the criteria of a trust policy on a token's claims, as NuGet does.
    pub(super) fn evaluate(&self, policy: &str, claims: &Map<String, Value>) -> Result<Pins, Unmatched> {
        let pins = self.check_repository(claims)?;
        let event = required(claims, "event_name")?;
        if event.eq_ignore_ascii_case(REJECTED_EVENT) {
            let words = format!("The GitHub Actions event '{event}' is not allowed.");
            return Err(Unmatched::disclosed("event_name", "another event", event, words));
        }
        let job = required(claims, "job_workflow_ref")?;
        let prefix = format!("{}/{FOLDER}", self.workflow_repository());
        let (file, _) = split(job, &prefix).ok_or_else(|| {
            let words = format!(
                "The JSON Web Token claim 'job_workflow_ref' has value '{job}' which does not start with '{prefix}'."
            );
            Unmatched::disclosed("job_workflow_ref", &prefix, job, words)
        })?;
        if file.to_lowercase() != self.workflow.to_lowercase() {
            let expected = &self.workflow;
            let words = format!("Workflow mismatch for policy '{policy}': expected '{expected}', actual '{file}'");
            return Err(Unmatched::disclosed("job_workflow_ref", expected, file, words));
        }
        self.check_environment(policy, claims)?;
        Ok(pins)
    }

    /// Evaluates the criteria of a trusted publisher on a token's claims, as RubyGems does. A workflow file of the
    /// repository itself must come from the ref or commit of the run. A workflow file of another repository may come
    /// from any ref or commit.
    ///
    /// # Errors
    /// [`Unmatched`] names the first claim that does not match the criteria.
    pub fn evaluate_publisher(&self, publisher: &str, claims: &Map<String, Value>) -> Result<Pins, Unmatched> {
        let pins = self.check_repository(claims)?;
        let job = required(claims, "job_workflow_ref")?;
        let prefix = format!("{}/{FOLDER}", self.workflow_repository());
        let expected = format!("{prefix}{}@", self.workflow);
        let (file, at) =
            split(job, &prefix).ok_or_else(|| Unmatched::undisclosed("job_workflow_ref", &expected, job))?;
        if file.to_lowercase() != self.workflow.to_lowercase() {
            return Err(Unmatched::undisclosed("job_workflow_ref", &expected, job));
        }
        let own = self.workflow_repository.is_none();
        let read_at =
            if own { [text(claims, "ref"), text(claims, "sha")] } else { [Some(at), text(claims, "job_workflow_sha")] };
        if !read_at.contains(&Some(at)) {
            return Err(Unmatched::undisclosed("job_workflow_ref", "the run's own ref or sha", at));
        }
        self.check_environment(publisher, claims)?;
        Ok(pins)
    }

    fn check_repository(&self, claims: &Map<String, Value>) -> Result<Pins, Unmatched> {
        let (repository, owner) = (required(claims, "repository")?, required(claims, "repository_owner")?);
        let (owner_id, id) = (required(claims, "repository_owner_id")?, required(claims, "repository_id")?);
        same_name("repository_owner", &self.owner, owner)?;
        same_name("repository", &format!("{}/{}", self.owner, self.repository), repository)?;
        Ok(Pins {
            owner_id: same_id("repository_owner_id", self.owner_id.as_deref(), owner_id)?,
            repository_id: same_id("repository_id", self.repository_id.as_deref(), id)?,
        })
    }

    fn check_environment(&self, policy: &str, claims: &Map<String, Value>) -> Result<(), Unmatched> {
        let Some(expected) = &self.environment else { return Ok(()) };
        let actual = text(claims, "environment");
        if actual.is_some_and(|actual| actual.to_lowercase() == expected.to_lowercase()) {
            return Ok(());
        }
        Err(Unmatched::environment(policy, expected, actual))
    }
}

/// Splits a `job_workflow_ref` that begins with `prefix` into the file's name and the ref or commit after the `@`. A
/// file's name may contain `@` too, but a ref begins with `refs/`.
fn split<'a>(job: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    let (start, rest) = job.split_at_checked(prefix.len())?;
    if start.to_lowercase() != prefix.to_lowercase() {
        return None;
    }
    let at = rest.find("@refs/").or_else(|| rest.rfind('@'))?;
    Some((rest.get(..at)?, rest.get(at + 1..)?))
}

/// Returns the name of the workflow's file in the claim `workflow_ref`: `ci.yml` in
/// `acme/app/.github/workflows/ci.yml@refs/heads/main`. As at crates.io and PyPI, the file is in the first part between
/// slashes that contains `.yml@` or `.yaml@`, and ends before the last such `@`.
#[must_use]
pub fn workflow_file(reference: &str) -> Option<&str> {
    reference.split('/').find_map(|segment| {
        let ends = [".yml@", ".yaml@"]
            .iter()
            .filter_map(|ending| segment.rfind(ending).filter(|at| *at > 0).map(|at| at + ending.len() - 1));
        segment.get(..ends.max()?)
    })
}
