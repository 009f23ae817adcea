//! The one task that writes. It owns the writing connection, so that a caller who hangs up cancels nothing.
//! Never answers before the commit.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::connection::Connector;
use super::driver::DbConnection;
use super::fault::{closed, unavailable};
use super::issuance::{self, RowRefused, Waiting};
use super::redeem::redeem;
use super::statements::TOUCH;
use super::transactions::{Transactions, Verdict};
use crate::base::IssuerId;
use crate::store::{InFlight, Issuance, IssuanceRefusal, Redemption, RedemptionRefusal, StoreError};

/// Jobs that may wait; who comes later waits for room.
const QUEUE: usize = 4_096;

/// Tokens that are recorded together at most.
const GROUP: usize = 256;

/// Redemptions that are settled together at most: what each holds is held until all are.
const REDEMPTIONS: usize = 64;

/// While a group is waited for, how often it is asked whether anything is still being signed.
const TICK: Duration = Duration::from_millis(1);

type Reply<T> = oneshot::Sender<T>;

/// An act whose types were erased: it makes its own transaction and answers its caller.
type Act = Box<dyn for<'t> FnOnce(&'t mut Transactions) -> BoxFuture<'t, ()> + Send>;

enum Job {
    Act(Act),
    Record(Box<Waiting>, Reply<Verdict<(), IssuanceRefusal>>),
    Settle(Box<(IssuerId, Redemption)>, Reply<Verdict<(), RedemptionRefusal>>),
    Check(Reply<Result<(), StoreError>>),
    Close(Reply<()>),
}

/// Hands jobs to the task. The task ends when this is dropped or closed, after what it had accepted.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the task with a connection that is ready.
    pub(super) fn start(connector: Connector, connection: DbConnection, pending: InFlight, linger: Duration) -> Self {
        let (jobs, accepted) = mpsc::channel(QUEUE);
        let transactions = Transactions::new(connector, connection);
        tokio::spawn(Task { accepted, transactions, pending, linger }.run());
        Self { jobs }
    }

    /// One act in one transaction, committed unless it is refused or fails. It locks what it reads and relies upon.
    pub(super) async fn act<T, R, F>(&self, work: F) -> Verdict<T, R>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: for<'c> Fn(&'c mut DbConnection) -> BoxFuture<'c, Verdict<T, R>> + Send + Sync + 'static,
    {
        self.hand_over(|transactions, reply| {
            Box::pin(async move {
                // Whoever asked may have gone; the act stands all the same.
                let _gone = reply.send(transactions.transact(work).await);
            })
        })
        .await
    }

    /// The same for an act that reads more than it could lock: it goes on as if it were alone.
    pub(super) async fn act_alone<T, R, F>(&self, work: F) -> Verdict<T, R>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: for<'c> Fn(&'c mut DbConnection) -> BoxFuture<'c, Verdict<T, R>> + Send + Sync + 'static,
    {
        self.hand_over(|transactions, reply| {
            Box::pin(async move {
                let _gone = reply.send(transactions.transact_alone(work).await);
            })
        })
        .await
    }

    async fn hand_over<T, R>(
        &self,
        act: impl for<'t> FnOnce(&'t mut Transactions, Reply<Verdict<T, R>>) -> BoxFuture<'t, ()> + Send + 'static,
    ) -> Verdict<T, R>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Act(Box::new(move |transactions| act(transactions, reply)))).await?;
        answer.await.map_err(|_| closed())?
    }

    /// One act in one transaction that nothing can refuse.
    pub(super) async fn change<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut DbConnection) -> BoxFuture<'c, Verdict<T, Infallible>> + Send + Sync + 'static,
    {
        match self.act(work).await? {
            Ok(done) => Ok(done),
            Err(never) => match never {},
        }
    }

    /// Records a token together with the others that wait.
    pub(super) async fn record(&self, issuer: IssuerId, issuance: Issuance) -> Verdict<(), IssuanceRefusal> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Record(Box::new(Waiting { issuer, issuance }), reply)).await?;
        answer.await.map_err(|_| closed())?
    }

    /// Settles a redemption; those that wait are committed together.
    pub(super) async fn redeem(&self, issuer: IssuerId, redemption: Redemption) -> Verdict<(), RedemptionRefusal> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Settle(Box::new((issuer, redemption)), reply)).await?;
        answer.await.map_err(|_| closed())?
    }

    /// Writes and commits; those who ask at the same time share one commit.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Check(reply)).await?;
        answer.await.map_err(|_| closed())?
    }

    /// Does what was accepted, then closes the connection. Whoever comes later is told that the store is closed.
    pub(super) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.send(Job::Close(reply)).await.is_ok() {
            // An error says that the task has ended, which is what is waited for.
            let _ended = answer.await;
        }
    }

    async fn send(&self, job: Job) -> Result<(), StoreError> {
        self.jobs.send(job).await.map_err(|_| closed())
    }
}

/// What is done between two looks at the queue.
#[derive(Default)]
struct Round {
    group: Vec<Waiting>,
    replies: Vec<Reply<Verdict<(), IssuanceRefusal>>>,
    redemptions: Vec<(IssuerId, Redemption)>,
    redemption_replies: Vec<Reply<Verdict<(), RedemptionRefusal>>>,
    acts: Vec<Act>,
    checks: Vec<Reply<Result<(), StoreError>>>,
    closing: Vec<Reply<()>>,
}

impl Round {
    fn take(&mut self, job: Job) {
        match job {
            Job::Act(act) => self.acts.push(act),
            Job::Record(waiting, reply) => {
                self.group.push(*waiting);
                self.replies.push(reply);
            }
            Job::Settle(redemption, reply) => {
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

    /// Only tokens gain by waiting for more of their kind; nothing else is made to wait with them.
    fn may_linger(&self) -> bool {
        self.has_room()
            && self.acts.is_empty()
            && self.redemptions.is_empty()
            && self.checks.is_empty()
            && self.closing.is_empty()
    }
}

struct Task {
    accepted: mpsc::Receiver<Job>,
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
            let _gone = reply.send(());
        }
    }

    /// Takes all that waits. Tokens linger while others are being signed: a larger group costs hardly more.
    async fn gather(&mut self, first: Job) -> Round {
        let mut round = Round::default();
        round.take(first);
        let mut bound = pin!(tokio::time::sleep(self.linger));
        loop {
            while round.has_room() {
                match self.accepted.try_recv() {
                    Ok(job) => round.take(job),
                    Err(_) => break,
                }
            }
            if !round.may_linger() || self.linger.is_zero() || self.pending.count() == 0 {
                return round;
            }
            tokio::select! {
                biased;
                () = &mut bound => return round,
                job = self.accepted.recv() => match job {
                    Some(job) => round.take(job),
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
            let answers = self.record(Arc::new(group)).await;
            for (reply, answer) in replies.into_iter().zip(answers) {
                let _gone = reply.send(answer);
            }
        }
        if !redemptions.is_empty() {
            let answers = self.redeem(Arc::new(redemptions)).await;
            for (reply, answer) in redemption_replies.into_iter().zip(answers) {
                let _gone = reply.send(answer);
            }
        }
        for act in acts {
            act(&mut self.transactions).await;
        }
        if !checks.is_empty() {
            let end = self.transactions.transact(|connection| Box::pin(touch(connection))).await;
            for reply in checks {
                let _gone = reply.send(end.clone().map(|_| ()));
            }
        }
    }

    /// Settles a group in one transaction, a savepoint each, so that a refusal undoes its own redemption alone; where one of
    /// them fails, each by itself.
    async fn redeem(&mut self, redemptions: Arc<Vec<(IssuerId, Redemption)>>) -> Vec<Verdict<(), RedemptionRefusal>> {
        if redemptions.len() > 1 {
            let group = Arc::clone(&redemptions);
            let together = self.transactions.transact(move |connection| {
                let group = Arc::clone(&group);
                Box::pin(async move { settle_together(connection, &group).await })
            });
            if let Ok(Ok(answers)) = together.await {
                return answers.into_iter().map(Ok).collect();
            }
        }
        let mut answers = Vec::with_capacity(redemptions.len());
        for at in 0..redemptions.len() {
            let redemptions = Arc::clone(&redemptions);
            let alone = self.transactions.transact(move |connection| {
                let redemptions = Arc::clone(&redemptions);
                Box::pin(async move {
                    let (issuer, redemption) = redemptions.get(at).ok_or_else(closed)?;
                    redeem(connection, issuer, redemption).await
                })
            });
            answers.push(alone.await);
        }
        answers
    }

    /// Records a group; where one of its rows can't be taken, each alone, so that it spoils no other.
    async fn record(&mut self, group: Arc<Vec<Waiting>>) -> Vec<Verdict<(), IssuanceRefusal>> {
        match self.record_together(Arc::clone(&group)).await {
            Ok(Ok(answers)) => answers.into_iter().map(Ok).collect(),
            Ok(Err(RowRefused)) if group.len() > 1 => {
                let mut answers = Vec::with_capacity(group.len());
                for one in group.iter() {
                    let alone = self.record_together(Arc::new(vec![one.clone()])).await;
                    answers.push(match alone {
                        Ok(Ok(answer)) => answer.into_iter().next().ok_or_else(closed),
                        Ok(Err(refused)) => Err(refused.into()),
                        Err(error) => Err(error),
                    });
                }
                answers
            }
            Ok(Err(refused)) => vec![Err(refused.into()); group.len()],
            Err(error) => vec![Err(error); group.len()],
        }
    }

    async fn record_together(
        &mut self,
        group: Arc<Vec<Waiting>>,
    ) -> Verdict<Vec<Result<(), IssuanceRefusal>>, RowRefused> {
        self.transactions
            .transact(move |connection| {
                let group = Arc::clone(&group);
                Box::pin(async move { issuance::record(connection, &group).await })
            })
            .await
    }
}

async fn settle_together(
    connection: &mut DbConnection,
    group: &[(IssuerId, Redemption)],
) -> Verdict<Vec<Result<(), RedemptionRefusal>>, Infallible> {
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

/// Writes what changes nothing.
async fn touch(connection: &mut DbConnection) -> Verdict<(), Infallible> {
    sqlx::query(TOUCH).execute(connection).await.map_err(unavailable)?;
    Ok(Ok(()))
}
