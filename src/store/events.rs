//! Storage of events for operators: changes, issued credentials, and refusals of tokens with a valid signature. Other
//! refusals are not stored, because a stranger could fill the database with them. An event never holds a token or a
//! key.

use async_trait::async_trait;
use serde::Serialize;

use super::error::StoreError;
use crate::base::{EventId, IssuerId, Moment};

/// One event for operators to read: an object such as a role was changed, or the exchange fulfilled or refused a
/// request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRow {
    /// Id of the event; ids sort by time.
    pub id: EventId,
    /// Time at which the event happened.
    pub at: Moment,
    /// Name of what happened: `credential_created`, `exchange_refused`, `role_created`, …
    pub kind: String,
    /// Name of the exchange's flow in which the event happened; `None` for events outside the exchange.
    pub flow: Option<String>,
    /// Subject of the token or credential that the event is about, or the name of the changed object.
    pub subject: Option<String>,
    /// Further details of the event, as a JSON object.
    #[serde(serialize_with = "as_json")]
    pub detail: String,
}

fn as_json<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => value.serialize(serializer),
        Err(_) => serializer.serialize_str(text),
    }
}

/// Storage of an issuer's events.
#[async_trait]
pub trait Events {
    /// Records an event in a transaction of its own. The event of a redemption or of a change of rules is recorded
    /// together with it instead.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn record_event(&self, issuer: &IssuerId, event: &EventRow) -> Result<(), StoreError>;

    /// Lists at most `limit` events since the time `since`, oldest first, beginning after the event with the id
    /// `after`.
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
