//! The events that trigger builds, under the same names for every CI server.

use serde::{Deserialize, Serialize};

/// Event that triggered a build.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumCount,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", parse_err_ty = crate::base::ParseProblem, parse_err_fn = unknown)]
pub enum Event {
    /// A user wrote a comment, usually on a pull request.
    Comment,
    /// A branch or tag was deleted. A build of this event gets no token.
    Delete,
    /// A deployment was requested.
    Deployment,
    /// A user started the build by hand.
    Manual,
    /// A merge queue tests a group of pull requests.
    MergeGroup,
    /// A pull request was opened or changed.
    PullRequest,
    /// Commits were pushed.
    Push,
    /// A release was published.
    Release,
    /// The scheduled time of the build came.
    Schedule,
    /// A tag was pushed.
    Tag,
}

impl Event {
    /// Every event, in the order in which the manual lists the events.
    pub const ALL: [Self; <Self as strum::EnumCount>::COUNT] = [
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

    /// Returns the event's name in claims and subjects.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

const fn unknown(_: &str) -> &'static str {
    "must be push, tag, pull_request, merge_group, deployment, schedule, comment, delete, release or manual"
}
