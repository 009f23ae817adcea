//! Buildkite. Its tokens have no `jti`; how long they live, the job says.

use super::kind::{ProviderKind, RS256, any_issuer, broken};
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
    rule,
};

/// Both slugs are strings that say something.
fn rule(claims: &Claims) -> Result<(), TokenRefusal> {
    for claim in ["organization_slug", "pipeline_slug"] {
        if claims.text(claim).is_none_or(str::is_empty) {
            return Err(broken(claims, claim, "a slug"));
        }
    }
    Ok(())
}
