//! The kinds of providers, each with defaults and one small check. A new kind is one new file here and one line in
//! [`KINDS`].

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

/// All kinds of providers that the configuration may name.
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
    /// Returns the kind of provider with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.into_iter().find(|kind| kind.name == name)
    }

    /// Returns the names of all kinds of providers that the configuration may name.
    #[must_use]
    pub fn names() -> [&'static str; KINDS.len()] {
        KINDS.map(|kind| kind.name)
    }

    /// Returns, for each kind of provider, the name of the claim whose value differs in every token. `jti` comes first. A
    /// name may occur several times.
    pub(super) fn token_ids() -> impl Iterator<Item = &'static str> {
        KINDS.into_iter().map(|kind| kind.token_id)
    }

    /// Returns the kind of our own issuer, which the configuration cannot name.
    #[must_use]
    pub(super) const fn own_issuer() -> &'static Self {
        &own_issuer::KIND
    }
}
