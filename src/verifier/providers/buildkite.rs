//! The provider kind for Buildkite. Buildkite's tokens have no `jti`, and each job sets the lifetime of the job's
//! tokens.

use super::kind::{ProviderKind, RS256, any_issuer, rejected};
use crate::base::Seconds;
use crate::verifier::{Claims, TokenRefusal};

pub(super) static KIND: ProviderKind = ProviderKind {
    name: "buildkite",
    issuer: Some("https://agent.buildkite.com"),
    required_claims: &["organization_slug", "pipeline_slug"],
    algorithms: RS256,
    max_lifetime: Seconds::new(3_600),
    key_hosts: &[],
    token_id: "jti",
    issuer_form: any_issuer,
    check,
};

/// Checks that `organization_slug` and `pipeline_slug` are strings that are not empty.
fn check(claims: &Claims) -> Result<(), TokenRefusal> {
    for claim in ["organization_slug", "pipeline_slug"] {
        if claims.text(claim).is_none_or(str::is_empty) {
            return Err(rejected(claims, claim, "a slug"));
        }
    }
    Ok(())
}
