//! Changes to users, providers and entitlements: planned, checked and applied in one transaction.

mod apply;
mod change_set;
mod objects;
mod pin;
mod plan;
mod wanted;

pub use self::apply::{Applied, ApplyRulesError, RulesEditor};
pub use self::change_set::{Change, ChangeKind, ChangeSet, Precondition, Prune, RuleError};
pub use self::objects::ObjectError;
