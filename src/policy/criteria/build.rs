//! A repository of Vela, or of our own issuer. Our own tokens are judged on what they were issued for, whatever their
//! claims are called; Vela's on their claims.

use serde_json::{Map, Value};

use super::input::{Input, environment, name};
use super::{Pins, Unmatched, same_id, same_name, text};
use crate::base::FieldError;

/// A repository, by names and ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildCriteria {
    /// The organisation.
    pub org: String,
    /// Its id; missing: learned.
    pub org_id: Option<String>,
    /// The repository's name alone.
    pub repo: String,
    /// Its id; missing: learned.
    pub repo_id: Option<String>,
    /// The pipeline's file, where it must be one.
    pub workflow: Option<String>,
    /// The environment, where it must be one.
    pub environment: Option<String>,
}

/// What is known of the build that a token was issued for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BuildFacts<'a> {
    /// The organisation.
    pub org: Option<&'a str>,
    /// Its id.
    pub org_id: Option<&'a str>,
    /// The repository's name alone.
    pub repo: Option<&'a str>,
    /// Its id.
    pub repo_id: Option<&'a str>,
    /// The pipeline's file.
    pub workflow: Option<&'a str>,
    /// The environment, of code that was accepted on a branch or tag alone.
    pub environment: Option<&'a str>,
}

impl<'a> BuildFacts<'a> {
    /// As Vela's tokens tell it: `repo` is `org/name`. Those of Vela itself have no `org`, and no ids.
    #[must_use]
    pub fn of_claims(claims: &'a Map<String, Value>) -> Self {
        let (named, repo) = text(claims, "repo").and_then(|repo| repo.rsplit_once('/')).unzip();
        let org = if claims.contains_key("org") { text(claims, "org") } else { named };
        Self {
            org,
            org_id: text(claims, "org_id"),
            repo: repo.filter(|_| org == named),
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

    /// Does a token with these claims of Vela's fit? Where neither it nor the criteria have ids, the names decide.
    pub(super) fn judge_claims(&self, policy: &str, claims: &Map<String, Value>) -> Result<Pins, Unmatched> {
        let facts = BuildFacts::of_claims(claims);
        let written = self.org_id.is_some() || self.repo_id.is_some();
        if !written && !claims.contains_key("org_id") && !claims.contains_key("repo_id") {
            self.judge_names(&facts)?;
            self.judge_run(policy, &facts)?;
            return Ok(Pins::default());
        }
        self.judge(policy, &facts)
    }

    /// Does a build of these facts fit?
    ///
    /// # Errors
    /// [`Unmatched`].
    pub fn judge(&self, policy: &str, facts: &BuildFacts<'_>) -> Result<Pins, Unmatched> {
        self.judge_names(facts)?;
        let (org_id, repo_id) = (required("org_id", facts.org_id)?, required("repo_id", facts.repo_id)?);
        let pins = Pins {
            owner_id: same_id("org_id", self.org_id.as_deref(), org_id)?,
            repository_id: same_id("repo_id", self.repo_id.as_deref(), repo_id)?,
        };
        self.judge_run(policy, facts)?;
        Ok(pins)
    }

    fn judge_names(&self, facts: &BuildFacts<'_>) -> Result<(), Unmatched> {
        same_name("org", &self.org, required("org", facts.org)?)?;
        same_name("repo", &self.repo, required("repo", facts.repo)?)
    }

    /// Workflow and environment, where they must be one.
    fn judge_run(&self, policy: &str, facts: &BuildFacts<'_>) -> Result<(), Unmatched> {
        if let Some(expected) = &self.workflow {
            let actual = facts.workflow.unwrap_or_default();
            if actual != expected {
                let words =
                    format!("Workflow mismatch for policy '{policy}': expected '{expected}', actual '{actual}'");
                return Err(Unmatched::told("workflow", expected, actual, words));
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
