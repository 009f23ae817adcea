//! The provider kind for GitLab CI. Set `issuer` for a self-managed instance. GitLab's tokens are valid for as long as
//! the job may run.

use super::kind::{ProviderKind, RS256, any_issuer, rejected};
use crate::base::Seconds;
use crate::verifier::{Claims, TokenRefusal};

pub(super) static KIND: ProviderKind = ProviderKind {
    name: "gitlab",
    issuer: Some("https://gitlab.com"),
    required_claims: &["project_path", "namespace_path", "project_id", "namespace_id"],
    algorithms: RS256,
    max_lifetime: Seconds::new(24 * 3_600),
    key_hosts: &[],
    token_id: "jti",
    issuer_form: any_issuer,
    check,
};

/// Checks that `project_path` is a path within `namespace_path`.
fn check(claims: &Claims) -> Result<(), TokenRefusal> {
    let inside = |path: &str, namespace: &str| path.strip_prefix(namespace).is_some_and(|rest| rest.starts_with('/'));
    match (claims.text("project_path"), claims.text("namespace_path")) {
        (Some(path), Some(namespace)) if inside(path, namespace) => Ok(()),
        _ => Err(rejected(claims, "project_path", "a path within namespace_path")),
    }
}
