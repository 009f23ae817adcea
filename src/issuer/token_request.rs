//! Requests for ID tokens, by a job or a CI server. Nothing in a request is trusted before it is checked.

use crate::base::{BuildId, Seconds};
use crate::claims::StepRequest;
use crate::jose::Algorithm;
use crate::store::StoredBuild;

/// Request for one ID token, by a job or a CI server.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenRequest {
    /// Audiences that the ID token should have, not checked yet.
    pub(crate) audiences: Vec<String>,
    /// Lifetime that the ID token should have; a request for a lifetime that is not allowed is refused, not shortened.
    pub(crate) lifetime: Option<Seconds>,
    pub(crate) algorithm: Option<Algorithm>,
    /// IP address that the request came from, for the audit row.
    pub(crate) peer: Option<String>,
}

/// Request of a CI server for an ID token that the CI server passes to a job.
#[derive(Debug)]
pub(crate) struct DirectRequest {
    pub(crate) token: TokenRequest,
    pub(crate) step: Option<StepRequest>,
}

/// The build that the URL of a job's request names. The request token determines the build; a request with the URL of
/// another build is refused.
#[derive(Debug, Clone)]
pub(crate) enum PullPath {
    Build(BuildId),
    /// Build named by the URL path of Vela's clients.
    Vela {
        org: String,
        /// Name of the repository, without the organisation.
        repo: String,
        /// Number of the build as text; `017` does not match build 17.
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
