//! The provider kind for service principals of one tenant of Microsoft Entra. The issuer's URL names the tenant, so
//! that no other tenant's token passes.

use super::kind::{ProviderKind, RS256, rejected};
use crate::base::Seconds;
use crate::verifier::{Claims, TokenRefusal};

pub(super) static KIND: ProviderKind = ProviderKind {
    name: "entra",
    issuer: None,
    required_claims: &["tid", "oid"],
    algorithms: RS256,
    max_lifetime: Seconds::new(24 * 3_600),
    key_hosts: &[],
    token_id: "uti",
    issuer_form,
    check,
};

/// Returns the tenant that an issuer's URL names.
fn tenant(issuer: &str) -> Option<&str> {
    let (before, tenant) = issuer.strip_suffix("/v2.0")?.rsplit_once('/')?;
    let host_alone = before.strip_prefix("https://").or(before.strip_prefix("http://"));
    (host_alone.is_some_and(|host| !host.contains('/')) && !tenant.is_empty()).then_some(tenant)
}

fn issuer_form(issuer: &str) -> Result<(), &'static str> {
    match tenant(issuer) {
        Some("common" | "organizations" | "consumers") | None => {
            Err("must name one tenant, as https://login.microsoftonline.com/TENANT/v2.0")
        }
        Some(_) => Ok(()),
    }
}

/// Checks that `ver` is 2.0 and that `tid` is the tenant that the token's issuer names.
fn check(claims: &Claims) -> Result<(), TokenRefusal> {
    if claims.text("ver") != Some("2.0") {
        return Err(rejected(claims, "ver", "2.0"));
    }
    let same = |tid: &str| tenant(claims.issuer()).is_some_and(|tenant| tenant.eq_ignore_ascii_case(tid));
    if claims.text("tid").is_some_and(same) { Ok(()) } else { Err(rejected(claims, "tid", "the tenant in iss")) }
}
