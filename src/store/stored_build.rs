//! A build as stored, and the state of a build. The state is never stored, but computed from the build and the current
//! time.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

use crate::base::{BuildId, ClientId, Moment};
use crate::claims::{AudiencePattern, Build};

/// Status with which a CI server finished a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Finish {
    /// The build was canceled.
    Canceled,
    /// The build failed.
    Failure,
    /// The build succeeded.
    Success,
}

/// State of a build, computed from the stored build and the current time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildState {
    /// The deadline passed before the build was finished.
    Expired,
    /// The CI server finished the build, or the build was canceled because its client was disabled.
    Finished,
    /// The build runs, so that its tokens can be used.
    Running,
}

/// A build as stored, with the number of tokens issued to the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBuild {
    /// Id of the build.
    pub id: BuildId,
    /// Id of the client that registered the build.
    pub client: ClientId,
    /// Claims of the build, as registered.
    pub build: Build,
    /// Audiences that the registration allows for the build's tokens: `None` allows all that the client may use, an
    /// empty list allows none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// Time at which the build was registered.
    pub registered_at: Moment,
    /// Time at which the build expires unless the build was finished before.
    pub deadline: Moment,
    /// Time at which the build was finished, and the status of the build then; `None` if the build was not finished.
    pub finished: Option<(Moment, Finish)>,
    /// Number of ID tokens issued to the build so far.
    pub tokens_issued: u64,
}

impl StoredBuild {
    /// Returns the state of the build at `now`.
    #[must_use]
    pub fn state(&self, now: Moment) -> BuildState {
        match self.finished {
            Some(_) => BuildState::Finished,
            None if self.deadline <= now => BuildState::Expired,
            None => BuildState::Running,
        }
    }
}
