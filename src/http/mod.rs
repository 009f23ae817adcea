//! The HTTP API: the accept loop, the layers around the routes, and the handlers. This module must hold no SQL, no
//! policy and no cryptography.

mod body_budget;
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
mod unread;

pub(crate) use self::dialects::forward_path;
pub use self::error::Code;
pub use self::serve::serve;
pub use self::state::{Limits, Listeners};
