//! Names and the immutable ids that they are bound to. A registration writes them; they are never pruned.

use async_trait::async_trait;
use serde::Serialize;
use strum::{EnumString, IntoStaticStr};

use super::error::StoreError;
use crate::base::{IssuerId, Moment};

/// Kind of a bound name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, Serialize)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum NameKind {
    /// Name of an organisation.
    Org,
    /// Name of a repository, as `org/name`.
    Repo,
}

/// A name and the id that it is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoundName {
    /// Whether the name is of an organisation or a repository.
    pub kind: NameKind,
    /// Name as it was first registered; names are compared case-folded.
    pub name: String,
    /// Immutable id, if a registration gave one.
    pub id: Option<String>,
    /// Time at which name and id were first registered together.
    pub bound_at: Moment,
    /// Whether the id was last registered under this name.
    pub current: bool,
}

/// Bound names of an issuer.
#[async_trait]
pub trait Names {
    /// Lists all bound names, organisations first, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_names(&self, issuer: &IssuerId) -> Result<Vec<BoundName>, StoreError>;

    /// Deletes the binding of a name: of an organisation, or `org/name` of a repository. Returns `false` if the name was not
    /// bound.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn release_name(&self, issuer: &IssuerId, kind: NameKind, name: &str) -> Result<bool, StoreError>;
}
