//! Changes of what tokens may be exchanged for: what is applied, and what that does.

mod apply;
mod change_set;
mod pin;
mod plan;
mod wanted;

pub use self::apply::{Applied, ApplyRulesError, RulesEditor};
pub use self::change_set::{Change, ChangeKind, ChangeSet, Precondition, Prune, RuleError, Section};
