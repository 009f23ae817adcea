//! What keys pushed, as the registries that took it recorded: the thread from a package back to a build.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};

use super::error::StoreError;
use super::events::EventRow;
use crate::base::{ClientId, CredentialId, IssuerId, Moment};

/// Where a package belongs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, IntoStaticStr, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = UnknownEcosystem, parse_err_fn = UnknownEcosystem::of)]
pub enum Ecosystem {
    /// Any other.
    Generic,
    /// NuGet; names without case.
    Nuget,
    /// Container images and what else such registries hold.
    Oci,
    /// RubyGems.
    Rubygems,
}

/// Error returned for the name of no ecosystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be rubygems, nuget, oci or generic")]
pub struct UnknownEcosystem;

impl UnknownEcosystem {
    fn of(_name: &str) -> Self {
        Self
    }
}

/// One version of a package, and what pushed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Of which registry: the audience of the key.
    pub audience: String,
    /// Where it belongs.
    pub ecosystem: Ecosystem,
    /// The package.
    pub package: String,
    /// The version.
    pub version: String,
    /// Digest of its bytes, `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// The key.
    pub credential: CredentialId,
    /// The client that recorded it.
    pub client: ClientId,
    /// When.
    pub published_at: Moment,
}

impl Publication {
    /// What the package is compared by.
    #[must_use]
    pub fn folded(ecosystem: Ecosystem, package: &str) -> String {
        match ecosystem {
            Ecosystem::Nuget => package.to_lowercase(),
            Ecosystem::Generic | Ecosystem::Oci | Ecosystem::Rubygems => package.to_owned(),
        }
    }
}

/// Why nothing was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicationRefusal {
    /// The version was recorded before.
    Exists,
    /// The key died meanwhile.
    KeyDead,
}

/// What was published with keys of an issuer.
#[async_trait]
pub trait Publications {
    /// Records a version, if its key still lives.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error when it was recorded before, or the key is dead.
    async fn record_publication(
        &self,
        issuer: &IssuerId,
        publication: &Publication,
        event: &EventRow,
    ) -> Result<Result<(), PublicationRefusal>, StoreError>;

    /// The publications of this version of a package, in every ecosystem or in one.
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
