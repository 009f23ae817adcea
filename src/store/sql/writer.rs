//! The task that runs all transactions of one writing connection. The task owns the connection, so that a client that
//! disconnects cancels no write. The task never answers before the commit, and no caller waits for an answer without a
//! limit.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::connection::Connector;
use super::driver::DbConnection;
use super::fault::{closed, unavailable};
use super::issuance::{self, PendingIssuance, RowRejected};
use super::redeem::redeem;
use super::statements::NO_OP_WRITE;
use super::transactions::Transactions;
use crate::base::IssuerId;
use crate::store::{InFlight, Issuance, IssuanceRefusal, Outcome, Redemption, RedemptionRefusal, StoreError};

/// Maximum number of jobs in the queue of the writing task; a caller with another job waits until the queue has room.
const QUEUE: usize = 4_096;

/// Maximum number of issued tokens, and of other changes, that the task takes from its queue at once.
const GROUP: usize = 256;

/// Maximum number of redemptions in one transaction, since the transaction holds the locks of all its redemptions until
/// the commit.
const REDEMPTIONS: usize = 64;

/// Interval at which the task checks whether tokens are still being signed while a group waits for more tokens.
const TICK: Duration = Duration::from_millis(1);

type Reply<T> = oneshot::Sender<T>;

/// A change of the database, without type parameters, so that all changes fit one queue. Runs one transaction and sends
/// the answer.
type Act = Box<dyn for<'t> FnOnce(&'t mut Transactions) -> BoxFuture<'t, ()> + Send>;

enum Job {
    Act(Act),
    Record(Box<PendingIssuance>, Reply<Outcome<(), IssuanceRefusal>>),
    Redeem(Box<(IssuerId, Redemption)>, Reply<Outcome<(), RedemptionRefusal>>),
    Check(Reply<Result<(), StoreError>>),
    Close(Reply<()>),
}

/// A job, and the time after which its caller waits no longer. A job that did not begin by then is dropped.
struct Queued {
    job: Job,
    by: Instant,
}

/// Sends jobs to the writing task. When the writer is closed or dropped, the task performs the accepted jobs and ends.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Queued>,
    /// Maximum time for which a caller waits for an answer or, with an [`Act`], until the act begins.
    within: Duration,
}

impl Writer {
    pub(super) fn start(connector: Connector, connection: DbConnection, pending: InFlight, linger: Duration) -> Self {
        let (jobs, accepted) = mpsc::channel(QUEUE);
        let within = connector.answer_within();
        let transactions = Transactions::new(connector, connection);
        tokio::spawn(Task { accepted, transactions, pending, linger }.run());
        Self { jobs, within }
    }

    /// Runs `work` in one transaction, and commits unless `work` fails or returns a refusal. `work` must lock the rows
    /// that it depends on.
    pub(super) async fn act<A, T, R, F>(&self, arguments: A, work: F) -> Outcome<T, R>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
        F: for<'c> Fn(&'c mut DbConnection, &'c A) -> BoxFuture<'c, Outcome<T, R>> + Send + Sync + 'static,
    {
        self.run(|transactions, reply| {
            Box::pin(async move {
                // The transaction is committed even if nobody waits for the answer any more.
                let _disconnected = reply.send(transactions.transact(&arguments, work).await);
            })
        })
        .await
    }

    /// Runs `work` in one serializable transaction, for work that depends on rows that cannot be locked.
    pub(super) async fn act_serializable<A, T, R, F>(&self, arguments: A, work: F) -> Outcome<T, R>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
        F: for<'c> Fn(&'c mut DbConnection, &'c A) -> BoxFuture<'c, Outcome<T, R>> + Send + Sync + 'static,
    {
        self.run(|transactions, reply| {
            Box::pin(async move {
                let _disconnected = reply.send(transactions.transact_serializable(&arguments, work).await);
            })
        })
        .await
    }

    /// Runs `work`, which cannot return a refusal, in one transaction.
    pub(super) async fn change<A, T, F>(&self, arguments: A, work: F) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c mut DbConnection, &'c A) -> BoxFuture<'c, Result<T, StoreError>> + Send + Sync + 'static,
    {
        let changed = self.act(arguments, move |connection, arguments| {
            let work = work(connection, arguments);
            Box::pin(async move { work.await.map(Ok::<T, Infallible>) })
        });
        match changed.await? {
            Ok(done) => Ok(done),
            Err(never) => match never {},
        }
    }

    async fn run<T, R>(
        &self,
        act: impl for<'t> FnOnce(&'t mut Transactions, Reply<Outcome<T, R>>) -> BoxFuture<'t, ()> + Send + 'static,
    ) -> Outcome<T, R>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let (begun, begins) = oneshot::channel();
        let by = self.by();
        let act: Act = Box::new(move |transactions| {
            let _disconnected = begun.send(());
            act(transactions, reply)
        });
        self.send(Job::Act(act), by).await?;
        // Once an act has begun, each of its statements has a deadline, and its answer says what happened.
        wait(begins, by).await?;
        answer.await.map_err(|_| closed())?
    }

    /// Records an issued token; waiting tokens are committed together.
    pub(super) async fn record(&self, issuer: IssuerId, issuance: Issuance) -> Outcome<(), IssuanceRefusal> {
        let (reply, answer) = oneshot::channel();
        let by = self.by();
        self.send(Job::Record(Box::new(PendingIssuance { issuer, issuance }), reply), by).await?;
        wait(answer, by).await?
    }

    /// Redeems a subject token; waiting redemptions are committed together.
    pub(super) async fn redeem(&self, issuer: IssuerId, redemption: Redemption) -> Outcome<(), RedemptionRefusal> {
        let (reply, answer) = oneshot::channel();
        let by = self.by();
        self.send(Job::Redeem(Box::new((issuer, redemption)), reply), by).await?;
        wait(answer, by).await?
    }

    /// Checks that the database can be written; simultaneous checks share one commit.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let by = self.by();
        self.send(Job::Check(reply), by).await?;
        wait(answer, by).await?
    }

    /// Waits until the accepted jobs are done and the connection is closed. Jobs sent later fail because the store is
    /// closed.
    pub(super) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.send(Job::Close(reply), self.by()).await.is_ok() {
            // An error means that the task has ended already.
            let _ended = answer.await;
        }
    }

    fn by(&self) -> Instant {
        Instant::now() + self.within
    }

    async fn send(&self, job: Job, by: Instant) -> Result<(), StoreError> {
        let sent = timeout_at(by, self.jobs.send(Queued { job, by })).await;
        sent.map_err(|_| late())?.map_err(|_| closed())
    }
}

/// Waits for an answer until `by`. If none comes, the write may or may not have happened.
async fn wait<T>(answer: oneshot::Receiver<T>, by: Instant) -> Result<T, StoreError> {
    timeout_at(by, answer).await.map_err(|_| late())?.map_err(|_| closed())
}

fn late() -> StoreError {
    StoreError::Unavailable("the database did not answer a write in time".to_owned())
}

/// Jobs that the task performs before it reads the queue again.
#[derive(Default)]
struct Round {
    group: Vec<PendingIssuance>,
    replies: Vec<Reply<Outcome<(), IssuanceRefusal>>>,
    redemptions: Vec<(IssuerId, Redemption)>,
    redemption_replies: Vec<Reply<Outcome<(), RedemptionRefusal>>>,
    acts: Vec<Act>,
    checks: Vec<Reply<Result<(), StoreError>>>,
    closing: Vec<Reply<()>>,
}

impl Round {
    fn add(&mut self, Queued { job, by }: Queued) {
        // The caller of a late job was told that the job failed, and may have repeated the request elsewhere.
        if by < Instant::now() && !matches!(job, Job::Close(_)) {
            return;
        }
        match job {
            Job::Act(act) => self.acts.push(act),
            Job::Record(waiting, reply) => {
                self.group.push(*waiting);
                self.replies.push(reply);
            }
            Job::Redeem(redemption, reply) => {
                self.redemptions.push(*redemption);
                self.redemption_replies.push(reply);
            }
            Job::Check(reply) => self.checks.push(reply),
            Job::Close(reply) => self.closing.push(reply),
        }
    }

    fn has_room(&self) -> bool {
        self.group.len() < GROUP && self.acts.len() < GROUP && self.redemptions.len() < REDEMPTIONS
    }

    /// Returns whether the round may wait for more issued tokens. Only issued tokens gain by waiting, so a round with
    /// any other job does not wait.
    fn may_linger(&self) -> bool {
        self.has_room()
            && self.acts.is_empty()
            && self.redemptions.is_empty()
            && self.checks.is_empty()
            && self.closing.is_empty()
    }
}

struct Task {
    accepted: mpsc::Receiver<Queued>,
    transactions: Transactions,
    pending: InFlight,
    linger: Duration,
}

impl Task {
    async fn run(mut self) {
        let mut closing = Vec::new();
        while let Some(first) = self.accepted.recv().await {
            let mut round = self.gather(first).await;
            if !round.closing.is_empty() {
                self.accepted.close();
                closing.append(&mut round.closing);
            }
            self.perform(round).await;
        }
        self.transactions.close().await;
        for reply in closing {
            let _disconnected = reply.send(());
        }
    }

    /// Receives all queued jobs. Issued tokens wait while further tokens are being signed, since a larger group costs
    /// hardly more.
    async fn gather(&mut self, first: Queued) -> Round {
        let mut round = Round::default();
        round.add(first);
        let mut deadline = pin!(tokio::time::sleep(self.linger));
        loop {
            while round.has_room() {
                match self.accepted.try_recv() {
                    Ok(job) => round.add(job),
                    Err(_) => break,
                }
            }
            if !round.may_linger() || self.linger.is_zero() || self.pending.count() == 0 {
                return round;
            }
            tokio::select! {
                biased;
                () = &mut deadline => return round,
                job = self.accepted.recv() => match job {
                    Some(job) => round.add(job),
                    None => return round,
                },
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    async fn perform(&mut self, round: Round) {
        let Round { group, replies, redemptions, redemption_replies, acts, checks, .. } = round;
        self.transactions.begin_round();
        if !group.is_empty() {
            let answers = self.record(&group).await;
            for (reply, answer) in replies.into_iter().zip(answers) {
                let _disconnected = reply.send(answer);
            }
        }
        if !redemptions.is_empty() {
            let answers = self.redeem(&redemptions).await;
            for (reply, answer) in redemption_replies.into_iter().zip(answers) {
                let _disconnected = reply.send(answer);
            }
        }
        for act in acts {
            act(&mut self.transactions).await;
        }
        if !checks.is_empty() {
            let end = self.transactions.transact(&(), |connection, ()| Box::pin(no_op_write(connection))).await;
            for reply in checks {
                let _disconnected = reply.send(end.clone().map(|_| ()));
            }
        }
    }

    /// Performs a group of redemptions in one transaction with a savepoint for each, so that a refusal undoes only the
    /// refused redemption. If the transaction fails, performs each redemption in a transaction of its own.
    async fn redeem(&mut self, redemptions: &[(IssuerId, Redemption)]) -> Vec<Outcome<(), RedemptionRefusal>> {
        if redemptions.len() > 1 {
            let together =
                self.transactions.transact(redemptions, |connection, group| Box::pin(redeem_group(connection, group)));
            if let Ok(Ok(answers)) = together.await {
                return answers.into_iter().map(Ok).collect();
            }
        }
        let mut answers = Vec::with_capacity(redemptions.len());
        for one in redemptions {
            let alone = self
                .transactions
                .transact(one, |connection, (issuer, redemption)| Box::pin(redeem(connection, issuer, redemption)));
            answers.push(alone.await);
        }
        answers
    }

    /// Records a group of issued tokens. If a constraint rejects one audit record, records each token in a transaction
    /// of its own, so that the rejected record does not fail other tokens.
    async fn record(&mut self, group: &[PendingIssuance]) -> Vec<Outcome<(), IssuanceRefusal>> {
        match self.record_group(group).await {
            Ok(Ok(answers)) => answers.into_iter().map(Ok).collect(),
            Ok(Err(RowRejected)) if group.len() > 1 => {
                let mut answers = Vec::with_capacity(group.len());
                for one in group {
                    answers.push(match self.record_group(std::slice::from_ref(one)).await {
                        Ok(Ok(answer)) => answer.into_iter().next().ok_or_else(closed),
                        Ok(Err(rejected)) => Err(rejected.into()),
                        Err(error) => Err(error),
                    });
                }
                answers
            }
            Ok(Err(rejected)) => vec![Err(rejected.into()); group.len()],
            Err(error) => vec![Err(error); group.len()],
        }
    }

    async fn record_group(
        &mut self,
        group: &[PendingIssuance],
    ) -> Outcome<Vec<Result<(), IssuanceRefusal>>, RowRejected> {
        self.transactions.transact(group, |connection, group| Box::pin(issuance::record(connection, group))).await
    }
}

async fn redeem_group(
    connection: &mut DbConnection,
    group: &[(IssuerId, Redemption)],
) -> Outcome<Vec<Result<(), RedemptionRefusal>>, Infallible> {
    let mut answers = Vec::with_capacity(group.len());
    for (issuer, redemption) in group {
        sqlx::query("savepoint redemption").execute(&mut *connection).await.map_err(unavailable)?;
        let answer = redeem(connection, issuer, redemption).await?;
        if answer.is_err() {
            sqlx::query("rollback to redemption").execute(&mut *connection).await.map_err(unavailable)?;
        }
        sqlx::query("release redemption").execute(&mut *connection).await.map_err(unavailable)?;
        answers.push(answer);
    }
    Ok(Ok(answers))
}

/// Writes without changing anything, to check that the database can be written.
async fn no_op_write(connection: &mut DbConnection) -> Outcome<(), Infallible> {
    sqlx::query(NO_OP_WRITE).execute(connection).await.map_err(unavailable)?;
    Ok(Ok(()))
}
