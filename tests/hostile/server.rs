//! A started server: the binary in a process and a folder of its own, with its log counted. Never reads the log while a
//! case says that nobody does.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use tempfile::TempDir;

use crate::cores::Cores;

/// What one server is started with.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Settings by their key, such as `server.head_timeout`.
    pub(crate) settings: Vec<(String, String)>,
    /// Limit of open files.
    pub(crate) files: Option<u32>,
    pub(crate) cores: Option<Cores>,
    /// Folder of a memory cgroup that the server joins.
    pub(crate) cgroup: Option<PathBuf>,
}

/// What the log reader and the run share.
#[derive(Debug, Default)]
struct Log {
    bytes: AtomicUsize,
    tells_of_dropped: AtomicBool,
    is_paused: Mutex<bool>,
    resumed: Condvar,
}

/// A running server, killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    log: Arc<Log>,
    _folder: TempDir,
}

impl Server {
    /// Starts a server in `folder` and waits until it is ready.
    pub(crate) fn start(folder: TempDir, setup: &Setup) -> Self {
        let mut script = String::new();
        if let Some(files) = setup.files {
            script.push_str(&format!("ulimit -n {files}; "));
        }
        if let Some(cgroup) = &setup.cgroup {
            script.push_str(&format!("echo $$ > '{}'; ", cgroup.join("cgroup.procs").display()));
        }
        script.push_str("exec \"$0\" serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0");
        let mut command = Command::new("sh");
        command.args(["-ec", &script, binary()]).current_dir(folder.path()).env_clear();
        for (key, value) in &setup.settings {
            command.env(format!("BUILDPASS_{}", key.to_uppercase().replace('.', "__")), value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = match setup.cores {
            Some(cores) => cores.spawn(&mut command),
            None => command.spawn(),
        }
        .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (public, admin) = addresses(&mut stderr);
        let log = Arc::new(Log::default());
        std::thread::spawn({
            let log = Arc::clone(&log);
            move || log.read(stderr)
        });
        Self { child, public, admin, log, _folder: folder }
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Number of bytes that the server has written to standard error since it was ready.
    pub(crate) fn logged(&self) -> usize {
        self.log.bytes.load(Ordering::Acquire)
    }

    /// Whether a line has told how many log lines were dropped.
    pub(crate) fn told_of_dropped_lines(&self) -> bool {
        self.log.tells_of_dropped.load(Ordering::Acquire)
    }

    /// Reads no more of standard error, or all of it again.
    pub(crate) fn pause_log(&self, is_paused: bool) {
        *self.log.is_paused.lock().unwrap() = is_paused;
        self.log.resumed.notify_all();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.pause_log(false);
        let _already_exited = self.child.kill();
        let _already_exited = self.child.wait();
    }
}

impl Log {
    fn read(&self, mut stderr: BufReader<ChildStderr>) {
        let mut line = Vec::new();
        loop {
            let paused = self.is_paused.lock().unwrap();
            drop(self.resumed.wait_while(paused, |is_paused| *is_paused).unwrap());
            line.clear();
            match stderr.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(bytes) => self.bytes.fetch_add(bytes, Ordering::AcqRel),
            };
            if String::from_utf8_lossy(&line).contains("log lines") {
                self.tells_of_dropped.store(true, Ordering::Release);
            }
        }
    }
}

/// Reads up to the ready line, and returns the addresses of the public and of the admin listener.
fn addresses(stderr: &mut impl BufRead) -> (SocketAddr, SocketAddr) {
    let mut said = String::new();
    loop {
        let from = said.len();
        assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "the server ended: {said}");
        if let Some(ready) = said[from..].strip_prefix("buildpass ready: ") {
            let of = |name: &str| {
                let value = ready.split_whitespace().find_map(|word| word.strip_prefix(name)).unwrap();
                value.trim_start_matches("http://").parse().unwrap()
            };
            return (of("listen="), of("admin="));
        }
    }
}

fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_buildpass")
}

/// Runs a command in `folder` and returns its standard output.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(binary()).args(arguments).current_dir(folder).env_clear().output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Copies an installation into a new folder.
pub(crate) fn copy_of(template: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(template.join(".")).arg(folder.path()).status().unwrap();
    assert!(copied.success());
    folder
}

/// Returns the text of a file of the process's system, such as `status`.
pub(crate) fn of_process(process: u32, file: &str) -> String {
    let mut text = String::new();
    let mut file = std::fs::File::open(format!("/proc/{process}/{file}")).unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}
