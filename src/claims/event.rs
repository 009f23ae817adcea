//! The events that trigger builds, in one vocabulary for every CI.

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
    /// A comment, usually on a pull request.
    Comment,
    /// A branch or tag was deleted. Such a build gets no token.
    Delete,
    /// A deployment was requested.
    Deployment,
    /// A user started the build by hand.
    Manual,
    /// A merge queue tests a group of changes.
    MergeGroup,
    /// A pull request was opened or changed.
    PullRequest,
    /// Commits were pushed.
    Push,
    /// A release was published.
    Release,
    /// A schedule was due.
    Schedule,
    /// A tag was pushed.
    Tag,
}

impl Event {
    /// Every event, in the order of the manual.
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

    /// Returns the name of the event in claims and subjects.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

const fn unknown(_: &str) -> &'static str {
    "must be push, tag, pull_request, merge_group, deployment, schedule, comment, delete, release or manual"
}
