//! What a job or a CI server asks of the issuer.

use crate::base::{BuildId, Seconds};
use crate::claims::StepRequest;
use crate::jose::Algorithm;
use crate::store::StoredBuild;

/// Request for one ID token.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenRequest {
    /// Requested audiences, not checked yet.
    pub(crate) audiences: Vec<String>,
    /// Requested lifetime: exactly this, or a refusal.
    pub(crate) lifetime: Option<Seconds>,
    pub(crate) algorithm: Option<Algorithm>,
    /// Address of the caller, for the audit row.
    pub(crate) peer: Option<String>,
}

/// Request of a CI server for a token that it injects into a job.
#[derive(Debug)]
pub(crate) struct DirectRequest {
    pub(crate) token: TokenRequest,
    pub(crate) step: Option<StepRequest>,
}

/// The build that a job's URL names. The request token determines the build; a URL that disagrees is refused.
#[derive(Debug, Clone)]
pub(crate) enum PullPath {
    Build(BuildId),
    /// Path as Vela's clients write it.
    Vela {
        org: String,
        /// Name of the repository without its organisation.
        repo: String,
        /// Build number as text: `017` does not match build 17.
        number: String,
    },
}

impl PullPath {
    pub(super) fn names(&self, build: &StoredBuild) -> bool {
        match self {
            Self::Build(id) => *id == build.id,
            Self::Vela { org, repo, number } => {
                *org == build.build.org && *repo == build.build.repo && *number == build.build.number.to_string()
            }
        }
    }
}
