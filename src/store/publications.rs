//! Storage of publications: package versions that were pushed with API keys, as registries recorded them. A publication
//! leads from a package back to the build that pushed the package.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};

use super::error::{Outcome, StoreError};
use super::events::EventRow;
use crate::base::{ClientId, CredentialId, IssuerId, Moment};

/// Package ecosystem, which decides how package names are compared.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, IntoStaticStr, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = UnknownEcosystem, parse_err_fn = UnknownEcosystem::of)]
pub enum Ecosystem {
    /// Any ecosystem that has no variant of its own.
    Generic,
    /// NuGet, which compares package names without case.
    Nuget,
    /// Container images and other OCI artifacts.
    Oci,
    /// Gems of RubyGems.
    Rubygems,
}

/// Error returned when a text is not the name of an ecosystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be rubygems, nuget, oci or generic")]
pub struct UnknownEcosystem;

impl UnknownEcosystem {
    fn of(_name: &str) -> Self {
        Self
    }
}

/// One version of a package, and the API key that pushed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Audience of the API key that pushed the package: the name of the registry.
    pub audience: String,
    /// Ecosystem of the package.
    pub ecosystem: Ecosystem,
    /// Name of the package.
    pub package: String,
    /// Version of the package.
    pub version: String,
    /// Digest of the pushed package: `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Id of the API key that pushed the package.
    pub credential: CredentialId,
    /// Id of the client that recorded the publication.
    pub client: ClientId,
    /// Time at which the publication was recorded.
    pub published_at: Moment,
}

impl Publication {
    /// Returns the package name in the form in which this ecosystem compares names.
    #[must_use]
    pub fn folded(ecosystem: Ecosystem, package: &str) -> String {
        match ecosystem {
            Ecosystem::Nuget => package.to_lowercase(),
            Ecosystem::Generic | Ecosystem::Oci | Ecosystem::Rubygems => package.to_owned(),
        }
    }
}

/// Reason why a publication was not recorded; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicationRefusal {
    /// A publication of this package version is recorded already.
    Exists,
    /// The API key has expired or is revoked.
    KeyNotActive,
}

/// Storage of the publications made with an issuer's API keys.
#[async_trait]
pub trait Publications {
    /// Records the publication of a package version if the API key that pushed the package is active.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error if the package version is recorded already or the API key is not active.
    async fn record_publication(
        &self,
        issuer: &IssuerId,
        publication: &Publication,
        event: &EventRow,
    ) -> Outcome<(), PublicationRefusal>;

    /// Finds the publications of a package version, in one ecosystem or, with `None`, in all ecosystems.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_publications(
        &self,
        issuer: &IssuerId,
        package: &str,
        version: &str,
        ecosystem: Option<Ecosystem>,
    ) -> Result<Vec<Publication>, StoreError>;
}
