//! Migrates the schema of a SQLite file with migrations that are embedded in this program. All migrations run in one
//! transaction that holds the write lock; a schema that is newer than this program is never changed.

use std::time::Duration;

use futures_util::FutureExt as _;
use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};

use super::connection::Connector;
use super::fault::{is_busy, unavailable};
use super::lock_holders;
use crate::store::StoreError;
use crate::store::migrations::{APPLIED, MigrationReport, Migrations, Pending};
use crate::store::progress::{self, SAY_EVERY};

/// Migrations as version, name and SQL text, lowest version first. A released migration is never edited.
const MIGRATIONS: Migrations<6> = Migrations([
    (1, "issuing", include_str!("../../../migrations/sqlite/0001_issuing.sql")),
    (2, "key_life", include_str!("../../../migrations/sqlite/0002_key_life.sql")),
    (3, "shared", include_str!("../../../migrations/sqlite/0003_shared.sql")),
    (4, "identities", include_str!("../../../migrations/sqlite/0004_identities.sql")),
    (5, "exchange", include_str!("../../../migrations/sqlite/0005_exchange.sql")),
    (6, "plain_words", include_str!("../../../migrations/sqlite/0006_plain_words.sql")),
]);

/// Pause between two attempts to get the file's lock while another process holds it.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// Migrates the schema of the file that `connection` is open on. If the schema is not current, waits without a time
/// limit for a process that holds the file's lock, and logs which process that is.
///
/// # Errors
/// [`StoreError::Schema`] if the schema is newer than this program, or was changed by hand.
pub(super) async fn migrate(
    connection: &mut SqliteConnection,
    connector: &Connector,
) -> Result<MigrationReport, StoreError> {
    try_migrate(connection, connector).await.map_err(|error| connector.explain(error))
}

async fn try_migrate(connection: &mut SqliteConnection, connector: &Connector) -> Result<MigrationReport, StoreError> {
    if pending(connection).await?.is_empty() {
        return Ok(MIGRATIONS.report(&[]));
    }
    // SQLite's own wait would delay the first log line, and could not be interrupted.
    connector.set_busy_timeout(connection, Duration::ZERO).await?;
    let (mut waited, mut said) = (Duration::ZERO, None);
    let report = loop {
        match connection.begin_with("begin immediate").await {
            Ok(transaction) => break migrate_in(transaction).await?,
            Err(error) if is_busy(&error) => {}
            Err(error) => return Err(unavailable(error)),
        }
        if said.is_none_or(|said| waited >= said + SAY_EVERY) {
            progress::waits(&"another process writes to the file", waited, &lock_holders::of(connector.path()));
            said = Some(waited);
        }
        tokio::time::sleep(TRY_AGAIN).await;
        waited += TRY_AGAIN;
    };
    connector.set_busy_timeout(connection, connector.lock_within()).await?;
    Ok(report)
}

async fn migrate_in(mut transaction: Transaction<'_, Sqlite>) -> Result<MigrationReport, StoreError> {
    // The process that held the lock before may have migrated.
    let pending = pending(&mut transaction).await?;
    for next in &pending {
        tracing::info!("applying {next}");
        let what = format!("{next} runs");
        let work = async {
            let applied = MIGRATIONS.apply(&mut *transaction, next).await;
            applied.map_err(|error| MIGRATIONS.refusal(error, schema_mismatch))
        };
        let look = move |took| {
            progress::goes_on(&what, took);
            std::future::ready(Ok(())).boxed()
        };
        progress::watched(SAY_EVERY, work, look).await?;
    }
    transaction.commit().await.map_err(unavailable)?;
    Ok(MIGRATIONS.report(&pending))
}

async fn pending(connection: &mut SqliteConnection) -> Result<Vec<Pending>, StoreError> {
    let known: i64 = sqlx::query_scalar("select count(*) from sqlite_schema where name = ?")
        .bind(APPLIED)
        .fetch_one(&mut *connection)
        .await
        .map_err(unavailable)?;
    let pending = MIGRATIONS.pending(connection, known == 0).await;
    pending.map_err(|error| MIGRATIONS.refusal(error, schema_mismatch))
}

/// Converts an error of a migration to an error of the store: a table that exists before its migration belongs to
/// another program.
fn schema_mismatch(error: sqlx::Error) -> StoreError {
    if super::fault::is_schema_mismatch(&error) {
        return StoreError::Schema(format!("the file holds tables of another program ({error}): choose another file"));
    }
    unavailable(error)
}
