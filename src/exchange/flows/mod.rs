//! The flows of the exchange, one file each. A flow determines the required audience, the entitlements that may accept
//! the token, and the credential to issue; a flow must never write to the database.

pub mod forward_auth;
pub mod nuget;
pub mod registry;
pub mod rubygems;
pub mod rubygems_publisher;
pub mod rubygems_role;
pub mod token_exchange;

use super::entitlements::AudienceOwner;

/// Names of all flows, sorted, each with the kind of flow that its audiences belong to. The names are stored with
/// credentials and events.
pub const FLOWS: [(&str, AudienceOwner); 5] = [
    (forward_auth::NAME, AudienceOwner::Grants),
    (token_exchange::NAME, AudienceOwner::Grants),
    (nuget::NAME, AudienceOwner::Nuget),
    (registry::NAME, AudienceOwner::Registry),
    (rubygems::NAME, AudienceOwner::Rubygems),
];
