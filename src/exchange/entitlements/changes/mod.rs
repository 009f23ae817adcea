//! Changes to users, providers and entitlements: planned, checked and applied in one transaction.

mod apply;
mod change_set;
mod objects;
mod pin;
mod plan;
mod planned_parties;
mod rules_text;
mod wanted;

pub use self::apply::{Applied, ApplyRulesError, RulesEditor};
pub use self::change_set::{Change, ChangeKind, ChangeSet, Precondition, Prune, RuleError, RuleErrors};
pub use self::objects::ObjectError;
pub(crate) use self::rules_text::RulesText;
pub use self::rules_text::{RulesFault, RulesFaults, read_rules_file};
