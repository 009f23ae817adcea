//! The handlers, one file for each noun of the API. A handler must only parse the request, make one call, and write the
//! answer.

pub(super) mod admin;
pub(super) mod builds;
pub(super) mod documents;
pub(super) mod health;
pub(super) mod id_tokens;
pub(super) mod metrics;
pub(super) mod publications;
pub(super) mod request_tokens;
