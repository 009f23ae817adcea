//! May this token do that. Pure.

mod cel;
mod client;
mod facts;
mod issuance;
mod rule;

pub use self::cel::{CelError, CelFailure, Fact, Facts, Names, Program};
pub use self::client::{Client, OrganizationPattern, Scope};
pub use self::issuance::{Ask, AudienceBar, DefaultGrant, Denied, Grant, IssuancePolicy};
pub use self::rule::{RuleError, RuleSpec};
