//! May this token do that. Pure.

mod client;

pub use self::client::{Client, OrganizationPattern, Scope};
