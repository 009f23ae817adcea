//! The HTTP API: the accept loop, the layers around the routes, and the handlers. This module must hold no SQL, no
//! policy and no cryptography.

mod activity;
mod awaited;
mod body_budget;
mod caching;
mod connection;
mod dialects;
mod error;
mod extract;
mod forwarded;
mod forwarded_shares;
mod held;
mod layers;
mod log;
mod peer;
mod places;
mod refusal_samples;
mod router;
mod routes;
mod serve;
mod socket;
mod state;
mod unread;

pub(crate) use self::dialects::forward_path;
pub use self::error::Code;
pub(crate) use self::serve::ADMIN_CONNECTIONS;
pub use self::serve::{listen, serve};
pub use self::state::{Limits, Listeners};
