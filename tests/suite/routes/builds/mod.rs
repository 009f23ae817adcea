//! `/api/v1/builds`.

mod finish;
mod id_token;
mod id_tokens;
mod register;
mod request_tokens;
mod show;
