//! May this token do that. Pure.

mod access;
mod cel;
mod client;
mod decision;
mod facts;
mod issuance;
mod repositories;
mod rule;

pub use self::access::{
    AccessDefault, AccessDenied, AccessPolicy, AccessPolicyError, AccessPolicySpec, AccessRequest, RulePart,
};
pub use self::cel::{CelError, CelFailure, Fact, Facts, Names, Program};
pub use self::client::{Client, OrganizationPattern, Scope, client_name, ids_name};
pub use self::decision::{Ask, AudienceBar, Denied, Grant};
pub use self::issuance::{DefaultGrant, IssuancePolicy};
pub use self::repositories::{RepositoryPolicies, registry_actions};
pub use self::rule::{RuleError, RuleSpec};
