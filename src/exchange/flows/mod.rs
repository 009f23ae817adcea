//! The flows of the exchange, one file each. A flow determines the required audience, the entitlements that may accept
//! the token, and the credential to issue; a flow must never write to the database.

pub mod forward_auth;
pub mod nuget;
pub mod registry;
pub mod rubygems;
pub mod rubygems_publisher;
pub mod rubygems_role;
pub mod token_exchange;
