//! Shapes of the tables that operators write in a rules file. Objects of the admin API and stored specs have the same
//! shapes. These types check no values: applying an object checks the object's values.

mod flag;
mod grant;
mod nuget;
mod provider;
mod rubygems;
mod rules_file;
mod section;

pub use self::grant::{GivenToken, GrantSpec};
pub use self::nuget::{NugetSection, TrustPolicySpec};
pub use self::provider::NamedProviderSpec;
pub use self::rubygems::{Permissions, PublisherSpec, RoleSpec, RubygemsSection};
pub(crate) use self::rules_file::one_object;
pub use self::rules_file::{RulesFile, UserSpec};
pub use self::section::Section;
