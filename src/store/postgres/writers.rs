//! The tasks that write to PostgreSQL, each with a connection of its own: one task for audit records, which are
//! committed in groups, and several tasks for all other changes, so that no change waits for another change's round
//! trip to the server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::connection::Connector;
use super::writer::Writer;
use crate::store::{InFlight, StoreError};

/// Maximum time for which issued tokens wait to be committed together with tokens that are still being signed.
const LINGER: Duration = Duration::from_millis(10);

/// All writing tasks of a PostgreSQL store.
#[derive(Debug)]
pub(super) struct Writers {
    records: Writer,
    acts: Vec<Writer>,
    /// Number of times that a writer was chosen by [`Self::next`].
    turn: AtomicUsize,
}

impl Writers {
    pub(super) async fn start(connector: &Connector, pending: InFlight) -> Result<Self, StoreError> {
        let records = Writer::start(connector.clone(), connector.session().await?, pending, LINGER);
        let mut acts = Vec::new();
        for _ in 0..connector.options().writers.saturating_sub(1).max(1) {
            let connection = connector.session().await?;
            acts.push(Writer::start(connector.clone(), connection, InFlight::default(), Duration::ZERO));
        }
        Ok(Self { records, acts, turn: AtomicUsize::new(0) })
    }

    /// Returns the writer that records issued tokens.
    pub(super) fn records(&self) -> &Writer {
        &self.records
    }

    /// Returns the next writer for any other change; the writers take turns.
    pub(super) fn next(&self) -> &Writer {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        turn.checked_rem(self.acts.len()).and_then(|at| self.acts.get(at)).unwrap_or(&self.records)
    }

    pub(super) async fn close(&self) {
        self.records.close().await;
        for writer in &self.acts {
            writer.close().await;
        }
    }
}
