//! `[repository."NAME".access_policy]`: who may do what in a registry, in CEL. Decides which providers' tokens a policy
//! holds for where it does not say so, and refuses to guess.

use std::collections::BTreeMap;

use super::fields::{Fault, Fields, read_named};
use super::reader::Reader;
use super::value::Value;
use crate::policy::{AccessDefault, AccessPolicy, AccessPolicySpec, RepositoryPolicies};
use crate::verifier::Provider;

/// The key under which the whole section stands.
pub(super) const REPOSITORIES: &str = "repository.NAME";

const FIELDS: [&str; 4] = ["default", "rules", "providers", "allow_untrusted"];

pub(super) fn read(reader: &mut Reader<'_>, providers: &[Provider]) -> Option<RepositoryPolicies> {
    let policies = read_named(reader, REPOSITORIES, |name, value| {
        Ok((
            name.to_owned(),
            AccessPolicy::new(spec(name, value, providers)?)
                .map_err(|error| Fault::whole(format!("access_policy: {error}")))?,
        ))
    })?;
    Some(RepositoryPolicies::new(policies.into_iter().collect::<BTreeMap<_, _>>()))
}

fn spec(name: &str, value: &Value, providers: &[Provider]) -> Result<AccessPolicySpec, Fault> {
    if name.is_empty() || name.split('/').any(str::is_empty) {
        return Err(Fault::whole("must be the name of a repository, such as myapp or acme/app".to_owned()));
    }
    let repository = Fields::read("a repository", value, &["access_policy"])?;
    let Some(policy) = repository.table("access_policy") else {
        return Err(Fault::whole("has no access_policy".to_owned()));
    };
    let fields = Fields::read("an access_policy", policy, &FIELDS)?;
    let default = fields.text("default", |text| match text {
        "allow" => Ok(AccessDefault::Allow),
        "deny" => Ok(AccessDefault::Deny),
        _ => Err("must be allow or deny".to_owned()),
    })?;
    let rules = fields.strings("rules")?.unwrap_or_default();
    let named = fields.strings("providers")?;
    Ok(AccessPolicySpec {
        default: default.unwrap_or_default(),
        rules,
        // One that is not configured may be stored.
        providers: match named {
            Some(named) if named.is_empty() => {
                return Err(Fault::whole("providers: must name one at least".to_owned()));
            }
            Some(named) => named,
            None => vec![only(providers)?],
        },
        allow_untrusted: fields.flag("allow_untrusted")?.unwrap_or_default(),
    })
}

/// The provider that a policy is for which names none: the only one there is, or the only one that is not `generic`.
fn only(providers: &[Provider]) -> Result<String, Fault> {
    let special: Vec<&Provider> = providers.iter().filter(|provider| provider.kind() != "generic").collect();
    match (providers, special.as_slice()) {
        ([one], _) => Ok(one.name().to_owned()),
        (_, [one]) => Ok(one.name().to_owned()),
        _ => Err(Fault::whole(format!("must say for whose tokens it holds: providers = […], of {}", names(providers)))),
    }
}

fn names(providers: &[Provider]) -> String {
    let configured = providers.iter().map(Provider::name);
    configured.chain(["self"]).collect::<Vec<_>>().join(", ")
}
