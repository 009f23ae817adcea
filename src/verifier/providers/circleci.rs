//! The provider kind for CircleCI. Each organisation has an issuer of its own. CircleCI's tokens have no `jti` and no
//! `nbf`, and are valid for an hour.

use super::kind::{ProviderKind, RS256, rejected};
use crate::base::Seconds;
use crate::verifier::{Claims, TokenRefusal};

pub(super) static KIND: ProviderKind = ProviderKind {
    name: "circleci",
    issuer: None,
    required_claims: &["oidc.circleci.com/project-id"],
    algorithms: RS256,
    max_lifetime: Seconds::new(3_600),
    key_hosts: &[],
    token_id: "jti",
    issuer_form,
    check,
};

fn issuer_form(issuer: &str) -> Result<(), &'static str> {
    let organization = issuer.rsplit_once("/org/").map(|(_, organization)| organization);
    match organization {
        Some(organization) if !organization.is_empty() && !organization.contains('/') => Ok(()),
        _ => Err("must end in /org/ and the organisation's id, as https://oidc.circleci.com/org/ID"),
    }
}

/// Rejects a token of a job that was rerun with SSH, because a person can log in to such a job.
fn check(claims: &Claims) -> Result<(), TokenRefusal> {
    const RERUN: &str = "oidc.circleci.com/ssh-rerun";
    match claims.all().get(RERUN) {
        None | Some(serde_json::Value::Bool(false)) => Ok(()),
        Some(_) => Err(rejected(claims, RERUN, "false")),
    }
}
