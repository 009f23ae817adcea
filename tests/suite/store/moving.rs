//! Rows that move: through the migration that renames tables and columns, and from a file to PostgreSQL. No row is lost
//! or changed on the way, whichever table it is in.

use buildpass::store::RevocationReason;
use buildpass::store::copy::{self, CopyError, copy};
use buildpass::store::postgres::PostgresStore;
use buildpass::store::sqlite::SqliteStore;

use super::filled::{
    FILLED, Rows, fill_postgres, fill_sqlite, postgres_names, postgres_rows, sqlite_names, sqlite_rows,
};
use super::sample::NOW;
use crate::harness::postgres::PostgresServer;

/// What 0006 renames: table, column (none for the table itself), new name.
const RENAMED: [(&str, &str, &str); 12] = [
    ("rule_books", "", "rules_revisions"),
    ("key_promises", "", "server_settings"),
    ("key_promises", "promised_at", "stored_at"),
    ("entitlements", "learned_owner_id", "pinned_owner_id"),
    ("entitlements", "learned_repository_id", "pinned_repository_id"),
    ("entitlements", "learn_until", "pin_until"),
    ("traded_tokens", "", "used_tokens"),
    ("traded_tokens", "spent", "used"),
    ("credentials", "door", "flow"),
    ("credentials", "dead_at", "revoked_at"),
    ("credentials", "dead_because", "revoked_reason"),
    ("events", "door", "flow"),
];

/// Kind of events that 0006 renames.
const EVENT_KIND: (&str, &str) = ("ids_learned", "ids_pinned");

/// Reasons of revocations that 0006 rewords.
const REASONS: [(&str, &str); 11] = [
    ("its ID token was revoked", "the ID token was revoked"),
    ("its build ended", "the build finished"),
    ("the client of its build was disabled", "the client of the build was disabled"),
    ("it was revoked", "the credential was revoked"),
    ("what it was given by was changed", "the entitlement was changed"),
    ("what it was given by was removed", "the entitlement was deleted"),
    ("its provider was changed", "the provider was changed"),
    ("its provider was removed", "the provider was deleted"),
    ("a signing key that it rests on was revoked", "the signing key was revoked"),
    ("its user was removed", "the user was deleted"),
    ("its user was disabled", "the user was disabled"),
];

fn renamed(rows: Rows) -> Rows {
    let name = |table: &str, column: &str| {
        let new = RENAMED.iter().find(|(of, old, _)| (*of, *old) == (table, column));
        new.map_or(if column.is_empty() { table } else { column }, |(_, _, new)| *new).to_owned()
    };
    let rename = |(table, rows): (String, Vec<_>)| {
        let rename_row = |row: std::collections::BTreeMap<String, Option<String>>| {
            row.into_iter().map(|(column, value)| {
                let new = |old: String| {
                    let found = REASONS.iter().chain([&EVENT_KIND]).find(|(from, _)| *from == old);
                    found.map_or(old, |(_, to)| (*to).to_owned())
                };
                (name(&table, &column), value.map(new))
            })
        };
        let mut rows: Vec<_> = rows.into_iter().map(|row| rename_row(row).collect()).collect();
        rows.sort();
        (name(&table, ""), rows)
    };
    rows.into_iter().map(rename).collect()
}

/// Fails for a table without rows or a column without values, so that no later table escapes the cases here.
fn assert_filled(rows: &Rows) {
    for (table, rows) in rows.iter().filter(|(table, _)| *table != "moved") {
        let first = rows.first().unwrap_or_else(|| panic!("fill table {table}, for example in filled_0005.sql"));
        for column in first.keys() {
            assert!(rows.iter().any(|row| row[column].is_some()), "fill column {column} of table {table}");
        }
    }
}

/// Words of former names, which no name of the current schema may have.
const FORMER_WORDS: [&str; 8] =
    ["dead_", "door", "learn", "promise", "rule_book", "signing_key_versions", "spent", "traded"];

fn assert_no_former_word(names: &[String]) {
    assert!(names.iter().any(|name| name.contains("used_tokens")), "{names:?}");
    let has_former_word = |name: &&String| FORMER_WORDS.iter().any(|word| name.contains(word));
    let found: Vec<_> = names.iter().filter(has_former_word).collect();
    assert!(found.is_empty(), "rename in a migration: {found:#?}");
}

fn assert_same(found: &Rows, expected: &Rows) {
    assert!(found.keys().eq(expected.keys()), "{:?} {:?}", found.keys(), expected.keys());
    for (table, rows) in expected {
        assert_eq!(&found[table], rows, "table {table}");
    }
}

#[test]
fn every_reason_of_a_revocation_has_a_former_text_that_is_migrated() {
    let mut new: Vec<_> = REASONS.iter().map(|(_, new)| (*new).to_owned()).collect();
    let mut current: Vec<_> = RevocationReason::ALL.iter().map(ToString::to_string).collect();
    new.sort();
    current.sort();
    assert_eq!(new, current);
    for (former, _) in REASONS {
        assert!(FILLED.contains(&format!("'{former}'")), "{former}: write a row with it in filled_0005.sql");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_file_survive_the_migration_to_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("buildpass.db");
    fill_sqlite(&path).await;
    let before = sqlite_rows(&path).await;
    assert_filled(&before);
    let report = SqliteStore::migrate(&path).await.unwrap();
    assert_eq!(report.before, 5);
    assert_same(&sqlite_rows(&path).await, &renamed(before));
    assert_no_former_word(&sqlite_names(&path).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn rows_on_a_server_survive_the_migration_to_plain_words() {
    let database = PostgresServer::shared().database().await;
    fill_postgres(&database).await;
    let before = postgres_rows(&database).await;
    assert_filled(&before);
    let report = PostgresStore::migrate(database.clone()).await.unwrap();
    assert_eq!(report.before, 5);
    assert_same(&postgres_rows(&database).await, &renamed(before));
    assert_no_former_word(&postgres_names(&database).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn every_row_of_every_table_is_copied_but_those_that_belong_to_one_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("buildpass.db");
    fill_sqlite(&path).await;
    SqliteStore::migrate(&path).await.unwrap();
    let mut source = sqlite_rows(&path).await;
    assert_filled(&source);
    let database = PostgresServer::shared().database().await;
    let copied = copy(&path, &database, NOW).await.unwrap();
    for (table, _why) in copy::LEFT_BEHIND.into_iter().filter(|(table, _)| *table != "_sqlx_migrations") {
        source.insert(table.to_owned(), Vec::new()).expect("a table of the schema");
    }
    assert_same(&postgres_rows(&database).await, &source);
    let counted: Vec<_> = source.iter().filter(|(_, rows)| !rows.is_empty()).map(|(table, _)| table.clone()).collect();
    let mut reported: Vec<_> = copied.into_iter().map(|table| table.name).collect();
    reported.sort();
    assert_eq!(reported, counted);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn only_a_target_that_holds_the_keys_of_the_file_counts_as_a_finished_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("buildpass.db");
    fill_sqlite(&path).await;
    SqliteStore::migrate(&path).await.unwrap();
    let database = PostgresServer::shared().database().await;
    copy(&path, &database, NOW).await.unwrap();
    let again = copy(&path, &database, NOW).await.unwrap_err();
    assert!(matches!(&again, CopyError::Finished(place) if *place == database.to_string()), "{again}");
    // The file is marked as moved there, but the database was replaced by that of another installation.
    PostgresServer::tell_database(&database, "update signing_keys set kid = 'other-' || kid").await;
    let again = copy(&path, &database, NOW).await.unwrap_err();
    assert!(matches!(again, CopyError::NotEmpty { .. }), "{again}");
}
