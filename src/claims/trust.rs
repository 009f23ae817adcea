//! Decides whether a repository had already accepted the code that a build runs. The CI server's `trusted: true` alone
//! never makes a build trusted.

use super::event::Event;

/// Origin of a build's code, as the CI server reports the origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Provenance<'a> {
    pub(super) event: Event,
    pub(super) git_ref: &'a str,
    pub(super) fork: Option<bool>,
    pub(super) head_repo_id: Option<&'a str>,
    pub(super) repo_id: Option<&'a str>,
    /// The registration's `trusted`: `false` always makes the build untrusted; builds of comments and merge queues
    /// require `true`.
    pub(super) declared: Option<bool>,
}

/// Whether the build is trusted. If a required value is missing, the build is untrusted.
pub(super) fn is_trusted(build: &Provenance<'_>) -> bool {
    let foreign_head = build.head_repo_id.is_some_and(|head| Some(head) != build.repo_id);
    if build.declared == Some(false) || build.fork == Some(true) || foreign_head {
        return false;
    }
    let on_branch = build.git_ref.starts_with("refs/heads/");
    let on_tag = build.git_ref.starts_with("refs/tags/");
    let own_head = build.fork == Some(false) && build.head_repo_id.is_some();
    match build.event {
        Event::Push | Event::Tag | Event::Schedule | Event::Deployment | Event::Release | Event::Manual => {
            on_branch || on_tag
        }
        Event::PullRequest => own_head && !on_branch && !on_tag,
        Event::Comment => own_head && !on_branch && !on_tag && build.declared == Some(true),
        Event::MergeGroup => own_head && on_branch && build.declared == Some(true),
        Event::Delete => false,
    }
}
