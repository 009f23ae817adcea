//! Entitlements of a rules file, each serialized as it is stored.

use std::collections::HashMap;

use serde::Serialize;

use super::change_set::RuleError;
use crate::base::FieldError;
use crate::exchange::entitlements::publisher::publisher_name;
use crate::exchange::spec::{RulesFile, Section, TrustPolicySpec};
use crate::store::EntitlementKind;
use crate::verifier::Provider;

/// An entitlement that a rules file declares, in the form in which it is stored.
pub(super) struct Wanted {
    pub(super) kind: EntitlementKind,
    pub(super) name: String,
    pub(super) user: Option<String>,
    pub(super) provider: String,
    pub(super) spec: String,
}

/// Kinds of the criteria that a trust policy may have.
const TRUST_POLICY_KINDS: [&str; 4] = ["entra", "github", "gitlab", "vela"];

/// Returns the names sorted and separated by commas, for an error text.
pub(super) fn known_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// Returns a spec as JSON text, which is stored and compared to find changes.
pub(super) fn serialized<T: Serialize>(spec: &T) -> String {
    // Specs always serialize. An empty text would not compile, so the entitlement would accept no token.
    serde_json::to_string(spec).unwrap_or_default()
}

/// Returns the entitlements of a rules file: roles, trusted publishers, trust policies, then grants, each in the file's
/// order.
pub(super) fn wanted(file: &RulesFile, named: &HashMap<&str, &Provider>, faults: &mut Vec<RuleError>) -> Vec<Wanted> {
    let mut all = Vec::new();
    for role in &file.rubygems.roles {
        all.push(Wanted {
            kind: EntitlementKind::Role,
            name: role.name.clone(),
            user: Some(role.user.clone()),
            provider: role.provider.clone(),
            spec: serialized(role),
        });
    }
    for publisher in &file.rubygems.trusted_publishers {
        all.push(Wanted {
            kind: EntitlementKind::Publisher,
            name: publisher_name(publisher),
            user: Some(publisher.user.clone()),
            provider: publisher.provider.clone(),
            spec: serialized(publisher),
        });
    }
    for policy in &file.nuget.trust_policies {
        let provider = match provider_of(policy, named) {
            Ok(provider) => provider,
            Err(error) => {
                let error = RuleError::in_field(Section::TrustPolicies, &policy.name, error);
                faults.push(error.of(Some(&policy.user)));
                continue;
            }
        };
        let mut policy = policy.clone();
        policy.provider = Some(provider.clone());
        all.push(Wanted {
            kind: EntitlementKind::TrustPolicy,
            name: policy.name.clone(),
            user: Some(policy.user.clone()),
            provider,
            spec: serialized(&policy),
        });
    }
    for grant in &file.grants {
        all.push(Wanted {
            kind: EntitlementKind::Grant,
            name: grant.name.clone(),
            user: None,
            provider: grant.provider.clone(),
            spec: serialized(grant),
        });
    }
    all
}

/// Returns the provider of a trust policy: the named one, or our own issuer for `vela`, or the only provider of the
/// kind.
fn provider_of(policy: &TrustPolicySpec, named: &HashMap<&str, &Provider>) -> Result<String, FieldError> {
    if let Some(provider) = &policy.provider {
        return Ok(provider.clone());
    }
    if !TRUST_POLICY_KINDS.contains(&policy.kind.as_str()) {
        let known = TRUST_POLICY_KINDS.join(", ");
        return Err(FieldError::new(
            "kind",
            format!("there is no kind {:?}; the known kinds are {known}", policy.kind),
        ));
    }
    if policy.kind == "vela" {
        return Ok("self".to_owned());
    }
    let mut of_kind: Vec<&str> =
        named.values().filter(|provider| provider.kind() == policy.kind).map(|provider| provider.name()).collect();
    of_kind.sort_unstable();
    match of_kind.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => {
            let known = known_names(named.keys().copied());
            let problem =
                format!("no provider is of kind {:?}: create one; the known providers are {known}", policy.kind);
            Err(FieldError::new("kind", problem))
        }
        several => Err(FieldError::new("provider", format!("is required; must be one of {}", several.join(", ")))),
    }
}
