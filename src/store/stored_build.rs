//! A build as it was stored, and its state, which follows from its row and the time.

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

/// State of a build, which follows from its row and the current time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildState {
    /// The deadline passed before the build was finished.
    Expired,
    /// The CI server, or disabling its client, finished the build.
    Finished,
    /// The build runs; its tokens are active.
    Running,
}

/// A build as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBuild {
    /// Id of the build.
    pub id: BuildId,
    /// Id of the client that registered the build.
    pub client: ClientId,
    /// Claims of the build, as registered.
    pub build: Build,
    /// Audiences that the registration allows: `None` leaves them to the client, an empty list allows none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// Time of registration.
    pub registered_at: Moment,
    /// Time at which the build expires unless it was finished before.
    pub deadline: Moment,
    /// Time and status with which the build was finished, if it was.
    pub finished: Option<(Moment, Finish)>,
    /// Number of ID tokens issued so far.
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
