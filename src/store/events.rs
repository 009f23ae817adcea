//! Events for operators: changes, issued credentials, and refusals that an unknown caller cannot cause at will. Never
//! hold a token or a key.

use async_trait::async_trait;
use serde::Serialize;

use super::error::StoreError;
use crate::base::{EventId, IssuerId, Moment};

/// One event of the exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRow {
    /// Id of the event; ids sort by time.
    pub id: EventId,
    /// Time of the event.
    pub at: Moment,
    /// Kind of the event: `credential_created`, `exchange_refused`, `role_created`, …
    pub kind: String,
    /// Name of the flow, for an event of an exchange.
    pub flow: Option<String>,
    /// Subject of the token or credential, or the name of the changed object.
    pub subject: Option<String>,
    /// Further details, as a JSON object.
    #[serde(serialize_with = "as_json")]
    pub detail: String,
}

fn as_json<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => value.serialize(serializer),
        Err(_) => serializer.serialize_str(text),
    }
}

/// Events of an issuer.
#[async_trait]
pub trait Events {
    /// Records an event that belongs to no other change.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn record_event(&self, issuer: &IssuerId, event: &EventRow) -> Result<(), StoreError>;

    /// Lists events since a time, oldest first, at most `limit`, from after the event `after`.
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
