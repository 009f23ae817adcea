//! The access policies of a registry, by repository, and the actions of a registry's scopes. Only the policy of the
//! longest matching name decides: if `acme/app` has a policy, the policy of `acme` does not count there.

use std::collections::BTreeMap;

use super::access::{AccessDenied, AccessPolicy, AccessRequest};

/// Access policies by the name of a repository. Each policy applies to the repository and to all repositories below
/// that name.
#[derive(Debug, Default)]
pub struct RepositoryPolicies(BTreeMap<String, AccessPolicy>);

impl RepositoryPolicies {
    /// Creates the table from access policies by the name of a repository.
    #[must_use]
    pub const fn new(policies: BTreeMap<String, AccessPolicy>) -> Self {
        Self(policies)
    }

    /// Returns the access policy that decides for `repository`, which is the policy of the longest matching name.
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

    /// Returns every pair of a repository and a provider that the repository's policy accepts, by their names.
    pub fn providers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(repository, policy)| policy.providers().map(move |name| (repository.as_str(), name)))
    }

    /// Decides a request by the access policy of the requested repository.
    ///
    /// # Errors
    /// [`AccessDenied`] if the policy denies the request, [`AccessDenied::NoPolicy`] if no policy applies to the
    /// repository.
    pub fn decide(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        self.of(request.repository).ok_or(AccessDenied::NoPolicy)?.decide(request)
    }
}

/// Returns the actions that a policy must allow before a client gets the scope: `get-manifest` and `get-blob` for
/// `pull`. Empty for scopes other than `pull`, `push` and `delete`.
#[must_use]
pub fn registry_actions(scope: &str) -> &'static [&'static str] {
    match scope {
        "pull" => &["get-manifest", "get-blob"],
        "push" => &["put-manifest", "put-blob"],
        "delete" => &["delete-manifest", "delete-blob"],
        _ => &[],
    }
}
