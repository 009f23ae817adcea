//! `serve` and other commands while another process migrates the database.

use std::io::{BufRead, BufReader, Read as _};
use std::time::Duration;

use buildpass::base::{Clock, SystemClock};
use sqlx::Executor;

use super::{Folder, send};
use crate::harness::postgres::PostgresServer;

const WAITS: &str = "another server migrates the database: waits for pid";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_start_that_waits_for_a_migration_says_so_and_ends_at_a_signal() {
    let database = PostgresServer::shared().database().await;
    let mut other = PostgresServer::connect(&database).await;
    // The lock of migrations.
    other.execute("select pg_advisory_lock(7094692702254555507)").await.unwrap();
    let mut folder = Folder::new();
    folder.set("BUILDPASS_STORE__URL", &PostgresServer::url(&database));
    folder.set("BUILDPASS_STORE__STATEMENT_TIMEOUT", "1s");
    for arguments in [&["serve", "--listen", "127.0.0.1:0", "--admin-listen", ""][..], &["store", "migrate"]] {
        let mut child = folder.command(arguments).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(WAITS) {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "{arguments:?} ended");
        }
        send("TERM", child.id());
        let clock = SystemClock::new();
        let status = child.wait().unwrap();
        assert!(clock.monotonic() < Duration::from_secs(5), "{arguments:?} took {:?}", clock.monotonic());
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        if arguments[0] == "serve" {
            assert!(status.success() && rest.contains("stopped during the start"), "{status} {rest}");
        }
    }
}
