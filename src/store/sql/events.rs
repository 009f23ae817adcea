//! Reads events for operators, and writes events that no other transaction writes. An event is never changed.

use async_trait::async_trait;

use super::Backend;
use super::driver::DbRow;
use super::fault::unavailable;
use super::fields::Fields;
use super::rows::insert_event;
use crate::base::{EventId, IssuerId, Moment};
use crate::store::{EventRow, Events, StoreError};

fn read_event(row: &DbRow) -> Result<EventRow, StoreError> {
    let fields = Fields::of(row, "events");
    Ok(EventRow {
        id: fields.parsed("id")?,
        at: fields.moment("at")?,
        kind: fields.text("kind")?,
        flow: fields.optional_text("flow")?,
        subject: fields.optional_text("subject")?,
        detail: fields.text("detail")?,
    })
}

#[async_trait]
impl Events for Backend {
    async fn record_event(&self, issuer: &IssuerId, event: &EventRow) -> Result<(), StoreError> {
        self.writer()
            .change((issuer.clone(), event.clone()), move |connection, (issuer, event)| {
                Box::pin(insert_event(connection, issuer, event))
            })
            .await
    }

    async fn list_events(
        &self,
        issuer: &IssuerId,
        since: Moment,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query(
            "select id, at, kind, flow, subject, detail from events \
             where issuer = $1 and at >= $2 and id > $3 order by id limit $4",
        )
        .bind(issuer.as_str())
        .bind(since.unix())
        .bind(after.map(|id| id.to_string()).unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        rows.iter().map(read_event).collect()
    }
}
