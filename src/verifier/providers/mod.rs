//! Kinds of providers: data and one small check each. A new kind is one file here and one line in [`KINDS`].

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

/// All kinds that can be configured.
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
    /// Returns the kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.into_iter().find(|kind| kind.name == name)
    }

    /// Returns the names of all kinds.
    #[must_use]
    pub fn names() -> [&'static str; KINDS.len()] {
        KINDS.map(|kind| kind.name)
    }

    /// Names of the unique claims of all kinds, `jti` first, with repetitions.
    pub(super) fn token_ids() -> impl Iterator<Item = &'static str> {
        KINDS.into_iter().map(|kind| kind.token_id)
    }

    /// The kind of our own issuer, which is never configured.
    #[must_use]
    pub(super) const fn own_issuer() -> &'static Self {
        &own_issuer::KIND
    }
}
