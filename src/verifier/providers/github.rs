//! GitHub Actions; with `issuer`, an enterprise's or GitHub Enterprise Server's. Its tokens live five minutes.

use super::kind::{ProviderKind, RS256, any_issuer, broken};
use crate::base::Seconds;
use crate::verifier::{Claims, TokenRefusal};

pub(super) static KIND: ProviderKind = ProviderKind {
    name: "github",
    issuer: Some("https://token.actions.githubusercontent.com"),
    required_claims: &["repository", "actor"],
    algorithms: RS256,
    max_lifetime: Seconds::new(15 * 60),
    key_hosts: &[],
    token_id: "jti",
    issuer_form: any_issuer,
    rule,
};

/// `repository` is `owner/name`, and its owner is `repository_owner` where that is told.
fn rule(claims: &Claims) -> Result<(), TokenRefusal> {
    let parts = claims.text("repository").and_then(|repository| repository.split_once('/'));
    let Some((owner, _)) = parts.filter(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains('/'))
    else {
        return Err(broken(claims, "repository", "owner/name"));
    };
    match claims.all().get("repository_owner") {
        Some(told) if told != owner => Err(broken(claims, "repository_owner", "the owner in repository")),
        _ => Ok(()),
    }
}
