//! The provider kind for service accounts of a Kubernetes cluster. The issuer is often at a private address and
//! requires a bearer token.

use super::kind::{ProviderKind, any_issuer, rejected};
use crate::base::Seconds;
use crate::jose::SignatureAlgorithm;
use crate::verifier::{Claims, TokenRefusal};

pub(super) static KIND: ProviderKind = ProviderKind {
    name: "kubernetes",
    issuer: None,
    required_claims: &["kubernetes.io"],
    algorithms: &SignatureAlgorithm::ALL,
    max_lifetime: Seconds::new(24 * 3_600),
    key_hosts: &[],
    token_id: "jti",
    issuer_form: any_issuer,
    check,
};

/// Checks that `sub` names a service account.
fn check(claims: &Claims) -> Result<(), TokenRefusal> {
    let account = claims.subject().and_then(|subject| subject.strip_prefix("system:serviceaccount:"));
    match account.and_then(|account| account.split_once(':')) {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => Ok(()),
        _ => Err(rejected(claims, "sub", "system:serviceaccount:NAMESPACE:NAME")),
    }
}
