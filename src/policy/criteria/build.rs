//! Criteria for a repository of Vela or of this issuer. Evaluates Vela's tokens on their claims, and this issuer's tokens
//! on the builds that they were issued for, whatever their claims are called.

use serde_json::{Map, Value};

use super::input::{Input, environment, name};
use super::outcome::{Pins, Unmatched, same_id, same_name, text};
use crate::base::FieldError;

/// A repository, by names and ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildCriteria {
    /// Name of the organisation.
    pub org: String,
    /// Id of the organisation; pinned on first use if missing.
    pub org_id: Option<String>,
    /// Name of the repository, without the organisation.
    pub repo: String,
    /// Id of the repository; pinned on first use if missing.
    pub repo_id: Option<String>,
    /// Pipeline file that the build must use; `None` allows any.
    pub workflow: Option<String>,
    /// Environment that the build must have; `None` allows any.
    pub environment: Option<String>,
}

/// The build that a token was issued for, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BuildFacts<'a> {
    /// Name of the organisation.
    pub org: Option<&'a str>,
    /// Id of the organisation.
    pub org_id: Option<&'a str>,
    /// Name of the repository, without the organisation.
    pub repo: Option<&'a str>,
    /// Id of the repository.
    pub repo_id: Option<&'a str>,
    /// Path of the pipeline file.
    pub workflow: Option<&'a str>,
    /// Deployment environment; `None` for untrusted builds and pull refs.
    pub environment: Option<&'a str>,
}

impl<'a> BuildFacts<'a> {
    /// Reads the build from claims of Vela's tokens, in which `repo` is `org/name`. Tokens of Vela's own server have no
    /// `org` and no ids.
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

    /// Evaluates the criteria on claims of a Vela token. Names decide if neither the token nor the criteria have ids.
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

    /// Evaluates the criteria on a build.
    ///
    /// # Errors
    /// [`Unmatched`] names the first claim that differs.
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
