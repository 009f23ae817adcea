//! What a kind of provider is, and what several kinds share.

use crate::base::Seconds;
use crate::jose::SignatureAlgorithm;
use crate::verifier::{Claims, TokenRefusal};

/// What all providers of a kind have in common.
#[derive(Debug)]
pub struct ProviderKind {
    /// What the configuration calls it.
    pub name: &'static str,
    /// The issuer, where there is but one.
    pub(in crate::verifier) issuer: Option<&'static str>,
    /// Claims without which no token says anything about its build.
    pub(in crate::verifier) required_claims: &'static [&'static str],
    /// Algorithms that it uses.
    pub(in crate::verifier) algorithms: &'static [SignatureAlgorithm],
    /// The longest that its tokens live.
    pub(in crate::verifier) max_lifetime: Seconds,
    /// Hosts other than the issuer's that serve its keys.
    pub(in crate::verifier) key_hosts: &'static [&'static str],
    /// The claim that no two of its tokens share.
    pub token_id: &'static str,
    /// What every issuer of this kind looks like.
    pub(in crate::verifier) issuer_form: fn(&str) -> Result<(), &'static str>,
    /// What every token of this kind looks like, beyond its required claims.
    pub(in crate::verifier) rule: fn(&Claims) -> Result<(), TokenRefusal>,
}

/// Any issuer will do.
pub(super) const fn any_issuer(_: &str) -> Result<(), &'static str> {
    Ok(())
}

/// Any token will do.
pub(super) const fn any_token(_: &Claims) -> Result<(), TokenRefusal> {
    Ok(())
}

/// The refusal of a claim that breaks a kind's rule.
pub(super) fn broken(claims: &Claims, claim: &'static str, expected: &str) -> TokenRefusal {
    let actual = claims.all().get(claim).map_or_else(|| "none".to_owned(), ToString::to_string);
    TokenRefusal::ProviderRule { claim, expected: expected.to_owned(), actual }
}

pub(super) const RS256: &[SignatureAlgorithm] = &[SignatureAlgorithm::Rs256];
