//! The kinds of providers: data, and one small rule each. A new kind is one file here and one line in [`KINDS`].

mod buildkite;
mod circleci;
mod entra;
mod generic;
mod github;
mod gitlab;
mod google;
mod kind;
mod kubernetes;
mod own_issuer;
mod vela;

pub use self::kind::ProviderKind;

/// Every kind that can be configured.
const KINDS: [&ProviderKind; 9] = [
    &generic::KIND,
    &github::KIND,
    &gitlab::KIND,
    &vela::KIND,
    &buildkite::KIND,
    &circleci::KIND,
    &kubernetes::KIND,
    &entra::KIND,
    &google::KIND,
];

impl ProviderKind {
    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.into_iter().find(|kind| kind.name == name)
    }

    /// Every name.
    #[must_use]
    pub fn names() -> [&'static str; KINDS.len()] {
        KINDS.map(|kind| kind.name)
    }

    /// The claims by which kinds tell their tokens apart; the most common first, and some more than once.
    pub(super) fn token_ids() -> impl Iterator<Item = &'static str> {
        KINDS.into_iter().map(|kind| kind.token_id)
    }

    /// Our own issuer: always there, never configured.
    #[must_use]
    pub(super) const fn own_issuer() -> &'static Self {
        &own_issuer::KIND
    }
}
