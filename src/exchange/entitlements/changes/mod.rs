//! Changes of what tokens may be traded for: what is brought in, and what that does.

mod change;
mod learning;
mod planner;
mod wanted;

pub use self::change::{Bring, Change, ChangeKind, Expect, Prune, RuleError, Section};
pub(super) use self::planner::{Makers, Plan, Planner};
