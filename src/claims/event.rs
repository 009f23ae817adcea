//! The events that set builds off, in one vocabulary for every CI.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What set a build off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A comment, usually on a pull request.
    Comment,
    /// A branch or tag was deleted; gets no token.
    Delete,
    /// A deployment.
    Deployment,
    /// Somebody started it by hand.
    Manual,
    /// A merge queue's trial.
    MergeGroup,
    /// A pull request.
    PullRequest,
    /// Commits were pushed.
    Push,
    /// A release was published.
    Release,
    /// A timer.
    Schedule,
    /// A tag was pushed.
    Tag,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 10] = [
        Self::Push,
        Self::Tag,
        Self::PullRequest,
        Self::MergeGroup,
        Self::Deployment,
        Self::Schedule,
        Self::Comment,
        Self::Delete,
        Self::Release,
        Self::Manual,
    ];

    /// The event as claims and subjects write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Delete => "delete",
            Self::Deployment => "deployment",
            Self::Manual => "manual",
            Self::MergeGroup => "merge_group",
            Self::PullRequest => "pull_request",
            Self::Push => "push",
            Self::Release => "release",
            Self::Schedule => "schedule",
            Self::Tag => "tag",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Event {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|known| known.name() == text).ok_or(
            "must be push, tag, pull_request, merge_group, deployment, schedule, comment, delete, release or manual",
        )
    }
}
