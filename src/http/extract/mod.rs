//! Extractors for credentials, bodies, paths and queries. Every rejection is a [`Problem`](super::error::Problem).

mod body;
mod credentials;
mod json;
mod parameters;

pub(super) use self::body::{FormParams, UnreadBody, UnreadForm};
pub(super) use self::credentials::{BuildToken, ClientAuth, ClientOrWorker};
pub(super) use self::json::UnreadJson;
pub(super) use self::parameters::{PathParams, QueryParams};
