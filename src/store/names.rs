//! Names and the immutable ids that they are bound to. Rows are written with a registration and never pruned.

use async_trait::async_trait;
use serde::Serialize;
use strum::{EnumString, IntoStaticStr};

use super::error::StoreError;
use crate::base::{IssuerId, Moment};

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, Serialize)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum NameKind {
    /// An organisation.
    Org,
    /// A repository, by `org/name`.
    Repo,
}

/// A name and what it is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoundName {
    /// Organisation or repository.
    pub kind: NameKind,
    /// The name as it was first written; names are compared case-folded.
    pub name: String,
    /// The immutable id, where one was given.
    pub id: Option<String>,
    /// When the two were first seen together.
    pub bound_at: Moment,
    /// Is this the name under which the id was registered last?
    pub current: bool,
}

/// The bound names of an issuer.
#[async_trait]
pub trait Names {
    /// All bound names, organisations first, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_names(&self, issuer: &IssuerId) -> Result<Vec<BoundName>, StoreError>;

    /// Forgets what a name is bound to: an organisation's name, or `org/name` of a repository.
    /// `false` if it was bound to nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn release_name(&self, issuer: &IssuerId, kind: NameKind, name: &str) -> Result<bool, StoreError>;
}
