//! Records a group of issued tokens in one transaction: checks, counts and records them with statements over the whole
//! group. The transaction never counts a token without recording the token, or the reverse.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::json;
use sqlx::AssertSqlSafe;

use super::driver::{Db, DbArguments, DbConnection, DbRow};
use super::fault::{is_constraint, unavailable};
use super::fields::{Fields, stored_count, stored_json};
use super::statements::{COUNT_BUILDS, COUNT_RULES, COUNT_TOKENS, LOCK, READ};
use crate::base::{ClientId, IssuerId};
use crate::store::issuance_decision::{Decision, IssuanceState, Tally, TokenState, decide};
use crate::store::{AuditRow, Issuance, IssuanceRefusal, Outcome, StoreError};

/// A signed token that waits to be recorded together with a group of tokens.
#[derive(Debug, Clone)]
pub(super) struct PendingIssuance {
    pub(super) issuer: IssuerId,
    pub(super) issuance: Issuance,
}

/// Error returned when a constraint rejected an audit record of the group, for example because of a repeated `jti`.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowRejected;

impl From<RowRejected> for StoreError {
    fn from(_: RowRejected) -> Self {
        Self::Unavailable(
            "the database rejected an audit record: a token with the same jti may have been recorded before".to_owned(),
        )
    }
}

/// Records the tokens of the group that may be issued. Returns the answer to each token, in the group's order.
pub(super) async fn record(
    connection: &mut DbConnection,
    group: &[PendingIssuance],
) -> Outcome<Vec<Result<(), IssuanceRefusal>>, RowRejected> {
    let mut issuers: Vec<&IssuerId> = Vec::new();
    for waiting in group {
        if !issuers.contains(&&waiting.issuer) {
            issuers.push(&waiting.issuer);
        }
    }
    let mut answers = vec![Err(IssuanceRefusal::NotActive); group.len()];
    for issuer in issuers {
        let places = answers.iter_mut().zip(group).filter(|(_, waiting)| waiting.issuer == *issuer);
        let (places, members): (Vec<_>, Vec<_>) = places.map(|(place, waiting)| (place, &waiting.issuance)).unzip();
        match record_for(connection, issuer, &members).await? {
            Ok(decided) => places.into_iter().zip(decided).for_each(|(place, answer)| *place = answer),
            Err(rejected) => return Ok(Err(rejected)),
        }
    }
    Ok(Ok(answers))
}

async fn record_for(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    members: &[&Issuance],
) -> Outcome<Vec<Result<(), IssuanceRefusal>>, RowRejected> {
    let states = read(connection, issuer, members).await?;
    let decision = decide(members.iter().copied().zip(states));
    count(connection, issuer, &decision).await?;
    let accepted = members.iter().zip(&decision.answers).filter(|(_, answer)| answer.is_ok());
    let rows: Vec<&AuditRow> = accepted.map(|(issuance, _)| &issuance.row).collect();
    match insert(connection, issuer, &rows).await? {
        Ok(()) => Ok(Ok(decision.answers)),
        Err(rejected) => Ok(Err(rejected)),
    }
}

/// Locks and reads the state that each token of the group depends on, in the group's order; `None` if the token's build
/// does not exist.
async fn read(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    members: &[&Issuance],
) -> Result<Vec<Option<IssuanceState>>, StoreError> {
    let wanted: Vec<_> =
        members.iter().map(|member| (member.row.build_id, member.row.request_token_id, &member.row.rule)).collect();
    let wanted = stored_json(&wanted)?;
    for lock in LOCK {
        let locked = sqlx::query(*lock).bind(issuer.as_str()).bind(&wanted).fetch_all(&mut *connection).await;
        locked.map_err(unavailable)?;
    }
    let rows =
        sqlx::query(READ).bind(issuer.as_str()).bind(&wanted).fetch_all(connection).await.map_err(unavailable)?;
    let mut states = vec![None; members.len()];
    for row in &rows {
        let at = usize::try_from(Fields::of(row, "builds").count("at")?).unwrap_or(usize::MAX);
        if let Some(place) = states.get_mut(at) {
            *place = Some(state(row)?);
        }
    }
    Ok(states)
}

fn state(row: &DbRow) -> Result<IssuanceState, StoreError> {
    let build = Fields::of(row, "builds");
    let client = Fields::of(row, "clients");
    let token = Fields::of(row, "request_tokens");
    let token = match token.optional_parsed("build_id")? {
        Some(build) => Some(TokenState {
            build,
            kind: token.parsed("kind")?,
            expires_at: token.moment("expires_at")?,
            ended: token.optional_moment("ended_at")?.is_some(),
            max_uses: token.optional_count("max_uses")?,
            uses: token.count("uses")?,
        }),
        None => None,
    };
    Ok(IssuanceState {
        client: ClientId::from_text(build.text("client_id")?),
        client_disabled: client.optional_moment("disabled_at")?.is_some(),
        client_revision: client.count("revision")?,
        deadline: build.moment("deadline")?,
        finished: build.optional_moment("finished_at")?.is_some(),
        issued: build.count("tokens_issued")?,
        token,
        issued_by_rule: Fields::of(row, "rule_counts").optional_count("issued")?.unwrap_or(0),
    })
}

/// Adds the issued tokens to the counts of builds, request tokens and rules. Each statement checks the conditions of
/// the decision again. If a row differs from what was read, the whole group is rolled back.
async fn count(connection: &mut DbConnection, issuer: &IssuerId, decision: &Decision<'_>) -> Result<(), StoreError> {
    let builds = tallies(&decision.builds, |id| json!([id]))?;
    update(connection, COUNT_BUILDS, issuer, &builds).await?.must_be(decision.builds.len())?;
    if !decision.tokens.is_empty() {
        let tokens = tallies(&decision.tokens, |id| json!([id]))?;
        update(connection, COUNT_TOKENS, issuer, &tokens).await?.must_be(decision.tokens.len())?;
    }
    if !decision.rules.is_empty() {
        let rules = tallies(&decision.rules, |(build, rule)| json!([build, rule]))?;
        update(connection, COUNT_RULES, issuer, &rules).await?.must_be(decision.rules.len())?;
    }
    Ok(())
}

/// Encodes the additions to counts as JSON, in which each entry is `[[key, …], added, limit, time of the addition]`.
fn tallies<K>(tallies: &BTreeMap<K, Tally>, key: impl Fn(&K) -> serde_json::Value) -> Result<String, StoreError> {
    let rows: Vec<_> = tallies
        .iter()
        .map(|(of, tally)| (key(of), stored_count(tally.added), tally.limit.map(stored_count), tally.now.unix()))
        .collect();
    stored_json(&rows)
}

/// Number of rows that a statement changed.
struct Changed(u64);

impl Changed {
    fn must_be(self, expected: usize) -> Result<(), StoreError> {
        if usize::try_from(self.0) == Ok(expected) {
            return Ok(());
        }
        Err(StoreError::Unavailable(
            "a count of tokens changed although its row was locked: no token of the transaction was issued".to_owned(),
        ))
    }
}

async fn update(
    connection: &mut DbConnection,
    statement: &'static str,
    issuer: &IssuerId,
    rows: &str,
) -> Result<Changed, StoreError> {
    let done = sqlx::query(statement).bind(issuer.as_str()).bind(rows).execute(connection).await;
    done.map(|done| Changed(done.rows_affected())).map_err(unavailable)
}

/// Number of columns of an audit record.
const COLUMNS: usize = 19;

/// Possible numbers of audit records in one insert statement, largest first. Few sizes are used, so that each statement
/// is prepared once.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// Insert statements, one for each size in [`SIZES`].
static INSERTS: LazyLock<[Arc<str>; 4]> = LazyLock::new(|| SIZES.map(insert_statement));

fn insert_statement(rows: usize) -> Arc<str> {
    let row = |row: usize| {
        let places = (row * COLUMNS + 1..=(row + 1) * COLUMNS).map(|place| format!("${place}"));
        format!("({})", places.collect::<Vec<_>>().join(", "))
    };
    let rows = (0..rows).map(row).collect::<Vec<_>>().join(", ");
    format!(
        "insert into audit (issuer, jti, issued_at, expires_at, build_id, client_id, request_token_id, rule, org, \
         repo, number, step, subject, audiences, alg, kid, token_sha256, peer, claims) values {rows}"
    )
    .into()
}

async fn insert(connection: &mut DbConnection, issuer: &IssuerId, rows: &[&AuditRow]) -> Outcome<(), RowRejected> {
    let mut rest = rows;
    for (size, statement) in SIZES.into_iter().zip(INSERTS.iter()) {
        while let Some((some, others)) = rest.split_at_checked(size) {
            rest = others;
            let mut query = sqlx::query(AssertSqlSafe(Arc::clone(statement)));
            for row in some {
                query = bind(query, issuer, row)?;
            }
            match query.execute(&mut *connection).await {
                Ok(_) => {}
                Err(error) if is_constraint(&error) => return Ok(Err(RowRejected)),
                Err(error) => return Err(unavailable(error)),
            }
        }
    }
    Ok(Ok(()))
}

type Query<'q> = sqlx::query::Query<'q, Db, DbArguments>;

/// Binds the values of an audit record in the order of the statement's columns. A test counts the values, since SQLite
/// silently stores null for a missing value.
fn bind<'q>(query: Query<'q>, issuer: &'q IssuerId, row: &'q AuditRow) -> Result<Query<'q>, StoreError> {
    Ok(query
        .bind(issuer.as_str())
        .bind(row.jti.to_string())
        .bind(row.issued_at.unix())
        .bind(row.expires_at.unix())
        .bind(row.build_id.to_string())
        .bind(row.client_id.as_str())
        .bind(row.request_token_id.map(|id| id.to_string()))
        .bind(row.rule.as_deref())
        .bind(row.org.as_str())
        .bind(row.repo.as_str())
        .bind(row.number.to_string())
        .bind(row.step.as_deref())
        .bind(row.subject.as_str())
        .bind(stored_json(&row.audiences)?)
        .bind(row.alg.name())
        .bind(row.kid.as_str())
        .bind(row.token_sha256.as_bytes().as_slice())
        .bind(row.peer.as_deref())
        .bind(row.claims.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_holds_as_many_rows_as_its_size() {
        for (size, statement) in SIZES.into_iter().zip(INSERTS.iter()) {
            assert_eq!(statement.matches('$').count(), size * COLUMNS);
            assert!(size * COLUMNS <= 32_766, "SQLite binds no more, and PostgreSQL hardly any");
        }
    }
}
