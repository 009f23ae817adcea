//! A build as it was stored, and its state, which follows from its row and the time.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

use crate::base::{BuildId, ClientId, Moment};
use crate::claims::{AudiencePattern, Build};

/// How a build ended, as its CI said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Finish {
    /// It was stopped.
    Canceled,
    /// It failed.
    Failure,
    /// It did what it should.
    Success,
}

/// Where a build is in its life. Follows from its row and *now*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildState {
    /// Its deadline passed before anybody finished it.
    Expired,
    /// Somebody said that it ended.
    Finished,
    /// Its tokens live.
    Running,
}

/// A build as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBuild {
    /// Its id.
    pub id: BuildId,
    /// Who registered it.
    pub client: ClientId,
    /// What it is.
    pub build: Build,
    /// Audiences that the registration allows; `None` says nothing, an empty list allows none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// When it was registered.
    pub registered_at: Moment,
    /// When it dies at the latest.
    pub deadline: Moment,
    /// When and how it ended, if somebody said so.
    pub finished: Option<(Moment, Finish)>,
    /// ID tokens issued so far.
    pub tokens_issued: u64,
}

impl StoredBuild {
    /// Where it is in its life.
    #[must_use]
    pub fn state(&self, now: Moment) -> BuildState {
        match self.finished {
            Some(_) => BuildState::Finished,
            None if self.deadline <= now => BuildState::Expired,
            None => BuildState::Running,
        }
    }
}
