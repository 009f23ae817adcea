//! Verifies OpenID Connect tokens of any issuer as strictly as the strictest registry, and explains every refusal.
//! Needs no store and no keyring: use it as a library with `default-features = false, features = ["verifier"]`.
//!
//! ```
//! use std::sync::Arc;
//! use buildpass::base::SystemClock;
//! use buildpass::verifier::{Provider, ProviderSpec, Requirements, Verifiers};
//!
//! # async fn publish(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let github = ProviderSpec { kind: "github".into(), ..ProviderSpec::default() };
//! let providers = vec![Provider::new("github-actions", github)?];
//! let verifiers = Verifiers::of(providers, Arc::new(SystemClock::new()))?;
//! let requirements = Requirements { audience: Some("artefacts.example.com"), ..Requirements::default() };
//! let verified = verifiers.verify(token, &requirements).await?;
//! println!("a build of {}", verified.claims().text("repository").unwrap_or_default());
//! # Ok(()) }
//! ```
//!
//! The checks run in the order of [`Check`]: size and shape, the issuer (which only selects the provider), the key and
//! its algorithm, the signature, then types, audience, times, lifetime, required claims and the check of the provider's
//! kind. Policies are evaluated after all these checks.

mod cache;
mod claims;
mod explanation;
mod furthest;
mod key_source;
#[cfg(feature = "server")]
mod late_source;
mod provider;
mod providers;
mod refusal;
mod remote;
#[cfg(feature = "axum")]
mod require_token;
mod sources;
#[expect(clippy::module_inception, reason = "the verifier is what the floor is named for")]
mod verifier;
mod verifiers;
mod window;

pub use self::claims::Claims;
pub use self::explanation::{Explanation, ExplanationStep, Trail};
#[cfg(feature = "server")]
pub(crate) use self::furthest::Furthest;
pub use self::key_source::{Fetched, FixedKeys, KeySource, KeySourceError};
#[cfg(feature = "server")]
pub(crate) use self::late_source::LateSource;
pub use self::provider::{KeyOrigin, Provider, ProviderSpec};
pub use self::providers::ProviderKind;
pub use self::refusal::{Check, TokenRefusal};
pub use self::remote::{
    AllowedAddress, Discovery, FetchError, NetworkAccess, RemoteKeys, Resolver, Survey, SystemResolver,
};
#[cfg(feature = "server")]
pub(crate) use self::remote::{Document, Fetcher};
#[cfg(feature = "axum")]
pub use self::require_token::{RequireToken, RequireTokenRejection, RequireTokenService};
pub use self::verifier::{ClaimForm, Requirements, VerifiedToken, Verifier};
pub use self::verifiers::{SetUpError, Verifiers, unverified_issuer_of};
pub use self::window::MAX_TOLERANCE;
