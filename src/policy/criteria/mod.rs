//! Typed criteria, as NuGet's trust policies and trusted publishers have them: which build may publish. Names without
//! case, ids exactly. Knows no status and no store: what was learned is a value that the granting transaction keeps.

mod build;
mod entra;
mod github;
mod gitlab;
mod input;

use serde_json::{Map, Value};

pub use self::build::{BuildCriteria, BuildFacts};
pub use self::entra::EntraCriteria;
pub use self::github::{GithubCriteria, workflow_file};
pub use self::gitlab::GitlabCriteria;
use crate::base::{FieldError, Moment, Seconds};

/// How long ids may be learned after the names were written down.
pub const LEARNING: Seconds = Seconds::new(7 * 24 * 3_600);

/// Criteria of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Criteria {
    /// A service principal of Entra.
    Entra(EntraCriteria),
    /// A workflow of GitHub.
    Github(GithubCriteria),
    /// A project of GitLab.
    Gitlab(GitlabCriteria),
    /// A repository of Vela, or of our own issuer.
    Build(BuildCriteria),
}

impl Criteria {
    /// Reads the criteria of this kind: `entra`, `github`, `gitlab`, `vela` or `self`.
    ///
    /// # Errors
    /// [`FieldError`] names the first field that can't stand.
    pub fn read(kind: &str, table: &Map<String, Value>) -> Result<Self, FieldError> {
        match kind {
            "entra" => EntraCriteria::read(table).map(Self::Entra),
            "github" => GithubCriteria::read(table).map(Self::Github),
            "gitlab" => GitlabCriteria::read(table).map(Self::Gitlab),
            "vela" | "self" => BuildCriteria::read(table).map(Self::Build),
            _ => Err(FieldError::new("kind", "must be entra, github, gitlab, vela or self")),
        }
    }

    /// With ids that were learned in the place of those that were not written.
    #[must_use]
    pub fn with_pins(mut self, pins: &Pins) -> Self {
        let (owner, repository) = (pins.owner_id.clone(), pins.repository_id.clone());
        let (owner_id, repository_id) = match &mut self {
            Self::Entra(_) => return self,
            Self::Github(criteria) => (&mut criteria.owner_id, &mut criteria.repository_id),
            Self::Gitlab(criteria) => (&mut criteria.namespace_id, &mut criteria.project_id),
            Self::Build(criteria) => (&mut criteria.org_id, &mut criteria.repo_id),
        };
        *owner_id = owner_id.take().or(owner);
        *repository_id = repository_id.take().or(repository);
        self
    }

    /// Is there an id that is to be learned?
    #[must_use]
    pub fn pins_ids(&self) -> bool {
        match self {
            Self::Entra(_) => false,
            Self::Github(criteria) => criteria.owner_id.is_none() || criteria.repository_id.is_none(),
            Self::Gitlab(criteria) => criteria.namespace_id.is_none() || criteria.project_id.is_none(),
            Self::Build(criteria) => criteria.org_id.is_none() || criteria.repo_id.is_none(),
        }
    }

    /// Is it for one environment alone?
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        match self {
            Self::Entra(_) => None,
            Self::Github(criteria) => criteria.environment.as_deref(),
            Self::Gitlab(criteria) => criteria.environment.as_deref(),
            Self::Build(criteria) => criteria.environment.as_deref(),
        }
    }

    /// Does a verified token with these claims fit? `name` is the policy's, for the texts that its caller may read;
    /// ids that are missing may be learned until `validate_by`.
    ///
    /// # Errors
    /// [`Unmatched`].
    pub fn judge(
        &self,
        name: &str,
        claims: &Map<String, Value>,
        validate_by: Option<Moment>,
        now: Moment,
    ) -> Result<Matched, Unmatched> {
        let pins = match self {
            Self::Entra(criteria) => return criteria.judge(claims).map(|()| Matched::default()),
            Self::Github(criteria) => criteria.judge(name, claims)?,
            Self::Gitlab(criteria) => criteria.judge(name, claims)?,
            Self::Build(criteria) => criteria.judge_claims(name, claims)?,
        };
        pins.within(name, validate_by, now)
    }
}

/// The ids of names, learned by their first use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// Of the owner, namespace or organisation.
    pub owner_id: Option<String>,
    /// Of the repository or project.
    pub repository_id: Option<String>,
}

impl Pins {
    /// A match, if what is to be learned may still be.
    ///
    /// # Errors
    /// [`Unmatched`] when the time for learning is over.
    pub fn within(self, name: &str, validate_by: Option<Moment>, now: Moment) -> Result<Matched, Unmatched> {
        if self == Self::default() {
            return Ok(Matched { pins: None });
        }
        if validate_by.is_some_and(|until| now < until) {
            return Ok(Matched { pins: Some(self) });
        }
        let told = format!(
            "The policy '{name}' has expired. Sign in and renew the trust policy on the Trusted Publishing page."
        );
        Err(Unmatched::told("ids", "ids that were learned within 7 days", "none", told))
    }
}

/// A token fits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matched {
    /// What the grant must keep, in its own transaction.
    pub pins: Option<Pins>,
}

/// A token does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// The claim.
    pub claim: String,
    /// What it must be.
    pub expected: String,
    /// What it is.
    pub actual: String,
    /// What whoever holds the token may read; nothing where that would tell what exists.
    pub disclosed: Option<String>,
}

impl Unmatched {
    /// A mismatch that only the operator may read.
    fn kept(claim: &str, expected: &str, actual: &str) -> Self {
        Self { claim: claim.to_owned(), expected: expected.to_owned(), actual: actual.to_owned(), disclosed: None }
    }

    /// A mismatch that the holder may read, in these words.
    fn told(claim: &str, expected: &str, actual: &str, words: String) -> Self {
        Self { disclosed: Some(words), ..Self::kept(claim, expected, actual) }
    }

    /// A claim that every token of the kind has.
    fn missing(claim: &str) -> Self {
        let words = format!("The JSON Web Token is missing the required claim '{claim}'.");
        Self::told(claim, "a string", "not there", words)
    }

    /// An environment that is not the policy's.
    fn environment(name: &str, expected: &str, actual: Option<&str>) -> Self {
        let actual = actual.unwrap_or_default();
        let words = format!("Environment mismatch for policy '{name}': expected '{expected}', actual '{actual}'");
        Self::told("environment", expected, actual, words)
    }
}

/// A claim that must be a string.
fn required<'a>(claims: &'a Map<String, Value>, claim: &str) -> Result<&'a str, Unmatched> {
    text(claims, claim).ok_or_else(|| Unmatched::missing(claim))
}

fn text<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a str> {
    claims.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A name, whatever its case.
fn same_name(claim: &str, expected: &str, actual: &str) -> Result<(), Unmatched> {
    if expected.to_lowercase() == actual.to_lowercase() {
        return Ok(());
    }
    Err(Unmatched::kept(claim, expected, actual))
}

/// An id, exactly; one that is not known yet is learned.
fn same_id(claim: &str, expected: Option<&str>, actual: &str) -> Result<Option<String>, Unmatched> {
    match expected {
        None => Ok(Some(actual.to_owned())),
        Some(expected) if expected == actual => Ok(None),
        Some(expected) => Err(Unmatched::kept(claim, expected, actual)),
    }
}
