//! The provider kind for Vela's own server, and for buildpass with the preset `vela`. The tokens are valid for five
//! minutes. Tokens of Vela's own server name the organisation in `repo` only.

use super::kind::{ProviderKind, any_issuer, rejected};
use crate::base::Seconds;
use crate::jose::SignatureAlgorithm;
use crate::verifier::{Claims, TokenRefusal};

pub(super) static KIND: ProviderKind = ProviderKind {
    name: "vela",
    issuer: None,
    required_claims: &["repo", "build_number", "event"],
    algorithms: &[SignatureAlgorithm::Rs256, SignatureAlgorithm::Es256],
    max_lifetime: Seconds::new(3_600),
    key_hosts: &[],
    token_id: "jti",
    issuer_form: any_issuer,
    check,
};

/// Checks that `repo` is `org/name`, and that the organisation equals `org`, if present.
fn check(claims: &Claims) -> Result<(), TokenRefusal> {
    let named = claims.text("repo").and_then(|repo| repo.rsplit_once('/')).map(|(org, _)| org);
    let same = |org: &str| claims.all().get("org").is_none_or(|stated| stated == org);
    if named.is_some_and(|org| !org.is_empty() && same(org)) {
        return Ok(());
    }
    Err(rejected(claims, "repo", "org/name, with the org in org"))
}
