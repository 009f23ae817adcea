//! Fetches, caches and refreshes the key set that a provider serves. No code here connects to a private address that
//! the operator did not allow.

mod address;
mod discovery;
mod error;
mod fetch;
mod keys;
mod network;
mod resolve;
mod source;
mod survey;

pub use self::address::AllowedAddress;
pub use self::discovery::Discovery;
pub(super) use self::discovery::read_keys;
pub use self::error::FetchError;
#[cfg(feature = "server")]
pub(crate) use self::fetch::{Document, Fetcher};
pub use self::keys::RemoteKeys;
pub use self::network::NetworkAccess;
pub use self::resolve::{Resolver, SystemResolver};
pub use self::survey::Survey;
