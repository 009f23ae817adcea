//! The access policies of a registry by repository, and the actions of a scope. The longest matching name decides alone:
//! a policy never adds to that of an enclosing name.

use std::collections::BTreeMap;

use super::access::{AccessDenied, AccessPolicy, AccessRequest};

/// Access policies by repository name. Each applies to that repository and to all below it.
#[derive(Debug, Default)]
pub struct RepositoryPolicies(BTreeMap<String, AccessPolicy>);

impl RepositoryPolicies {
    /// Creates the table from policies by repository name.
    #[must_use]
    pub const fn new(policies: BTreeMap<String, AccessPolicy>) -> Self {
        Self(policies)
    }

    /// Returns the policy that decides for this repository: that of the longest matching name.
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

    /// Returns every pair of a repository name and a provider that its policy accepts.
    pub fn providers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(repository, policy)| policy.providers().map(move |name| (repository.as_str(), name)))
    }

    /// Decides a request by the policy of its repository.
    ///
    /// # Errors
    /// [`AccessDenied`] if the policy denies the request, [`AccessDenied::NoPolicy`] if no policy matches.
    pub fn decide(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        self.of(request.repository).ok_or(AccessDenied::NoPolicy)?.decide(request)
    }
}

/// Returns the actions of a registry's scope, each of which must be allowed. Empty for an unknown scope.
#[must_use]
pub fn registry_actions(scope: &str) -> &'static [&'static str] {
    match scope {
        "pull" => &["get-manifest", "get-blob"],
        "push" => &["put-manifest", "put-blob"],
        "delete" => &["delete-manifest", "delete-blob"],
        _ => &[],
    }
}
