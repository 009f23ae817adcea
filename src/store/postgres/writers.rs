//! The tasks that write, each with a connection of its own: one for records, which are committed in groups, and some for
//! everything else, so that an act does not wait for another's way to the server and back.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::connection::Connector;
use super::driver::DbConnection;
use super::fault::closed;
use super::transactions::Verdict;
use super::writer::Writer;
use crate::base::IssuerId;
use crate::store::{InFlight, Issuance, IssuanceRefusal, Redemption, RedemptionRefusal, StoreError};

/// How long records wait for more of their kind while tokens are being signed.
const LINGER: Duration = Duration::from_millis(10);

/// All writers of a store.
#[derive(Debug)]
pub(super) struct Writers {
    records: Writer,
    acts: Vec<Writer>,
    next: AtomicUsize,
}

impl Writers {
    pub(super) async fn start(connector: &Connector, pending: InFlight) -> Result<Self, StoreError> {
        let records = Writer::start(connector.clone(), connector.connect().await?, pending, LINGER);
        let mut acts = Vec::new();
        for _ in 0..connector.options().writers.saturating_sub(1).max(1) {
            let connection = connector.connect().await?;
            acts.push(Writer::start(connector.clone(), connection, InFlight::default(), Duration::ZERO));
        }
        Ok(Self { records, acts, next: AtomicUsize::new(0) })
    }

    pub(super) async fn act<T, R, F>(&self, work: F) -> Verdict<T, R>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: for<'c> Fn(&'c mut DbConnection) -> BoxFuture<'c, Verdict<T, R>> + Send + Sync + 'static,
    {
        self.one().ok_or_else(closed)?.act(work).await
    }

    pub(super) async fn act_alone<T, R, F>(&self, work: F) -> Verdict<T, R>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: for<'c> Fn(&'c mut DbConnection) -> BoxFuture<'c, Verdict<T, R>> + Send + Sync + 'static,
    {
        self.one().ok_or_else(closed)?.act_alone(work).await
    }

    pub(super) async fn change<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut DbConnection) -> BoxFuture<'c, Verdict<T, Infallible>> + Send + Sync + 'static,
    {
        self.one().ok_or_else(closed)?.change(work).await
    }

    pub(super) async fn record(&self, issuer: IssuerId, issuance: Issuance) -> Verdict<(), IssuanceRefusal> {
        self.records.record(issuer, issuance).await
    }

    pub(super) async fn redeem(&self, issuer: IssuerId, trade: Redemption) -> Verdict<(), RedemptionRefusal> {
        self.one().ok_or_else(closed)?.redeem(issuer, trade).await
    }

    /// That tokens can be recorded is what counts.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        self.records.check().await
    }

    pub(super) async fn close(&self) {
        self.records.close().await;
        for writer in &self.acts {
            writer.close().await;
        }
    }

    /// One after the other, as evenly as may be.
    fn one(&self) -> Option<&Writer> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.acts.get(turn.checked_rem(self.acts.len())?)
    }
}
