//! A rule is refused at load, or evaluates within the stack and time limits for any claims. The input is the rule, a NUL
//! and the claims.

use buildpass::policy::{AccessPolicy, AccessPolicySpec, AccessRequest};
use serde_json::Map;

pub(crate) fn run(data: &[u8]) {
    let (rule, claims) = match data.iter().position(|byte| *byte == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &b"{}"[..]),
    };
    let Ok(rule) = std::str::from_utf8(rule) else { return };
    let spec = AccessPolicySpec {
        rules: vec![rule.to_owned()],
        providers: vec!["p".to_owned()],
        ..AccessPolicySpec::default()
    };
    let Ok(policy) = AccessPolicy::new(spec) else { return };
    let claims: Map<_, _> = serde_json::from_slice(claims).unwrap_or_default();
    let request =
        AccessRequest { provider: "p", claims: &claims, untrusted: false, action: "get-blob", repository: "acme/app" };
    let allowed = policy.decide(&request).is_ok();
    let parts = policy.explain(&request);
    // A conjunction is true if all its parts are.
    assert_eq!(allowed, parts.iter().all(|part| part.answer == Ok(true)), "{rule}");
}
