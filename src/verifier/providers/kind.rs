//! The type of a provider kind, and what several kinds share.

use crate::base::Seconds;
use crate::jose::SignatureAlgorithm;
use crate::verifier::{Claims, TokenRefusal};

/// A kind of provider: the defaults and checks that all providers of the kind share.
#[derive(Debug)]
pub struct ProviderKind {
    /// Name of the kind in the configuration.
    pub name: &'static str,
    /// Default issuer, if the kind has one.
    pub(in crate::verifier) issuer: Option<&'static str>,
    /// Claims that every token must have by default.
    pub(in crate::verifier) required_claims: &'static [&'static str],
    /// Algorithms that its tokens may use by default.
    pub(in crate::verifier) algorithms: &'static [SignatureAlgorithm],
    /// Default for the longest lifetime of its tokens.
    pub(in crate::verifier) max_lifetime: Seconds,
    /// Hosts that may serve its keys, besides the issuer's.
    pub(in crate::verifier) key_hosts: &'static [&'static str],
    /// Name of the claim that is unique to each of its tokens.
    pub token_id: &'static str,
    /// Checks the form of an issuer of this kind.
    pub(in crate::verifier) issuer_form: fn(&str) -> Result<(), &'static str>,
    /// Checks the claims of a token of this kind, beyond the required claims.
    pub(in crate::verifier) check: fn(&Claims) -> Result<(), TokenRefusal>,
}

/// Accepts every issuer.
pub(super) const fn any_issuer(_: &str) -> Result<(), &'static str> {
    Ok(())
}

/// Accepts every token.
pub(super) const fn any_token(_: &Claims) -> Result<(), TokenRefusal> {
    Ok(())
}

/// Returns the refusal of a claim that fails the check of its kind.
pub(super) fn rejected(claims: &Claims, claim: &'static str, expected: &str) -> TokenRefusal {
    let actual = claims.all().get(claim).map_or_else(|| "none".to_owned(), ToString::to_string);
    TokenRefusal::ProviderRule { claim, expected: expected.to_owned(), actual }
}

pub(super) const RS256: &[SignatureAlgorithm] = &[SignatureAlgorithm::Rs256];
