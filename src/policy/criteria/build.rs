//! Criteria for a repository whose builds have tokens of Vela or of this issuer. Vela's tokens are compared by their
//! claims. This issuer's tokens are compared by the recorded builds and never by claims, because presets rename claims.

use serde_json::{Map, Value};

use super::input::{Input, environment, name};
use super::outcome::{Pins, Unmatched, same_id, same_name, text};
use crate::base::FieldError;

/// Criteria that name a repository of Vela or of this issuer, by names and ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildCriteria {
    /// Name of the organisation that owns the repository.
    pub org: String,
    /// Id of the organisation; if `None`, the first matching token determines the id.
    pub org_id: Option<String>,
    /// Name of the repository, without the organisation's name.
    pub repo: String,
    /// Id of the repository; if `None`, the first matching token determines the id.
    pub repo_id: Option<String>,
    /// Path of the pipeline file that the build must use; `None` allows any pipeline file.
    pub workflow: Option<String>,
    /// Deployment environment that the build must have; `None` allows any build.
    pub environment: Option<String>,
}

/// The values of a build that criteria are compared with. A value that is unknown or that the build lacks is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BuildFacts<'a> {
    /// Name of the organisation that owns the repository.
    pub org: Option<&'a str>,
    /// Id of the organisation that owns the repository.
    pub org_id: Option<&'a str>,
    /// Name of the repository, without the organisation's name.
    pub repo: Option<&'a str>,
    /// Id of the repository that was built.
    pub repo_id: Option<&'a str>,
    /// Path of the build's pipeline file.
    pub workflow: Option<&'a str>,
    /// Deployment environment of the build; `None` for untrusted builds and for refs that are neither branches nor
    /// tags.
    pub environment: Option<&'a str>,
}

impl<'a> BuildFacts<'a> {
    /// Reads the build's values from the claims of a Vela token, in which `repo` is `org/name`. Tokens of Vela's own
    /// server have no claim `org` and no ids.
    #[must_use]
    pub fn of_claims(claims: &'a Map<String, Value>) -> Self {
        let (repo_org, repo) = text(claims, "repo").and_then(|repo| repo.rsplit_once('/')).unzip();
        let org = if claims.contains_key("org") { text(claims, "org") } else { repo_org };
        Self {
            org,
            org_id: text(claims, "org_id"),
            repo: repo.filter(|_| org == repo_org),
            repo_id: text(claims, "repo_id"),
            workflow: text(claims, "workflow"),
            environment: text(claims, "environment"),
        }
    }
}

impl BuildCriteria {
    pub(super) fn read(table: &Map<String, Value>) -> Result<Self, FieldError> {
        let input = Input::new(table, &["org", "org_id", "repo", "repo_id", "workflow", "environment"])?;
        let org = input.required("org")?;
        for part in org.split('/') {
            name("org", part)?;
        }
        Ok(Self {
            org: org.to_owned(),
            org_id: input.owned("org_id")?,
            repo: name("repo", input.required("repo")?)?,
            repo_id: input.owned("repo_id")?,
            workflow: input.owned("workflow")?,
            environment: environment("environment", input.text("environment")?)?,
        })
    }

    /// Evaluates the criteria on the claims of a Vela token. If neither the token nor the criteria have ids, only the
    /// names are compared.
    pub(super) fn evaluate_claims(&self, policy: &str, claims: &Map<String, Value>) -> Result<Pins, Unmatched> {
        let facts = BuildFacts::of_claims(claims);
        let has_ids = self.org_id.is_some() || self.repo_id.is_some();
        if !has_ids && !claims.contains_key("org_id") && !claims.contains_key("repo_id") {
            self.check_names(&facts)?;
            self.check_workflow_and_environment(policy, &facts)?;
            return Ok(Pins::default());
        }
        self.evaluate(policy, &facts)
    }

    /// Evaluates the criteria on a build's values. `policy` is the name of the policy, for error texts.
    ///
    /// # Errors
    /// [`Unmatched`] names the first claim that does not match the criteria.
    pub fn evaluate(&self, policy: &str, facts: &BuildFacts<'_>) -> Result<Pins, Unmatched> {
        self.check_names(facts)?;
        let (org_id, repo_id) = (required("org_id", facts.org_id)?, required("repo_id", facts.repo_id)?);
        let pins = Pins {
            owner_id: same_id("org_id", self.org_id.as_deref(), org_id)?,
            repository_id: same_id("repo_id", self.repo_id.as_deref(), repo_id)?,
        };
        self.check_workflow_and_environment(policy, facts)?;
        Ok(pins)
    }

    fn check_names(&self, facts: &BuildFacts<'_>) -> Result<(), Unmatched> {
        same_name("org", &self.org, required("org", facts.org)?)?;
        same_name("repo", &self.repo, required("repo", facts.repo)?)
    }

    fn check_workflow_and_environment(&self, policy: &str, facts: &BuildFacts<'_>) -> Result<(), Unmatched> {
        if let Some(expected) = &self.workflow {
            let actual = facts.workflow.unwrap_or_default();
            if actual != expected {
                let words =
                    format!("Workflow mismatch for policy '{policy}': expected '{expected}', actual '{actual}'");
                return Err(Unmatched::disclosed("workflow", expected, actual, words));
            }
        }
        if let Some(expected) = &self.environment
            && facts.environment.is_none_or(|actual| actual.to_lowercase() != expected.to_lowercase())
        {
            return Err(Unmatched::environment(policy, expected, facts.environment));
        }
        Ok(())
    }
}

fn required<'a>(claim: &str, value: Option<&'a str>) -> Result<&'a str, Unmatched> {
    value.ok_or_else(|| Unmatched::missing(claim))
}
