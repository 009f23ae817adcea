//! The provider kind for GitHub Actions. Set `issuer` for an enterprise or GitHub Enterprise Server. GitHub's tokens
//! are valid for five minutes.

use super::kind::{ProviderKind, RS256, any_issuer, rejected};
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
    check,
};

/// Checks that `repository` is `owner/name`, and that the owner equals `repository_owner`, if present.
fn check(claims: &Claims) -> Result<(), TokenRefusal> {
    let parts = claims.text("repository").and_then(|repository| repository.split_once('/'));
    let Some((owner, _)) = parts.filter(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains('/'))
    else {
        return Err(rejected(claims, "repository", "owner/name"));
    };
    match claims.all().get("repository_owner") {
        Some(stated) if stated != owner => Err(rejected(claims, "repository_owner", "the owner in repository")),
        _ => Ok(()),
    }
}
