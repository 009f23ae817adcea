//! Was the code that runs already accepted in the repository? Computed from what the CI said, never believed.

use super::Event;

/// What the CI said about where the code comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Provenance<'a> {
    pub(super) event: Event,
    pub(super) git_ref: &'a str,
    pub(super) fork: Option<bool>,
    pub(super) head_repo_id: Option<&'a str>,
    pub(super) repo_id: Option<&'a str>,
    /// The CI's own word: it may take trust away, and must give it where nothing else can.
    pub(super) said: Option<bool>,
}

/// Anything missing or unknown is no.
pub(super) fn is_trusted(build: &Provenance<'_>) -> bool {
    let foreign_head = build.head_repo_id.is_some_and(|head| Some(head) != build.repo_id);
    if build.said == Some(false) || build.fork == Some(true) || foreign_head {
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
        Event::Comment => own_head && !on_branch && !on_tag && build.said == Some(true),
        Event::MergeGroup => own_head && on_branch && build.said == Some(true),
        Event::Delete => false,
    }
}
