//! One integration binary: its tree mirrors the URL tree, the store, the journeys and the attacks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test may stop at once"
)]

mod policy;
mod store;
