//! Which access policy is for which repository of a registry, and which actions a scope asks for. The longest name
//! that fits decides alone: a policy within never adds to the one around it.

use std::collections::BTreeMap;

use super::access::{AccessDenied, AccessPolicy, AccessRequest};

/// The policies of a registry, by the name of a repository: each holds for that repository and all below it.
#[derive(Debug, Default)]
pub struct RepositoryPolicies(BTreeMap<String, AccessPolicy>);

impl RepositoryPolicies {
    /// Brings policies together.
    #[must_use]
    pub const fn new(policies: BTreeMap<String, AccessPolicy>) -> Self {
        Self(policies)
    }

    /// The policy that decides about this repository.
    #[must_use]
    pub fn of(&self, repository: &str) -> Option<&AccessPolicy> {
        let mut name = repository;
        loop {
            if let Some(policy) = self.0.get(name) {
                return Some(policy);
            }
            name = name.rsplit_once('/')?.0;
        }
    }

    /// The names of all providers that a policy is for, each with the repository.
    pub fn providers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(repository, policy)| policy.providers().map(move |name| (repository.as_str(), name)))
    }

    /// Decides by the policy of the request's repository.
    ///
    /// # Errors
    /// [`AccessDenied`]; where there is no policy, [`AccessDenied::NoPolicy`].
    pub fn decide(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        self.of(request.repository).ok_or(AccessDenied::NoPolicy)?.decide(request)
    }
}

/// The actions that a registry's scope asks for, each of which must be allowed; none for an action that is unknown.
#[must_use]
pub fn registry_actions(scope: &str) -> &'static [&'static str] {
    match scope {
        "pull" => &["get-manifest", "get-blob"],
        "push" => &["put-manifest", "put-blob"],
        "delete" => &["delete-manifest", "delete-blob"],
        _ => &[],
    }
}
