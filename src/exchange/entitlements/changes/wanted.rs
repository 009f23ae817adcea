//! The entitlements of a roles file, each with the one text that stands for it.

use std::collections::HashMap;

use serde::Serialize;

use super::plan::fault;
use super::{RuleError, Section};
use crate::base::FieldError;
use crate::exchange::entitlements::publisher_name;
use crate::exchange::spec::{RulesFile, TrustPolicySpec};
use crate::store::EntitlementKind;
use crate::verifier::Provider;

/// An entitlement as it is wanted.
pub(super) struct Wanted {
    pub(super) kind: EntitlementKind,
    pub(super) name: String,
    pub(super) user: Option<String>,
    pub(super) provider: String,
    pub(super) spec: String,
}

/// What was written, as it is stored: one text for one meaning.
pub(super) fn rendered<T: Serialize>(spec: &T) -> String {
    // Our own shapes to memory; a text that could not be read back would give nothing.
    serde_json::to_string(spec).unwrap_or_default()
}

/// Every entitlement of a file, in its order.
pub(super) fn wanted(file: &RulesFile, named: &HashMap<&str, &Provider>) -> Result<Vec<Wanted>, RuleError> {
    let mut all = Vec::new();
    for role in &file.rubygems.roles {
        all.push(Wanted {
            kind: EntitlementKind::Role,
            name: role.name.clone(),
            user: Some(role.user.clone()),
            provider: role.provider.clone(),
            spec: rendered(role),
        });
    }
    for publisher in &file.rubygems.trusted_publishers {
        all.push(Wanted {
            kind: EntitlementKind::Publisher,
            name: publisher_name(publisher),
            user: Some(publisher.user.clone()),
            provider: publisher.provider.clone(),
            spec: rendered(publisher),
        });
    }
    for policy in &file.nuget.trust_policies {
        let provider = provider_of(policy, named)
            .map_err(|error| fault(Section::TrustPolicies, &policy.name, error.to_string()))?;
        let mut policy = policy.clone();
        policy.provider = Some(provider.clone());
        all.push(Wanted {
            kind: EntitlementKind::TrustPolicy,
            name: policy.name.clone(),
            user: Some(policy.user.clone()),
            provider,
            spec: rendered(&policy),
        });
    }
    for grant in &file.grants {
        all.push(Wanted {
            kind: EntitlementKind::Grant,
            name: grant.name.clone(),
            user: None,
            provider: grant.provider.clone(),
            spec: rendered(grant),
        });
    }
    Ok(all)
}

/// The provider that a trust policy is for: the one that it names, our own for `vela`, else the only one of its kind.
fn provider_of(policy: &TrustPolicySpec, named: &HashMap<&str, &Provider>) -> Result<String, FieldError> {
    if let Some(provider) = &policy.provider {
        return Ok(provider.clone());
    }
    if policy.kind == "vela" {
        return Ok("self".to_owned());
    }
    let mut of_kind: Vec<&str> =
        named.values().filter(|provider| provider.kind() == policy.kind).map(|provider| provider.name()).collect();
    of_kind.sort_unstable();
    match of_kind.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(FieldError::new("kind", format!("there is no provider of kind {:?}", policy.kind))),
        several => Err(FieldError::new("provider", format!("is missing; choose of {}", several.join(", ")))),
    }
}
