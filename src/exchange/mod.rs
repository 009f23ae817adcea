//! Exchange of subject tokens (RFC 8693) for credentials with short lifetimes. The HTTP dialects, one for each
//! protocol, parse requests and write answers; no dialect holds policy or SQL.
//!
//! ```text
//! request (one dialect) → flow: verify the token, find the entitlement → one transaction: record the token as used,
//! record the credential → response (same dialect)
//! ```

mod conditions;
mod credentials;
mod dashboard;
mod decide;
mod entitlements;
mod event_kind;
mod events;
#[expect(clippy::module_inception, reason = "the exchange is what the floor is named for")]
mod exchange;
mod explain;
mod flow;
pub mod flows;
mod introspection;
mod opaque_key;
mod publications;
mod redeem;
mod refusal;
mod revocation;
mod settings;
mod spec;
mod subject_token;

pub use self::credentials::IssuedCredential;
pub use self::dashboard::DashboardRefusal;
pub(crate) use self::entitlements::RulesText;
pub(crate) use self::entitlements::check_audiences;
pub use self::entitlements::{Applied, ApplyRulesError, RulesEditor};
pub use self::entitlements::{AudienceConflict, AudienceOwner};
pub use self::entitlements::{Change, ChangeKind, ChangeSet, Object, ObjectError, Precondition, Prune, RuleError};
pub use self::entitlements::{RuleErrors, RulesFault, RulesFaults, read_rules_file};
pub use self::entitlements::{RulesCache, RulesCacheParts};
pub(crate) use self::entitlements::{credential_view, has_same_identity, remove_view_members};
pub use self::event_kind::EventKind;
pub use self::exchange::{Exchange, ExchangeParts};
pub use self::flow::{Flow, IssuingFlow};
pub use self::introspection::Introspection;
pub(crate) use self::opaque_key::KEY_PREFIX;
pub use self::opaque_key::is_key;
pub use self::publications::{PublicationError, PublicationRequest, provenance};
pub use self::refusal::{DisclosedRefusal, ExchangeError, ExchangeRefusal, NotExchanged};
pub(crate) use self::revocation::revoke_credential;
pub use self::settings::{DefaultAudiences, ExchangeSettings};
pub(crate) use self::spec::one_object;
pub use self::spec::{
    GivenToken, GrantSpec, NamedProviderSpec, NugetSection, Permissions, PublisherSpec, RoleSpec, RubygemsSection,
    RulesFile, Section, TrustPolicySpec, UserSpec,
};
