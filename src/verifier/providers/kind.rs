//! The type of a provider kind, and the functions that several provider kinds share.

use crate::base::Seconds;
use crate::jose::SignatureAlgorithm;
use crate::verifier::{Claims, TokenRefusal};

/// A kind of provider, such as `github`: the defaults and the check that all providers of the kind share.
#[derive(Debug)]
pub struct ProviderKind {
    /// Name of the provider kind in the configuration.
    pub name: &'static str,
    /// Default issuer of a provider of the kind; `None` if the configuration must name the issuer.
    pub(in crate::verifier) issuer: Option<&'static str>,
    /// Names of the claims that every token of the kind must have by default.
    pub(in crate::verifier) required_claims: &'static [&'static str],
    /// Signature algorithms that tokens of the kind may have by default.
    pub(in crate::verifier) algorithms: &'static [SignatureAlgorithm],
    /// Default of the maximum lifetime of tokens of the kind.
    pub(in crate::verifier) max_lifetime: Seconds,
    /// Hosts, besides the issuer's host, that may serve the provider's key set by default.
    pub(in crate::verifier) key_hosts: &'static [&'static str],
    /// Name of the claim that is unique to each token of the kind.
    pub token_id: &'static str,
    /// Checks the form of the issuer's URL.
    pub(in crate::verifier) issuer_form: fn(&str) -> Result<(), &'static str>,
    /// Checks the claims of a token of the kind, after the check that the required claims are present.
    pub(in crate::verifier) check: fn(&Claims) -> Result<(), TokenRefusal>,
}

/// Accepts every issuer's URL; for kinds whose issuers have no special form.
pub(super) const fn any_issuer(_: &str) -> Result<(), &'static str> {
    Ok(())
}

/// Accepts the claims of every token; for kinds without a check of claims.
pub(super) const fn any_token(_: &Claims) -> Result<(), TokenRefusal> {
    Ok(())
}

/// Returns the refusal of a token with a claim that fails the check of the provider's kind.
pub(super) fn rejected(claims: &Claims, claim: &'static str, expected: &str) -> TokenRefusal {
    let actual = claims.all().get(claim).map_or_else(|| "none".to_owned(), ToString::to_string);
    TokenRefusal::ProviderRule { claim, expected: expected.to_owned(), actual }
}

pub(super) const RS256: &[SignatureAlgorithm] = &[SignatureAlgorithm::Rs256];
