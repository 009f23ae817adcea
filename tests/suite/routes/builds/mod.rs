//! `/api/v1/builds` and everything below.

mod finish;
mod id_token;
mod id_tokens;
mod register;
mod request_tokens;
mod show;
