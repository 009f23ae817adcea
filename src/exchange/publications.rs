//! What a key pushed, as the registry that took it says: the key must live, be of that registry, and cover the package.

use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::flows::flow_names;
use super::{Exchange, ExchangeError};
use crate::base::{FieldError, IssuerId, Secret};
use crate::claims::glob_covers;
use crate::policy::Client;
use crate::store::{
    Ecosystem, EventRow, Publication, PublicationRefusal, Store, StoreError, StoredCredential, StoredIdToken,
};

/// A publication as a registry reports it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicationSpec {
    /// Where the package belongs.
    pub ecosystem: Ecosystem,
    /// The package.
    pub package: String,
    /// The version.
    pub version: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// The key that pushed it.
    #[serde(deserialize_with = "secret")]
    pub key: Secret<String>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// Why nothing was recorded.
#[derive(Debug)]
pub enum PublicationError {
    /// Our doing.
    Failed(ExchangeError),
    /// A field can't be taken.
    Field(FieldError),
    /// The key opens nothing of this registry's, or is not for this package. One text for all.
    Key,
    /// The version was recorded before.
    Exists,
}

impl<E: Into<ExchangeError>> From<E> for PublicationError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Exchange {
    /// Records what a key pushed.
    ///
    /// # Errors
    /// [`PublicationError`].
    pub async fn publish(&self, client: &Client, spec: PublicationSpec) -> Result<Publication, PublicationError> {
        check(&spec).map_err(PublicationError::Field)?;
        let now = self.parts.clock.now();
        let digest = spec.key.digest();
        let found = self.parts.store.find_credential(&self.id, digest).await?;
        let may = |key: &StoredCredential| {
            key.is_active(now)
                && client.may_address(&key.audience)
                && may_push(key, spec.ecosystem)
                && covers(&key.packages, spec.ecosystem, &spec.package)
        };
        let key = found.filter(may).ok_or(PublicationError::Key)?;
        let publication = Publication {
            audience: key.audience,
            ecosystem: spec.ecosystem,
            package: spec.package,
            version: spec.version,
            digest: spec.digest,
            credential: key.id,
            client: client.id.clone(),
            published_at: now,
        };
        let event = EventRow {
            id: self.event_id(now)?,
            at: now,
            kind: "published".to_owned(),
            flow: Some(key.flow),
            subject: Some(key.subject),
            detail: json!({
                "ecosystem": publication.ecosystem, "package": publication.package, "version": publication.version,
                "digest": publication.digest, "credential": publication.credential, "client": publication.client,
            })
            .to_string(),
        };
        match self.parts.store.record_publication(&self.id, &publication, &event).await? {
            Ok(()) => Ok(publication),
            Err(PublicationRefusal::Exists) => Err(PublicationError::Exists),
            Err(PublicationRefusal::KeyNotActive) => Err(PublicationError::Key),
        }
    }
}

/// The publications of a version, each with its key and the token that the key was given for.
///
/// # Errors
/// [`StoreError`].
pub async fn provenance(
    store: &dyn Store,
    issuer: &IssuerId,
    package: &str,
    version: &str,
    ecosystem: Option<Ecosystem>,
) -> Result<Vec<(Publication, StoredCredential, StoredIdToken)>, StoreError> {
    let mut found = Vec::new();
    for publication in store.find_publications(issuer, package, version, ecosystem).await? {
        let key = store.show_credential(issuer, publication.credential).await?;
        let token = match &key {
            Some(key) => store.find_id_token(issuer, key.id_token).await?,
            None => None,
        };
        let (Some(key), Some(token)) = (key, token) else {
            return Err(StoreError::Unavailable("a publication's key or token is not there".to_owned()));
        };
        found.push((publication, key, token));
    }
    Ok(found)
}

fn check(spec: &PublicationSpec) -> Result<(), FieldError> {
    for (field, text) in [("package", &spec.package), ("version", &spec.version)] {
        if text.trim().is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
            return Err(FieldError::new(field, "must be text of 1 to 255 bytes on one line"));
        }
    }
    let hex = spec.digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64);
    if hex.is_none_or(|hex| !hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))) {
        return Err(FieldError::new("digest", "must be sha256: and 64 lower-case hexadecimal digits"));
    }
    Ok(())
}

/// May a key of this door push to this ecosystem?
fn may_push(key: &StoredCredential, ecosystem: Ecosystem) -> bool {
    let has = |scopes: &[&str]| key.scopes.iter().any(|scope| scopes.contains(&scope.as_str()));
    match key.flow.as_str() {
        flow_names::GRANT => true,
        flow_names::NUGET => ecosystem == Ecosystem::Nuget && has(&["all", "package:push", "package:pushversion"]),
        flow_names::RUBYGEMS => ecosystem == Ecosystem::Rubygems && has(&["push_rubygem"]),
        _ => false,
    }
}

/// Is the package one of those that the key is for? `*` alone covers every name.
fn covers(globs: &[String], ecosystem: Ecosystem, package: &str) -> bool {
    let folded = |text: &str| Publication::folded(ecosystem, text);
    globs.iter().any(|glob| glob == "*" || glob_covers(&folded(glob), &folded(package)))
}
