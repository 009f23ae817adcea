//! A SQLite file that another process locks, or that cannot grow. Neither silences the documents, and tokens are issued
//! again within five seconds after the end.

use std::process::{Command, Stdio};
use std::time::Duration;

use buildpass::base::{Clock, SystemClock};
use sqlx::{Connection, Executor, SqliteConnection};

use super::sickness::Patient;
use crate::cli::{Folder, Served};

/// A folder in which a server has run, so that its keys are there.
fn folder() -> Folder {
    let mut folder = Folder::installed();
    folder.set("BUILDPASS_LOG", "info");
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_another_process_holds_delays_pulls_by_the_wait_for_a_lock_alone() {
    let folder = folder();
    let file = folder.path().join("data/buildpass.db");
    let served = folder.serve(&[]);
    let patient = Patient::begin("SQLite locked", folder, served).await;
    let mut stranger = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    stranger.execute("begin immediate").await.unwrap();
    let seen = patient.falls_sick(true).await;
    stranger.execute("rollback").await.unwrap();
    patient.recovers(seen).await;
    stranger.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_grow_costs_no_document() {
    let folder = folder();
    let binary = env!("CARGO_BIN_EXE_buildpass");
    // Blocks of 512 or 1024 bytes, as the shell counts. Each commit adds pages to the write-ahead log.
    let script = format!("trap '' XFSZ; ulimit -S -f 2000; exec {binary} serve --listen 127.0.0.1:0 --admin-listen ''");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(folder.path()).env_clear().stdin(Stdio::null()).stderr(Stdio::piped());
    let served = Served::start(&mut command);
    let process = served.process();
    let patient = Patient::begin("SQLite's disk full", folder, served).await;
    let clock = SystemClock::new();
    while patient.pull().await.0 == 200 {
        assert!(clock.monotonic() < Duration::from_secs(120), "the disk was never full");
    }
    let seen = patient.falls_sick(false).await;
    let raised = Command::new("prlimit").args(["--pid", &process.to_string(), "--fsize=unlimited"]).status().unwrap();
    assert!(raised.success());
    patient.recovers(seen).await;
}
