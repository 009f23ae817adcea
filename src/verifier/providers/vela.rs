//! Vela's own server, and ours with the preset `vela`. Its tokens live five minutes.

use super::{Kind, any_issuer, broken};
use crate::base::Seconds;
use crate::jose::SignatureAlgorithm;
use crate::verifier::{Claims, Refusal};

pub(super) static KIND: Kind = Kind {
    name: "vela",
    issuer: None,
    required_claims: &["org", "repo", "build_number", "event"],
    algorithms: &[SignatureAlgorithm::Rs256, SignatureAlgorithm::Es256],
    max_lifetime: Seconds::new(3_600),
    key_hosts: &[],
    token_id: "jti",
    issuer_form: any_issuer,
    rule,
};

/// `repo` is `org/name`.
fn rule(claims: &Claims) -> Result<(), Refusal> {
    let inside = |repo: &str, org: &str| repo.strip_prefix(org).is_some_and(|rest| rest.starts_with('/'));
    match (claims.text("repo"), claims.text("org")) {
        (Some(repo), Some(org)) if inside(repo, org) => Ok(()),
        _ => Err(broken(claims, "repo", "the org, a slash and a name")),
    }
}
