//! The criteria of trust policies and trusted publishers, which say which build may publish. Names are compared without
//! regard to case, and ids exactly. No code here stores anything: the transaction that records an exchange also stores
//! the ids that a match returns.

mod build;
mod entra;
mod github;
mod gitlab;
mod input;
mod outcome;

use serde_json::{Map, Value};

pub use self::build::{BuildCriteria, BuildFacts};
pub use self::entra::EntraCriteria;
pub use self::github::{GithubCriteria, workflow_file};
pub use self::gitlab::GitlabCriteria;
pub use self::outcome::{Matched, Pins, Unmatched};
use crate::base::{FieldError, Moment, Seconds};

/// Period after criteria are created or changed, during which a token may determine ids that the criteria lack.
pub const PINNING_PERIOD: Seconds = Seconds::new(7 * 24 * 3_600);

/// The criteria of a trust policy or trusted publisher. Each variant is for the tokens of one kind of provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Criteria {
    /// The criteria name a service principal of Microsoft Entra.
    Entra(EntraCriteria),
    /// The criteria name a workflow of GitHub Actions.
    Github(GithubCriteria),
    /// The criteria name a project of GitLab.
    Gitlab(GitlabCriteria),
    /// Criteria for builds of one repository, whose tokens come from Vela or from this server.
    Build(BuildCriteria),
}

impl Criteria {
    /// Parses the fields of criteria. `kind` is the kind of provider: `entra`, `github`, `gitlab`, `vela` or `self`.
    ///
    /// # Errors
    /// [`FieldError`] names the first invalid field of the criteria.
    pub fn read(kind: &str, table: &Map<String, Value>) -> Result<Self, FieldError> {
        match kind {
            "entra" => EntraCriteria::read(table).map(Self::Entra),
            "github" => GithubCriteria::read(table).map(Self::Github),
            "gitlab" => GitlabCriteria::read(table).map(Self::Gitlab),
            "vela" | "self" => BuildCriteria::read(table).map(Self::Build),
            _ => Err(FieldError::new("kind", "must be entra, github, gitlab, vela or self")),
        }
    }

    /// Returns the criteria with the pinned ids, which an earlier token determined, in place of missing ids.
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

    /// Returns whether the criteria lack an id, which the first matching token then determines.
    #[must_use]
    pub fn has_unpinned_ids(&self) -> bool {
        match self {
            Self::Entra(_) => false,
            Self::Github(criteria) => criteria.owner_id.is_none() || criteria.repository_id.is_none(),
            Self::Gitlab(criteria) => criteria.namespace_id.is_none() || criteria.project_id.is_none(),
            Self::Build(criteria) => criteria.org_id.is_none() || criteria.repo_id.is_none(),
        }
    }

    /// Returns the environment that a token must have; `None` if the criteria name no environment.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        match self {
            Self::Entra(_) => None,
            Self::Github(criteria) => criteria.environment.as_deref(),
            Self::Gitlab(criteria) => criteria.environment.as_deref(),
            Self::Build(criteria) => criteria.environment.as_deref(),
        }
    }

    /// Evaluates the criteria on the claims of a verified token. `policy` is the policy's name, for texts that the
    /// client with the token may read. Until `pin_until`, the token may determine ids that the criteria lack.
    ///
    /// # Errors
    /// [`Unmatched`] names the first claim that does not match the criteria.
    pub fn evaluate(
        &self,
        policy: &str,
        claims: &Map<String, Value>,
        pin_until: Option<Moment>,
        now: Moment,
    ) -> Result<Matched, Unmatched> {
        let pins = match self {
            Self::Entra(criteria) => return criteria.evaluate(claims).map(|()| Matched::default()),
            Self::Github(criteria) => criteria.evaluate(policy, claims)?,
            Self::Gitlab(criteria) => criteria.evaluate(policy, claims)?,
            Self::Build(criteria) => criteria.evaluate_claims(policy, claims)?,
        };
        pins.into_match(policy, pin_until, now)
    }
}
