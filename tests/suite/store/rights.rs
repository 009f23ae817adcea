//! A database user without a right: the error names the right, the object and the user, and the statement that it gives
//! is enough.

use std::sync::atomic::{AtomicU32, Ordering};

use buildpass::store::postgres::{PostgresOptions, PostgresStore};
use buildpass::store::{Audit, InFlight, Store, StoreError};

use super::sample::{issuance, issuer, recorded, running};
use crate::harness::postgres::PostgresServer;

/// A new database, and the options of a user of it who has no rights but those of every user.
async fn strange_user() -> (PostgresOptions, PostgresOptions) {
    static USERS: AtomicU32 = AtomicU32::new(0);
    let database = PostgresServer::shared().database().await;
    let user = format!("Bare {}", USERS.fetch_add(1, Ordering::Relaxed));
    let password = database.password.as_ref().unwrap().expose_secret().replace('\'', "''");
    tell(&database, &format!("create role \"{user}\" login password '{password}'")).await;
    (database.clone(), PostgresOptions { user, ..database })
}

async fn tell(database: &PostgresOptions, statement: &str) {
    PostgresServer::tell_database(database, statement).await;
}

async fn open(options: &PostgresOptions) -> Result<PostgresStore, String> {
    PostgresStore::open(options.clone(), InFlight::default()).await.map_err(said)
}

fn said(error: StoreError) -> String {
    match error {
        StoreError::Unavailable(text) => text,
        other => panic!("{other:?}"),
    }
}

/// Runs the statements that an error recommends, as the database's owner.
async fn obey(database: &PostgresOptions, said: &str) {
    let (_, statements) = said.split_once("gives it by: ").unwrap_or_else(|| panic!("{said}"));
    tell(database, statements).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_migration_without_rights_names_them_and_the_statement_that_gives_them() {
    for (taken, right) in [
        ("select 1", "missing: create on schema public;"),
        ("revoke usage on schema public from public", "missing: usage on schema public, create on schema public;"),
        ("drop schema public", "missing: a schema (none of search_path exists: Bare "),
    ] {
        let (owner, bare) = strange_user().await;
        tell(&owner, taken).await;
        let refused = open(&bare).await.map(drop).unwrap_err();
        let user = format!("the user \"{}\" may not do this in the database {}", bare.user, bare.database);
        assert!(refused.contains(right) && refused.contains(&user), "{refused}");
        obey(&owner, &refused).await;
        open(&bare).await.unwrap_or_else(|error| panic!("{taken}: {error}")).close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_statement_without_rights_names_them_and_the_statements_suffice() {
    let (owner, bare) = strange_user().await;
    let full = open(&owner).await.unwrap();
    let (client, new) = running(&full).await;
    let mut heard = Vec::new();
    let store = loop {
        match open(&bare).await {
            Ok(store) => break store,
            Err(refused) => {
                obey(&owner, &refused).await;
                heard.push(refused);
            }
        }
        assert!(heard.len() < 5, "{heard:#?}");
    };
    assert!(heard[0].contains("missing: select on table _sqlx_migrations"), "{heard:#?}");
    while let Err(error) = store.record(&issuer(), issuance(&client, &new)).await {
        let refused = said(error);
        obey(&owner, &refused).await;
        heard.push(refused);
        assert!(heard.len() < 20, "{heard:#?}");
    }
    for right in ["insert on table audit;", "select, update on table builds,"] {
        assert!(heard.iter().any(|said| said.contains(right)), "{right}: {heard:#?}");
    }
    tell(&owner, &format!("revoke select on table audit from \"{}\"", bare.user)).await;
    let listed = store.list_audit(&issuer(), &buildpass::store::AuditFilter::default(), None, 9).await;
    assert!(said(listed.unwrap_err()).contains("missing: select on table audit;"));
    tell(&owner, "revoke usage on schema public from public").await;
    let lost = said(store.find_audit(&issuer(), issuance(&client, &new).row.jti).await.unwrap_err());
    assert!(lost.contains("missing: usage on schema public"), "{lost}");
    assert_eq!(recorded(&full).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_refused_login_names_user_and_database_and_what_would_let_it_in() {
    let (owner, bare) = strange_user().await;
    let user = format!("\"{}\"", bare.user);
    let missing = PostgresOptions { database: "nowhere".to_owned(), ..bare.clone() };
    let refused = open(&missing).await.map(drop).unwrap_err();
    assert!(refused.contains(&format!("create database nowhere owner {user}")), "{refused}");
    tell(&owner, &format!("revoke connect on database {} from public", owner.database)).await;
    let refused = open(&bare).await.map(drop).unwrap_err();
    let grant = format!("grant connect on database {} to {user}", bare.database);
    assert!(refused.contains(&grant) && refused.contains("missing: connect on database"), "{refused}");
    tell(&owner, &grant).await;
    tell(&owner, &format!("alter role {user} nologin")).await;
    let refused = open(&bare).await.map(drop).unwrap_err();
    assert!(refused.contains(&format!("alter role {user} login")), "{refused}");
    tell(&owner, &format!("alter role {user} login password 'another'")).await;
    let refused = open(&bare).await.map(drop).unwrap_err();
    assert!(refused.contains("store.password_file") && refused.contains(&user), "{refused}");
}
