//! One integration binary: its tree mirrors the house's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at once"
)]

mod attacks;
mod cli;
mod config;
mod fuzzed;
mod harness;
mod house;
mod http;
mod jose;
mod journeys;
mod keyring;
mod links;
mod policy;
mod routes;
mod stable_texts;
mod store;
mod verifier;
