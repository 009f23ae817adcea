//! What is asked of the issuer, whoever asks.

use crate::base::{BuildId, Seconds};
use crate::claims::StepRequest;
use crate::jose::Algorithm;
use crate::store::StoredBuild;

/// What is asked for, whoever asks.
#[derive(Debug, Clone, Default)]
pub struct TokenRequest {
    /// For which audiences, as they were sent.
    pub audiences: Vec<String>,
    /// Exactly this lifetime, or none in particular.
    pub lifetime: Option<Seconds>,
    /// This algorithm, or none in particular.
    pub algorithm: Option<Algorithm>,
    /// Who asks, as an address.
    pub peer: Option<String>,
}

/// A token for a CI server that injects it.
#[derive(Debug)]
pub struct DirectRequest {
    /// What is asked for.
    pub token: TokenRequest,
    /// The step that the token is for.
    pub step: Option<StepRequest>,
}

/// The build that a job's URL names. The request token picks the build; a URL that disagrees opens nothing.
#[derive(Debug, Clone)]
pub enum PullPath {
    /// By our id.
    Build(BuildId),
    /// By Vela's path.
    Vela {
        /// Organisation.
        org: String,
        /// Repository's name alone.
        repo: String,
        /// The CI's number, as it was written.
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
