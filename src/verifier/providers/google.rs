//! The provider kind for ID tokens of Google's service accounts. Google serves the keys on another host than the
//! issuer's.

use serde_json::Value;

use super::kind::{ProviderKind, RS256, any_issuer, rejected};
use crate::base::Seconds;
use crate::verifier::{Claims, TokenRefusal};

pub(super) static KIND: ProviderKind = ProviderKind {
    name: "google",
    issuer: Some("https://accounts.google.com"),
    required_claims: &["sub"],
    algorithms: RS256,
    max_lifetime: Seconds::new(3_600),
    key_hosts: &["www.googleapis.com"],
    token_id: "jti",
    issuer_form: any_issuer,
    check,
};

/// Rejects a token with an `email` that Google has not verified.
fn check(claims: &Claims) -> Result<(), TokenRefusal> {
    let verified = claims.all().get("email_verified") == Some(&Value::Bool(true));
    if verified || !claims.all().contains_key("email") {
        Ok(())
    } else {
        Err(rejected(claims, "email_verified", "true, since there is an email"))
    }
}
