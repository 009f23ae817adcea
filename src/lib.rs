//! **buildpass** makes any CI system an OpenID Connect provider for its builds.
//!
//! For each build it signs short-lived tokens that say which repository, organisation, author, event, ref and commit
//! the build is, and publishes the documents by which clouds and registries check them.
//!
//! The floors, from the ground up; nothing imports upwards:
//! [`base`] → [`jose`], [`claims`] → [`policy`], [`verifier`] → `store` → `keyring` → `issuer`, `exchange` → `app` → `http` → `cli`.
//! The feature `server` (the default) holds everything from `store` up; without it the library is what another
//! service needs to check tokens.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test may stop at once"
    )
)]

#[cfg(feature = "server")]
pub mod app;
pub mod base;
pub mod claims;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod exchange;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod issuer;
pub mod jose;
#[cfg(feature = "server")]
pub mod keyring;
#[cfg(feature = "server")]
pub mod manual;
pub mod policy;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod telemetry;
pub mod verifier;
