//! **buildpass** makes any CI system an OpenID Connect provider for its builds.
//!
//! For each build it signs short-lived tokens that say which repository, organisation, author, event, ref and commit
//! the build is, and publishes the documents by which clouds and registries check them.
//!
//! The floors that stand, from the ground up; nothing imports upwards:
//! [`base`] → [`jose`], [`claims`] → [`policy`] → [`store`].
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

pub mod base;
pub mod claims;
pub mod jose;
pub mod policy;
#[cfg(feature = "server")]
pub mod store;
