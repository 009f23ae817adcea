//! Extractors for credentials, bodies, paths and queries. Every rejection is a [`Problem`](super::error::Problem).

mod body;
mod credentials;
mod parameters;

pub(super) use self::body::{FormParams, JsonBody, RawBody};
pub(super) use self::credentials::{BuildToken, ClientAuth, ClientOrWorker};
pub(super) use self::parameters::{PathParams, QueryParams};
