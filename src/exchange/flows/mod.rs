//! The flows of the exchange, one file each. A flow says which audience is required, which entitlements may accept the
//! token, and which credential is issued; it writes nothing.

pub mod forward_auth;
pub mod nuget;
pub mod registry;
pub mod rubygems;
pub mod rubygems_publisher;
pub mod rubygems_role;
pub mod token_exchange;
