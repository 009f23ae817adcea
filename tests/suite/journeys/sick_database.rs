//! A PostgreSQL server that stops, freezes, fails over, is locked, is full or is cut off. None of it silences the
//! documents, and tokens are issued again within five seconds after the end.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use buildpass::base::{Clock, SystemClock};
use buildpass::store::postgres::PostgresOptions;
use sqlx::{Connection, Executor};

use super::sickness::Patient;
use crate::harness::forwarder::{Forwarder, Network};
use crate::harness::postgres::PostgresServer;

/// A PostgreSQL server of the test's own.
async fn own() -> Arc<PostgresServer> {
    tokio::task::spawn_blocking(|| Arc::new(PostgresServer::start(&[]))).await.unwrap()
}

async fn blocking(server: &Arc<PostgresServer>, act: fn(&PostgresServer)) {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || act(&server)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_stopped_postgresql_is_found_again() {
    let machine = own().await;
    let patient = Patient::on("stopped", Some(&PostgresServer::url(&machine.database().await))).await;
    blocking(&machine, PostgresServer::stop).await;
    let seen = patient.falls_sick(true).await;
    blocking(&machine, PostgresServer::go_on).await;
    patient.recovers(seen).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_frozen_postgresql_holds_no_answer() {
    let machine = own().await;
    let patient = Patient::on("frozen", Some(&PostgresServer::url(&machine.database().await))).await;
    machine.freeze();
    let seen = patient.falls_sick(true).await;
    machine.thaw();
    patient.recovers(seen).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_name_that_moved_to_the_promoted_server_is_followed() {
    let machine = own().await;
    let database = machine.database().await;
    let forwarder = Forwarder::start(database.port).await;
    let url = PostgresServer::url(&PostgresOptions { port: forwarder.port, ..database.clone() });
    let patient = Patient::on("read-only, name moved", Some(&url)).await;
    let followed = Arc::clone(&machine);
    let standby = tokio::task::spawn_blocking(move || Arc::new(followed.start_standby())).await.unwrap();
    machine.tell("alter system set default_transaction_read_only = on").await;
    machine.tell("select pg_reload_conf()").await;
    let seen = patient.falls_sick(true).await;
    standby.tell("select pg_promote()").await;
    // The old server stays up: whoever keeps a connection to it stays read-only for ever.
    forwarder.becomes(Network::Leads(standby.port));
    patient.recovers(seen).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_locked_table_delays_pulls_by_the_limit_of_a_statement_alone() {
    let machine = own().await;
    let database = machine.database().await;
    let patient = Patient::on("table locked", Some(&PostgresServer::url(&database))).await;
    let mut stranger = PostgresServer::connect(&database).await;
    stranger.execute("begin").await.unwrap();
    stranger.execute("lock table audit in access exclusive mode").await.unwrap();
    let seen = patient.falls_sick(false).await;
    stranger.close().await.unwrap();
    patient.recovers(seen).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_network_that_drops_every_packet_holds_no_answer() {
    let machine = own().await;
    let database = machine.database().await;
    let forwarder = Forwarder::start(database.port).await;
    let url = PostgresServer::url(&PostgresOptions { port: forwarder.port, ..database.clone() });
    let patient = Patient::on("network silent", Some(&url)).await;
    forwarder.becomes(Network::Frozen);
    let seen = patient.falls_sick(true).await;
    forwarder.becomes(Network::Leads(database.port));
    patient.recovers(seen).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_network_that_is_cut_is_found_again() {
    let machine = own().await;
    let database = machine.database().await;
    let forwarder = Forwarder::start(database.port).await;
    let url = PostgresServer::url(&PostgresOptions { port: forwarder.port, ..database.clone() });
    let patient = Patient::on("network cut", Some(&url)).await;
    forwarder.becomes(Network::Cut);
    let seen = patient.falls_sick(true).await;
    forwarder.becomes(Network::Leads(database.port));
    patient.recovers(seen).await;
}

/// A file system of 24 MiB, unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mounted() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=24m,mode=0755", "tmpfs"]).arg(folder.path());
        assert!(mount.status().unwrap().success(), "a small file system needs the right to mount");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file until no byte is left.
    fn fill(&self) {
        let block = vec![0; 64 * 1024];
        let mut file = fs::File::create(self.path().join("filler")).unwrap();
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        let rest = [0; 1];
        while std::io::Write::write_all(&mut file, &rest).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _still_in_use = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL and the right to mount: cargo test -- --include-ignored"]
async fn a_full_disk_of_postgresql_costs_no_document() {
    let disk = SmallDisk::mounted();
    let machine = own().await;
    let files = disk.path().join("files");
    fs::create_dir(&files).unwrap();
    let database = machine.database_in(&files).await;
    let patient = Patient::on("disk full", Some(&PostgresServer::url(&database))).await;
    disk.fill();
    // Pages that are there already have room for some records.
    let clock = SystemClock::new();
    while patient.pull().await.0 == 200 {
        assert!(clock.monotonic() < Duration::from_secs(60), "the disk was never full");
    }
    let seen = patient.falls_sick(false).await;
    fs::remove_file(disk.path().join("filler")).unwrap();
    patient.recovers(seen).await;
    drop(patient);
    blocking(&machine, PostgresServer::stop).await;
}
