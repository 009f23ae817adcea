//! A database that cannot commit. No token leaves, and the server recovers when commits succeed again.

use buildpass::base::IssuerId;
use buildpass::store::AuditFilter;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use crate::harness::{Auth, Server};

async fn meddle(server: &Server, statements: &'static str) {
    let path = server.folder().join("data/buildpass.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_leaves_whose_row_was_not_committed() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    // A deferred foreign key to a missing row: every statement succeeds, and the commit fails.
    meddle(
        &server,
        "create table missing (id integer primary key);
         create table broken (id integer references missing (id) deferrable initially deferred);
         create trigger break after insert on audit begin insert into broken values (1); end",
    )
    .await;
    for _ in 0..3 {
        let reply = server.pull(&build, "audience=x").await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "unavailable"));
        assert!(!reply.text.contains("eyJ"), "{}", reply.text);
    }
    let rows = async || {
        server.app.store().list_audit(&IssuerId::main(), &AuditFilter::default(), None, 10).await.unwrap().len()
    };
    assert_eq!(rows().await, 0);
    let ready = server.get("/health/ready", Auth::None).await;
    assert_eq!(ready.status, 200, "{}", ready.text);
    assert_eq!(server.get("/.well-known/jwks", Auth::None).await.status, 200);
    meddle(&server, "drop trigger break").await;
    server.pull(&build, "audience=x").await.token();
    assert_eq!(rows().await, 1);
}
