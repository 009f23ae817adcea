//! The kinds of providers: data, and one small rule each. A new kind is one file here and one line in [`KINDS`].

mod buildkite;
mod circleci;
mod entra;
mod generic;
mod github;
mod gitlab;
mod google;
mod kubernetes;
mod own_issuer;
mod vela;

use super::{Claims, TokenRefusal};
use crate::base::Seconds;
use crate::jose::SignatureAlgorithm;

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

/// What all providers of a kind have in common.
#[derive(Debug)]
pub struct ProviderKind {
    /// What the configuration calls it.
    pub name: &'static str,
    /// The issuer, where there is but one.
    pub(super) issuer: Option<&'static str>,
    /// Claims without which no token says anything about its build.
    pub(super) required_claims: &'static [&'static str],
    /// Algorithms that it uses.
    pub(super) algorithms: &'static [SignatureAlgorithm],
    /// The longest that its tokens live.
    pub(super) max_lifetime: Seconds,
    /// Hosts other than the issuer's that serve its keys.
    pub(super) key_hosts: &'static [&'static str],
    /// The claim that no two of its tokens share.
    pub token_id: &'static str,
    /// What every issuer of this kind looks like.
    pub(super) issuer_form: fn(&str) -> Result<(), &'static str>,
    /// What every token of this kind looks like, beyond its required claims.
    pub(super) rule: fn(&Claims) -> Result<(), TokenRefusal>,
}

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

/// Any issuer will do.
const fn any_issuer(_: &str) -> Result<(), &'static str> {
    Ok(())
}

/// Any token will do.
const fn any_token(_: &Claims) -> Result<(), TokenRefusal> {
    Ok(())
}

/// The refusal of a claim that breaks a kind's rule.
fn broken(claims: &Claims, claim: &'static str, expected: &str) -> TokenRefusal {
    let actual = claims.all().get(claim).map_or_else(|| "none".to_owned(), ToString::to_string);
    TokenRefusal::ProviderRule { claim, expected: expected.to_owned(), actual }
}

const RS256: &[SignatureAlgorithm] = &[SignatureAlgorithm::Rs256];
