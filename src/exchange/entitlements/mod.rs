//! Entitlements, that is roles, trusted publishers, trust policies and grants: checking and compiling the specs that
//! operators write, and the acts that change entitlements.

mod audiences;
mod cache;
mod changes;
mod entitlement;
mod fields;
mod grant;
mod publisher;
mod role;
mod snapshot;
mod trust_policy;
mod views;

pub(crate) use self::audiences::check_audiences;
pub use self::audiences::{AudienceConflict, AudienceOwner};
pub use self::cache::{RulesCache, RulesCacheParts};
pub(crate) use self::changes::RulesText;
pub use self::changes::{
    Applied, ApplyRulesError, Change, ChangeKind, ChangeSet, ObjectError, Precondition, Prune, RuleError, RuleErrors,
    RulesEditor, RulesFault, RulesFaults, read_rules_file,
};
pub(super) use self::entitlement::{Compiled, SharedEntitlement};
pub(super) use self::grant::CompiledGrant;
pub(super) use self::publisher::CompiledPublisher;
pub(super) use self::role::CompiledRole;
pub(super) use self::snapshot::{ProviderEntry, RulesSnapshot};
pub(super) use self::trust_policy::CompiledTrustPolicy;
pub use self::views::Object;
pub(crate) use self::views::{credential_view, has_same_identity, remove_view_members};
