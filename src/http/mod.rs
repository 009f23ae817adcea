//! The doors: parse, one call, answer. No SQL, no policy, no cryptography here.

mod caching;
mod dialects;
mod error;
mod extract;
mod layers;
mod peer;
mod router;
mod routes;
mod serve;
mod state;

pub(crate) use self::dialects::forward_path;
pub use self::error::Code;
pub use self::serve::serve;
pub use self::state::{Limits, Listeners};
