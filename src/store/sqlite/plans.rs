//! Tests of SQLite's query plans: no statement may scan a table that grows.

use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use super::connection::Connector;
use super::{audit, statements};
use crate::store::StoreWaits;

/// Opens an empty database. SQLite plans statements on an empty database as on a full one, because nothing gathers
/// statistics.
async fn empty() -> SqliteConnection {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let connector = Connector::prepare(&folder.path().join("unused.db"), StoreWaits::default()).await.unwrap();
    super::migrations::migrate(&mut connection, &connector).await.unwrap();
    connection
}

async fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("explain query plan {statement}"));
    let rows = sqlx::query(explain).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

#[tokio::test]
async fn issuing_scans_only_its_group() {
    let mut connection = empty().await;
    for statement in [statements::READ, statements::COUNT_BUILDS, statements::COUNT_TOKENS, statements::COUNT_RULES] {
        let plan = plan(&mut connection, statement).await;
        assert!(plan[0].starts_with("SCAN g VIRTUAL"), "the group comes first: {plan:?}");
        for line in &plan[1..] {
            assert!(line.starts_with("SEARCH"), "{plan:?}");
        }
    }
}

#[tokio::test]
async fn the_record_is_listed_by_the_index_that_fits() {
    let mut connection = empty().await;
    for (statement, indexes) in [
        (audit::LIST_ALL, &["audit_time"][..]),
        (audit::LIST_BUILD, &["audit_build"]),
        (audit::LIST_SUBJECT, &["audit_subject"]),
        (audit::LIST_BOTH, &["audit_build", "audit_subject"]),
    ] {
        let plan = plan(&mut connection, statement).await;
        let fits = |index: &&str| {
            plan[0].starts_with(&format!("SEARCH audit USING INDEX {index} (")) && plan[0].contains("issued_at>?")
        };
        assert!(indexes.iter().any(fits), "{plan:?}");
        // Only rows of the same second are sorted at a time, never all rows.
        assert_eq!(plan[1..], ["USE TEMP B-TREE FOR LAST TERM OF ORDER BY"]);
    }
}
