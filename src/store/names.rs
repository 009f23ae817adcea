//! Storage of the names of organisations and repositories, with the immutable id that each name is bound to. A
//! registration writes a binding; only an operator deletes a binding.

use async_trait::async_trait;
use serde::Serialize;
use strum::{EnumString, IntoStaticStr};

use super::error::StoreError;
use crate::base::{IssuerId, Moment};

/// Whether a name is that of an organisation or of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, Serialize)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum NameKind {
    /// Name of an organisation.
    Org,
    /// Name of a repository, as `org/name`.
    Repo,
}

/// A name of an organisation or repository, with the id that the name is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoundName {
    /// Whether the name is that of an organisation or of a repository.
    pub kind: NameKind,
    /// Name in the spelling that was first registered; names are compared case-folded.
    pub name: String,
    /// Immutable id of the organisation or repository; `None` if no registration gave an id.
    pub id: Option<String>,
    /// Time at which the name was first registered with this id.
    pub bound_at: Moment,
    /// Whether the id was last registered under this name.
    pub current: bool,
}

/// Storage of the names that an issuer's registrations have bound.
#[async_trait]
pub trait Names {
    /// Lists all bound names: organisations, then repositories, each sorted by name.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_names(&self, issuer: &IssuerId) -> Result<Vec<BoundName>, StoreError>;

    /// Deletes the binding of a name to an id, so that the next registration binds the name again. The name of a
    /// repository is given as `org/name`. Returns `false` if the name was not bound.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn release_name(&self, issuer: &IssuerId, kind: NameKind, name: &str) -> Result<bool, StoreError>;
}
