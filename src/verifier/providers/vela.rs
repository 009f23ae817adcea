//! Vela's own server, and ours with the preset `vela`. Its tokens live five minutes; those of Vela itself name the
//! organisation in `repo` alone.

use super::kind::{ProviderKind, any_issuer, broken};
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
    rule,
};

/// `repo` is `org/name`; `org`, where it is there, is that organisation.
fn rule(claims: &Claims) -> Result<(), TokenRefusal> {
    let named = claims.text("repo").and_then(|repo| repo.rsplit_once('/')).map(|(org, _)| org);
    let same = |org: &str| claims.all().get("org").is_none_or(|told| told == org);
    if named.is_some_and(|org| !org.is_empty() && same(org)) {
        return Ok(());
    }
    Err(broken(claims, "repo", "the org, a slash and a name"))
}
