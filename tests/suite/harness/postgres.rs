//! A PostgreSQL server of the tests' own, from the installed binaries: in a temporary folder, on a free port, as an
//! unprivileged user where the tests run as root. It ends with the process that started it, however that ends, and its
//! files with it.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use buildpass::base::{Clock, Secret, SystemClock};
use buildpass::store::StoreWaits;
use buildpass::store::postgres::{PostgresOptions, Tls};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;

const USER: &str = "buildpass";
const PASSWORD: &str = "a password: with @ and /";

/// `nobody`, who is everywhere.
const UNPRIVILEGED: u32 = 65_534;

/// A server that runs, or was stopped.
pub(crate) struct PostgresServer {
    binaries: PathBuf,
    folder: TempDir,
    pub(crate) port: u16,
    /// A shell that ends the server when a line comes in, and removes its files too when nobody holds its input any more.
    running: Mutex<Option<Child>>,
    databases: AtomicU32,
}

impl PostgresServer {
    /// The one that most tests share, each in a database of its own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<PostgresServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// One that takes encrypted connections too, with `server.crt` and `server.key` of this folder.
    pub(crate) fn start_with_tls(certificate: &Path) -> Self {
        let server = Self::start(&[]);
        server.stop();
        for (name, mode) in [("server.crt", 0o644), ("server.key", 0o600)] {
            let file = server.folder.path().join("data").join(name);
            fs::copy(certificate.join(name), &file).unwrap();
            fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            if is_root() {
                chown(&file, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
            }
        }
        let config = fs::OpenOptions::new().append(true).open(server.folder.path().join("data/postgresql.conf"));
        writeln!(config.unwrap(), "ssl = on").unwrap();
        server.go_on();
        server
    }

    /// One of a test's own, with these settings.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let binaries = binaries();
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if is_root() {
            chown(folder.path(), Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
        }
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        if is_root() {
            chown(&password, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
        }
        let data = folder.path().join("data");
        let made = unprivileged(&binaries.join("initdb"), folder.path())
            .args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "-U", USER])
            .arg(format!("--pwfile={}", password.display()))
            .arg("-D")
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut config = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).unwrap();
        writeln!(config, "max_connections = 300\nshared_buffers = 32MB\nmax_wal_size = 128MB").unwrap();
        for setting in settings {
            writeln!(config, "{setting}").unwrap();
        }
        let server = Self { binaries, folder, port, running: Mutex::new(None), databases: AtomicU32::new(0) };
        server.go_on();
        server
    }

    /// Starts it again after it was stopped.
    pub(crate) fn go_on(&self) {
        let script = "\"$1\" -D data -p \"$2\" -k \"$3\" -c listen_addresses=127.0.0.1 >>log 2>&1 & \
                      server=$!; read stop; stopped=$?; kill -INT $server; wait $server; \
                      [ $stopped = 0 ] || rm -rf data log password";
        let mut shell = unprivileged(Path::new("/bin/sh"), self.folder.path());
        shell.args(["-c", script, "sh"]).arg(self.binaries.join("postgres")).arg(self.port.to_string());
        shell.arg(self.folder.path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        *self.running.lock().unwrap() = Some(shell.spawn().unwrap());
        let clock = SystemClock::new();
        while !self.answers() {
            assert!(clock.monotonic() < Duration::from_secs(60), "PostgreSQL did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it as an operator would: sessions are ended, and what was committed stays.
    pub(crate) fn stop(&self) {
        if let Some(mut shell) = self.running.lock().unwrap().take() {
            writeln!(shell.stdin.take().unwrap(), "stop").unwrap();
            shell.wait().unwrap();
        }
    }

    /// Stops every process of the server in the middle of its work, as a machine that hangs does.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets the processes of a frozen server go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let file = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap();
        let main = file.lines().next().unwrap().to_owned();
        let signal = |process: &str| {
            let mut kill = Command::new("sh");
            kill.arg("-c").arg(format!("kill -{signal} {process} 2>/dev/null")).status().unwrap().success()
        };
        assert!(signal(&main));
        let children = fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap();
        for child in children.split_whitespace() {
            let _has_ended = signal(child);
        }
    }

    /// A second server that follows `self` by streaming replication, until it is promoted.
    pub(crate) fn start_standby(&self) -> Self {
        let (binaries, folder) = (binaries(), tempfile::tempdir().unwrap());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if is_root() {
            chown(folder.path(), Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
        }
        let copied = unprivileged(&binaries.join("pg_basebackup"), folder.path())
            .args(["-D", "data", "-R", "-X", "stream", "-c", "fast", "-h", "127.0.0.1", "-U", USER])
            .args(["-p", &self.port.to_string()])
            .env("PGPASSWORD", PASSWORD)
            .output()
            .unwrap();
        assert!(copied.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&copied.stderr));
        let server = Self { binaries, folder, port, running: Mutex::new(None), databases: AtomicU32::new(100) };
        server.go_on();
        server
    }

    /// A new, empty database whose files are in `folder`, which the server's user must be able to write.
    pub(crate) async fn database_in(&self, folder: &Path) -> PostgresOptions {
        if is_root() {
            chown(folder, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
        }
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.tell(&format!("create tablespace {name} location '{}'", folder.display())).await;
        self.tell(&format!("create database {name} tablespace {name}")).await;
        PostgresOptions { database: name, ..self.options() }
    }

    /// A new, empty database.
    pub(crate) async fn database(&self) -> PostgresOptions {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.tell(&format!("create database {name}")).await;
        PostgresOptions { database: name, ..self.options() }
    }

    /// Says something to the server as an operator would.
    pub(crate) async fn tell(&self, statement: &str) {
        Self::tell_database(&self.options(), statement).await;
    }

    /// Says something to one of its databases.
    pub(crate) async fn tell_database(options: &PostgresOptions, statement: &str) {
        let mut connection = Self::connect(options).await;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// A session on one of its databases.
    pub(crate) async fn connect(options: &PostgresOptions) -> sqlx::PgConnection {
        sqlx::postgres::PgConnectOptions::new_without_pgpass()
            .host(&options.host)
            .port(options.port)
            .username(USER)
            .password(PASSWORD)
            .database(&options.database)
            .connect()
            .await
            .unwrap()
    }

    /// The URL by which the configuration names one of its databases.
    pub(crate) fn url(options: &PostgresOptions) -> String {
        let password = percent_encoding::utf8_percent_encode(PASSWORD, percent_encoding::NON_ALPHANUMERIC);
        format!("postgres://{USER}:{password}@127.0.0.1:{}/{}", options.port, options.database)
    }

    fn options(&self) -> PostgresOptions {
        PostgresOptions {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            user: USER.to_owned(),
            password: Some(Secret::new(PASSWORD.to_owned())),
            database: "postgres".to_owned(),
            tls: Tls::Disable,
            root_certificates: None,
            readers: 4,
            writers: 3,
            waits: StoreWaits::default(),
            clock_offset: std::sync::Arc::default(),
        }
    }

    fn answers(&self) -> bool {
        let asked = Command::new(self.binaries.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status();
        asked.unwrap().success()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where `initdb` and its like are: the newest installed ones.
#[expect(clippy::disallowed_methods, reason = "programs are looked for where the machine says")]
fn binaries() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for version in fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        let number = version.file_name().to_string_lossy().parse().unwrap_or(0);
        found.push((number, version.path().join("bin")));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path).map(|folder| (0, folder)));
    found.retain(|(_, folder)| folder.join("initdb").exists() && folder.join("postgres").exists());
    let newest = found.into_iter().max_by_key(|(number, _)| *number);
    newest.expect("PostgreSQL's binaries (initdb, postgres) are needed: install the package postgresql").1
}

fn unprivileged(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
    if is_root() {
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    }
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}
