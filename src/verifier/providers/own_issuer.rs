//! The provider kind for our own issuer. The keys come from our keyring and never from the network.

use super::kind::{ProviderKind, any_issuer, any_token};
use crate::base::Seconds;
use crate::jose::SignatureAlgorithm;

pub(super) static KIND: ProviderKind = ProviderKind {
    name: "self",
    issuer: None,
    required_claims: &["sub", "jti"],
    algorithms: &[SignatureAlgorithm::Rs256, SignatureAlgorithm::Es256],
    max_lifetime: Seconds::new(24 * 3_600),
    key_hosts: &[],
    token_id: "jti",
    issuer_form: any_issuer,
    check: any_token,
};
