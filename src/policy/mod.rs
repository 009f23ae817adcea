//! Decides which build may have which token, and what a verified token allows. This module has no clock, no store and
//! no HTTP.

mod access;
mod cel;
mod client;
mod condition;
mod criteria;
mod decision;
mod facts;
mod issuance;
mod repositories;
mod rule;
mod statements;

pub use self::access::{AccessDefault, AccessDenied, AccessPolicy, AccessPolicyError, AccessPolicySpec, AccessRequest};
pub use self::cel::{CelError, CelFailure, Fact, Facts, Names, Program};
pub use self::client::{Client, ClientIdentity, OrganizationPattern, Scope, client_name, ids_name};
pub use self::condition::{GrantCondition, GrantRequest, RulePart};
pub use self::criteria::{
    BuildCriteria, BuildFacts, Criteria, EntraCriteria, GithubCriteria, GitlabCriteria, Matched, PINNING_PERIOD, Pins,
    Unmatched, workflow_file,
};
pub use self::decision::{AudienceDenied, Denied, Grant, IssuanceRequest};
pub use self::issuance::{DefaultGrant, IssuancePolicy};
pub use self::repositories::{RepositoryPolicies, registry_actions};
pub use self::rule::{IssuanceRuleError, RuleSpec};
pub use self::statements::{
    ConditionResult, ConditionSpec, PrincipalSpec, StatementSpec, Statements, StatementsDenied, StatementsSpec,
};
