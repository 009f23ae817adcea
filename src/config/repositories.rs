//! `[repository."NAME".access_policy]`: access policies of a registry's repositories, in CEL. For a policy that names
//! no provider, the reader uses the only possible provider, and never guesses where several are possible.

use std::collections::BTreeMap;

use super::declare::table;
use super::describe::{Described, Key, Section, ValueKind};
use super::reader::Reader;
use crate::policy::{AccessDefault, AccessPolicy, AccessPolicyError, AccessPolicySpec, RepositoryPolicies};
use crate::toml_input::{Fault, Faults, PathStep};
use crate::verifier::Provider;

const REPOSITORIES: &str = "repository.NAME";

pub(super) const SECTION: Section = Section {
    name: "repository",
    about: "Access policies for the repositories of a registry and for forward authentication.",
    keys: &[Key::unset(
        REPOSITORIES,
        ValueKind::Table,
        "{ access_policy = { rules = [\"identity.oidc.claims.repository == 'acme/app'\"] } }",
        "Access policy of the repository NAME and of all repositories below NAME. Also written as \
         `[repository.\"NAME\".access_policy]`.",
    )],
    table: Some(PolicyKeys::TABLE),
};

/// Keys of the table `[repository."NAME"]`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RepositoryKeys {
    access_policy: PolicyKeys,
}

table! {
    /// The access policy of one repository: rules that decide about each request to the repository.
    struct PolicyKeys in "[repository.\"NAME\".access_policy]" {
        /// Decision where no rule is true: `deny`, or `allow`. With `deny` a rule that is true allows the request, and
        /// with `allow` a rule that is true denies the request.
        default: AccessDefault = "\"deny\"";
        /// Rules of the policy: conditions in CEL, in the order of evaluation.
        rules: Vec<String> = "[]";
        /// Names of the providers of the tokens that the policy accepts; `self` is this server's own issuer. If absent:
        /// the only configured provider, or the only configured provider of a kind other than `generic`.
        providers: Option<Vec<String>>;
        /// Whether the policy also accepts tokens that this server signed for untrusted builds.
        allow_untrusted: bool = "false";
    }
}

impl Described for PolicyKeys {
    const KIND: ValueKind = ValueKind::Table;
}

/// Reads `[repository]`. `providers` is `None` if the providers of the configuration are faulty: the rules are checked
/// anyway.
pub(super) fn read(reader: &mut Reader<'_>, providers: Option<&[Provider]>) -> Option<RepositoryPolicies> {
    let policies = reader.named(REPOSITORIES, |name, keys: RepositoryKeys| {
        let mut faults = Vec::new();
        if name.is_empty() || name.split('/').any(str::is_empty) {
            faults.push(Fault::from("must be the name of a repository, such as myapp or acme/app"));
        }
        let (spec, missing) = spec(keys.access_policy, providers);
        let policy = AccessPolicy::check(spec);
        let rules = policy.as_ref().err().map(|(first, more)| [first].into_iter().chain(more).map(faulty_rule));
        let in_policy = missing.into_iter().chain(rules.into_iter().flatten());
        faults.extend(in_policy.map(|fault| fault.below([PathStep::Field("access_policy".to_owned())])));
        match policy {
            Ok(policy) if faults.is_empty() => Ok((name.to_owned(), policy)),
            _ => Err(Faults(faults)),
        }
    })?;
    Some(RepositoryPolicies::new(policies.into_iter().collect::<BTreeMap<_, _>>()))
}

fn faulty_rule(error: &AccessPolicyError) -> Fault {
    Fault::from(error.error.to_string())
        .below([PathStep::Field("rules".to_owned()), PathStep::Item(error.rule.saturating_sub(1))])
}

/// Returns the access policy as written, and the fault in its list of providers, if any. A policy with such a fault is
/// checked for further faults and never used.
fn spec(keys: PolicyKeys, providers: Option<&[Provider]>) -> (AccessPolicySpec, Option<Fault>) {
    let (providers, fault) = match (keys.providers, providers) {
        (Some(named), _) if named.is_empty() => {
            let fault = Fault::from("must name at least one provider").below([PathStep::Field("providers".to_owned())]);
            (named, Some(fault))
        }
        // A name without a configured provider may be the name of a provider in the database.
        (Some(named), _) => (named, None),
        (None, None) => (Vec::new(), None),
        (None, Some(known)) => match only_provider(known) {
            Ok(only) => (vec![only], None),
            Err(fault) => (Vec::new(), Some(fault)),
        },
    };
    let PolicyKeys { default, rules, allow_untrusted, .. } = keys;
    (AccessPolicySpec { default, rules, providers, allow_untrusted }, fault)
}

/// Returns the provider for a policy that names no provider: the only configured provider, or the only configured
/// provider of a kind other than `generic`.
fn only_provider(providers: &[Provider]) -> Result<String, Fault> {
    let specific: Vec<&Provider> = providers.iter().filter(|provider| provider.kind() != "generic").collect();
    match (providers, specific.as_slice()) {
        ([one], _) => Ok(one.name().to_owned()),
        (_, [one]) => Ok(one.name().to_owned()),
        _ => {
            let names = providers.iter().map(Provider::name).chain(["self"]).collect::<Vec<_>>().join(", ");
            Err(format!("must name the providers that the policy applies to: providers = […], of {names}").into())
        }
    }
}
