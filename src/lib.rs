//! **buildpass** makes any CI system an OpenID Connect provider for its builds.
//!
//! The server signs short-lived ID tokens for each build and publishes the documents by which clouds and registries
//! verify them. A token's claims name the repository, organisation, author, event, ref and commit of its build. The
//! exchange verifies tokens of any provider and issues short-lived credentials for them.
//!
//! The modules are floors. Each module imports only modules that stand before it in this list: [`base`] → [`jose`],
//! [`claims`] → [`policy`], [`verifier`] → `store` → `keyring` → `issuer`, `exchange` → `app` → `http` → `cli`.
//!
//! Without the feature `server` (on by default), the crate contains only the modules before `store`: a library with
//! which another service verifies tokens.

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
#[cfg(feature = "server")]
mod toml_input;
pub mod verifier;
