//! A repository of Vela, or of our own issuer. Our own tokens are judged on what they were issued for, whatever their
//! claims are called; Vela's on their claims.

use serde_json::{Map, Value};

use super::input::{Input, environment, name};
use super::{Learned, Unmatched, same_id, same_name, text};
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
    /// As Vela's tokens tell it: `repo` is `org/name`.
    #[must_use]
    pub fn of_claims(claims: &'a Map<String, Value>) -> Self {
        let (org, repo) = (text(claims, "org"), text(claims, "repo"));
        let inside = |repo: &'a str| repo.strip_prefix(org?)?.strip_prefix('/');
        Self {
            org,
            org_id: text(claims, "org_id"),
            repo: repo.and_then(inside),
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

    /// Does a build of these facts fit?
    ///
    /// # Errors
    /// [`Unmatched`].
    pub fn judge(&self, policy: &str, facts: &BuildFacts<'_>) -> Result<Learned, Unmatched> {
        let required =
            |claim: &str, value: Option<&'_ str>| value.map(str::to_owned).ok_or_else(|| Unmatched::missing(claim));
        let (org, repo) = (required("org", facts.org)?, required("repo", facts.repo)?);
        same_name("org", &self.org, &org)?;
        same_name("repo", &self.repo, &repo)?;
        let (org_id, repo_id) = (required("org_id", facts.org_id)?, required("repo_id", facts.repo_id)?);
        let learned = Learned {
            owner_id: same_id("org_id", self.org_id.as_deref(), &org_id)?,
            repository_id: same_id("repo_id", self.repo_id.as_deref(), &repo_id)?,
        };
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
        Ok(learned)
    }
}
