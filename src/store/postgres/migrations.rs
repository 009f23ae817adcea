//! Migrates the schema of a PostgreSQL database with migrations that are embedded in this program. Two processes never
//! migrate at the same time, and a schema that is newer than this program is never changed.

use std::time::Duration;

use futures_util::FutureExt as _;
use sqlx::PgConnection;
use sqlx::migrate::MigrateError;

use super::connection::Connector;
use super::fault::{late, unavailable};
use super::session::close;
use super::sessions::{self, session_id};
use crate::store::StoreError;
use crate::store::migrations::{APPLIED, MigrationReport, Migrations, Pending};
use crate::store::progress::{self, SAY_EVERY};

/// Migrations as version, name and SQL text, lowest version first. A released migration is never edited.
const MIGRATIONS: Migrations<6> = Migrations([
    (1, "issuing", include_str!("../../../migrations/postgres/0001_issuing.sql")),
    (2, "key_life", include_str!("../../../migrations/postgres/0002_key_life.sql")),
    (3, "shared", include_str!("../../../migrations/postgres/0003_shared.sql")),
    (4, "identities", include_str!("../../../migrations/postgres/0004_identities.sql")),
    (5, "exchange", include_str!("../../../migrations/postgres/0005_exchange.sql")),
    (6, "plain_words", include_str!("../../../migrations/postgres/0006_plain_words.sql")),
]);

/// Key of the advisory lock that is held during a migration; no other program locks this number in the database.
const LOCK: i64 = 0x6275_696c_6470_6173;

/// Pause between two attempts to get the lock while another session migrates.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Migrates the schema over a separate connection; the end of this connection always releases the advisory lock. If the
/// schema is current, takes no lock and needs no right to create anything.
pub(super) async fn migrate(connector: &Connector) -> Result<MigrationReport, StoreError> {
    let mut connection = connector.connect_for_long_work().await?;
    let report = migrate_in(&mut connection, connector).await;
    close(connection).await;
    report
}

async fn migrate_in(connection: &mut PgConnection, connector: &Connector) -> Result<MigrationReport, StoreError> {
    if pending(connection, connector).await?.is_empty() {
        return Ok(MIGRATIONS.report(&[]));
    }
    lock(connection, connector).await?;
    // The session that held the lock before may have migrated.
    let pending = pending(connection, connector).await?;
    let session = session_id(connection).await.map_err(unavailable)?;
    for next in &pending {
        tracing::info!("applying {next}");
        let asking = connector.clone();
        let what = format!("{next} runs");
        let work = async {
            let applied = MIGRATIONS.apply(&mut *connection, next).await;
            let Err(error) = applied else { return Ok(()) };
            Err(refusal(error, connector, &format!("{} _sqlx_migrations", next.sql)).await)
        };
        let look = move |took| look(asking.clone(), session, what.clone(), took).boxed();
        progress::watched(SAY_EVERY, work, look).await?;
        tracing::info!("applied {next}");
    }
    Ok(MIGRATIONS.report(&pending))
}

async fn pending(connection: &mut PgConnection, connector: &Connector) -> Result<Vec<Pending>, StoreError> {
    let known: Option<String> = sqlx::query_scalar("select cast(to_regclass($1) as text)")
        .bind(APPLIED)
        .fetch_one(&mut *connection)
        .await
        .map_err(unavailable)?;
    match MIGRATIONS.pending(connection, known.is_none()).await {
        Ok(pending) => Ok(pending),
        Err(error) => Err(refusal(error, connector, "select from _sqlx_migrations").await),
    }
}

/// Converts an error of a migration to an error of the store. If the database user lacks a right for the statements
/// `sql`, the error says which.
async fn refusal(error: MigrateError, connector: &Connector, sql: &str) -> StoreError {
    let rights = connector.rights();
    let error = match error {
        MigrateError::Execute(error) => MigrateError::Execute(rights.explain(error, sql).await),
        MigrateError::ExecuteMigration(error, version) => {
            MigrateError::ExecuteMigration(rights.explain(error, sql).await, version)
        }
        other => other,
    };
    MIGRATIONS.refusal(error, unavailable)
}

/// Takes the advisory lock. While another session migrates, waits without a time limit, and logs at once, and then
/// every few seconds, which session that is. Fails if the PostgreSQL server stops answering.
async fn lock(connection: &mut PgConnection, connector: &Connector) -> Result<(), StoreError> {
    let (mut waited, mut said) = (Duration::ZERO, None);
    loop {
        let locking = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *connection);
        let locked = tokio::time::timeout(connector.options().waits.statement, locking).await;
        if locked.unwrap_or_else(|_| Err(late())).map_err(unavailable)? {
            return Ok(());
        }
        if said.is_none_or(|said| waited >= said + SAY_EVERY) {
            let holders = sessions::holding(connection, LOCK).await.map_err(unavailable)?;
            progress::waits(&"another server migrates the database", waited, &holders);
            said = Some(waited);
        }
        tokio::time::sleep(TRY_AGAIN).await;
        waited += TRY_AGAIN;
    }
}

/// Logs that the work `what` in the PostgreSQL session `session` still runs, and which other sessions hold a lock that
/// the work waits for.
///
/// # Errors
/// [`StoreError::Unavailable`] if PostgreSQL has ended the session `session`, since the work can then never end.
async fn look(connector: Connector, session: i32, what: String, took: Duration) -> Result<(), StoreError> {
    let seen = async {
        let mut connection = connector.connect().await?;
        let seen = sessions::blocking(&mut connection, session).await.map_err(unavailable);
        close(connection).await;
        seen
    };
    match seen.await {
        Ok(None) => {
            let text = format!("{what}, but PostgreSQL ended the session after {} s at most", took.as_secs());
            return Err(StoreError::Unavailable(text));
        }
        Ok(Some(blocking)) if blocking.is_empty() => progress::goes_on(&what, took),
        Ok(Some(blocking)) => progress::waits(&what, took, &blocking),
        Err(error) => {
            progress::goes_on(&what, took);
            tracing::warn!(%error, "could not ask PostgreSQL which session the migration waits for");
        }
    }
    Ok(())
}
