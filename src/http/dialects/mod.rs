//! Dialects of the exchange, one file each: parse the request, call the exchange once, answer. They hold no policy and no
//! SQL; each maps every refusal to the words of the protocol that it implements.

mod answer;
pub(super) mod forward_auth;
pub(crate) mod forward_path;
pub(super) mod nuget;
pub(super) mod registry;
pub(super) mod rubygems;
pub(super) mod token_exchange;
