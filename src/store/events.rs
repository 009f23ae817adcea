//! What operators read: each change, each credential, each refusal that a stranger could not have caused at will.
//! Never a token and never a key.

use async_trait::async_trait;
use serde::Serialize;

use super::error::StoreError;
use crate::base::{EventId, IssuerId, Moment};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRow {
    /// Its id, sorted by time.
    pub id: EventId,
    /// When.
    pub at: Moment,
    /// What: `credential_created`, `exchange_refused`, `role_created`, …
    pub kind: String,
    /// At which door, where it was at one.
    pub flow: Option<String>,
    /// Whose token or key, where it is about one; else what was changed.
    pub subject: Option<String>,
    /// Everything else, as JSON.
    #[serde(serialize_with = "as_json")]
    pub detail: String,
}

fn as_json<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => value.serialize(serializer),
        Err(_) => serializer.serialize_str(text),
    }
}

/// What operators of an issuer read.
#[async_trait]
pub trait Events {
    /// Records one that comes with no change of anything.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn record_event(&self, issuer: &IssuerId, event: &EventRow) -> Result<(), StoreError>;

    /// Those since a moment, oldest first, at most `limit` after the one of this id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_events(
        &self,
        issuer: &IssuerId,
        since: Moment,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError>;
}
