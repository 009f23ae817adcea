//! The provider kind for any issuer of OpenID Connect tokens. Assumes nothing about the claims of the tokens.

use super::kind::{ProviderKind, any_issuer, any_token};
use crate::base::Seconds;
use crate::jose::SignatureAlgorithm;

pub(super) static KIND: ProviderKind = ProviderKind {
    name: "generic",
    issuer: None,
    required_claims: &[],
    algorithms: &SignatureAlgorithm::ALL,
    max_lifetime: Seconds::new(24 * 3_600),
    key_hosts: &[],
    token_id: "jti",
    issuer_form: any_issuer,
    check: any_token,
};
