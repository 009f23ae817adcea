//! Publications: package servers report which key pushed which version of a package. A publication is recorded only if
//! the key is valid, is for the server's audience, and covers the package.

use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::event_kind::EventKind;
use super::exchange::Exchange;
use super::flows::{nuget, rubygems, token_exchange};
use super::refusal::ExchangeError;
use crate::base::{FieldError, IssuerId, Secret};
use crate::claims::glob_covers;
use crate::policy::Client;
use crate::store::{
    Ecosystem, EventRow, Publication, PublicationRefusal, Store, StoreError, StoredCredential, StoredIdToken,
};

/// Body of the request in which a package server reports a publication.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicationRequest {
    /// Ecosystem that the package belongs to, such as `rubygems`.
    pub ecosystem: Ecosystem,
    /// Name of the package.
    pub package: String,
    /// Version of the package that was pushed.
    pub version: String,
    /// SHA-256 of the pushed file: `sha256:` and 64 lower-case hexadecimal digits.
    pub digest: String,
    /// Key that the package was pushed with.
    #[serde(deserialize_with = "secret")]
    pub key: Secret<String>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// Why a publication was not recorded.
#[derive(Debug)]
pub enum PublicationError {
    /// The server failed to record the publication.
    Failed(ExchangeError),
    /// A field of the request is invalid.
    Field(FieldError),
    /// The key is invalid, of another audience, or does not cover the package. One variant covers all these reasons, so
    /// that the answer does not disclose which reason applies.
    Key,
    /// A publication of this version of the package is already recorded.
    Exists,
}

impl<E: Into<ExchangeError>> From<E> for PublicationError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Exchange {
    /// Records a publication that the client, a package server, reports.
    ///
    /// # Errors
    /// [`PublicationError`] if the request is refused or the server fails.
    pub async fn publish(&self, client: &Client, spec: PublicationRequest) -> Result<Publication, PublicationError> {
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
            kind: EventKind::Published.name().to_owned(),
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

/// Returns the publications of a package version, in one ecosystem or in all: each with the key that pushed the
/// package, and the token that the key was issued for.
///
/// # Errors
/// [`StoreError`] if the database fails, or the row of a key or token is missing.
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
            return Err(StoreError::Unavailable("the database lacks the key or token of a publication".to_owned()));
        };
        found.push((publication, key, token));
    }
    Ok(found)
}

fn check(spec: &PublicationRequest) -> Result<(), FieldError> {
    for (field, text) in [("package", &spec.package), ("version", &spec.version)] {
        if text.trim().is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
            return Err(FieldError::new(field, "must be text of 1 to 255 bytes on one line"));
        }
    }
    let hex = spec.digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64);
    if hex.is_none_or(|hex| !hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))) {
        return Err(FieldError::new("digest", "must be `sha256:` followed by 64 lower-case hexadecimal digits"));
    }
    Ok(())
}

/// Whether a key may push to this ecosystem. A key of the ecosystem's flow needs one of the scopes that allow pushes; a
/// key that the token endpoint issued needs no scope.
fn may_push(key: &StoredCredential, ecosystem: Ecosystem) -> bool {
    let (flow, scopes): (_, &[&str]) = match ecosystem {
        Ecosystem::Nuget => (nuget::NAME, &["all", "package:push", "package:pushversion"]),
        Ecosystem::Rubygems => (rubygems::NAME, &["push_rubygem"]),
        Ecosystem::Generic | Ecosystem::Oci => (token_exchange::NAME, &[]),
    };
    let has_scope = || key.scopes.iter().any(|scope| scopes.contains(&scope.as_str()));
    key.flow == token_exchange::NAME || (key.flow == flow && has_scope())
}

/// Whether one of the key's globs covers the package. The glob `*` covers every name.
fn covers(globs: &[String], ecosystem: Ecosystem, package: &str) -> bool {
    let folded = |text: &str| Publication::folded(ecosystem, text);
    globs.iter().any(|glob| glob == "*" || glob_covers(&folded(glob), &folded(package)))
}
