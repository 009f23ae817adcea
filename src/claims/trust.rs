//! Decides whether a repository had already accepted the code that a build runs. Never trusts the CI's own word for it.

use super::event::Event;

/// Where the code comes from, as the CI reports it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Provenance<'a> {
    pub(super) event: Event,
    pub(super) git_ref: &'a str,
    pub(super) fork: Option<bool>,
    pub(super) head_repo_id: Option<&'a str>,
    pub(super) repo_id: Option<&'a str>,
    /// The CI's own `trusted`: `false` always counts; comments and merge queues require `true`.
    pub(super) declared: Option<bool>,
}

/// Whether the code is trusted. Anything missing or unknown makes it untrusted.
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
