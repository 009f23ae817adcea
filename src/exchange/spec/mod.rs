//! Shapes of what operators write: the tables of a rules file, which are also the objects of the admin API and the stored
//! specs. Only shapes: values are checked when they are applied.

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
pub use self::rules_file::{RulesFile, RulesFileError, UserSpec, one_object, read_rules_file};
pub use self::section::Section;
