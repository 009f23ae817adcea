//! Dialects of the exchange: the protocols that clients speak, one file each. A dialect parses the request, calls the
//! exchange once, and maps every refusal to an answer of the protocol. A dialect must hold no policy and no SQL.

mod answer;
pub(super) mod forward_auth;
pub(crate) mod forward_path;
pub(super) mod nuget;
pub(super) mod registry;
pub(super) mod rubygems;
pub(super) mod token_exchange;
