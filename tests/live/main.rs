//! Tests that run real processes for minutes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at once"
)]

#[allow(dead_code, reason = "the suite needs more of it")]
#[path = "../suite/harness/postgres.rs"]
mod postgres;
mod replica;
mod rolling;
mod rotation;
mod verifier;
