//! The real binary, run in temporary folders with only the variables that a test sets.

mod audit;
mod builds;
mod clients;
mod config;
mod config_apply;
mod demo;
mod exchange;
mod export_static;
mod files;
mod help;
mod hostile_servers;
mod key_life;
mod keys;
mod names;
mod serve;
mod starting;
mod store;
mod token;
mod verify;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// Result of one run of the binary.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Standard output of a run that must have succeeded.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// Standard error of a run that must have exited with this code, without standard output.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:?}");
        self.stderr
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.done()).unwrap()
    }

    #[track_caller]
    pub(crate) fn json_lines(self) -> Vec<Value> {
        self.done().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A working directory with variables for commands.
pub(crate) struct Folder {
    dir: TempDir,
    variables: BTreeMap<String, String>,
}

impl Folder {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), variables: BTreeMap::new() }
    }

    /// A folder in which a server has run. Its keys are created once for all tests, since that takes seconds.
    pub(crate) fn installed() -> Self {
        static TEMPLATE: OnceLock<TempDir> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| {
            let folder = Self::new();
            folder.serve(&[]).end();
            folder.dir
        });
        let folder = Self::new();
        copy(template.path(), folder.path());
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Sets a variable for every command.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_buildpass"));
        command.args(arguments).current_dir(self.path()).env_clear().envs(&self.variables);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    /// Runs with this text on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // Fails if the command does not read its standard input, which is fine.
        let _closed = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts a server here, on a free port, and waits until it is ready.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Served {
        let mut all = vec!["serve"];
        for (flag, default) in [("--listen", "127.0.0.1:0"), ("--admin-listen", "")] {
            if !arguments.contains(&flag) {
                all.extend([flag, default]);
            }
        }
        all.extend(arguments);
        Served::start(&mut self.command(&all))
    }

    /// A server with a client whose credentials are set for `builds`.
    pub(crate) fn serve_for_a_ci(&mut self) -> Served {
        let client = self.run(&["clients", "create", "ci", "--org", "acme", "--json"]).json();
        let served = self.serve(&[]);
        self.set("BUILDPASS_URL", &served.url);
        self.set("BUILDPASS_CLIENT_ID", client["client_id"].as_str().unwrap());
        self.set("BUILDPASS_CLIENT_SECRET", client["client_secret"].as_str().unwrap());
        served
    }

    /// Every file in the folder with its content.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.strip_prefix(self.path()).unwrap().to_owned(), std::fs::read(path).unwrap());
                }
            }
        }
        files
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A running server, killed when dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) url: String,
    /// The ready line after `buildpass ready: `.
    pub(crate) ready: String,
    /// Standard error up to and including that line.
    pub(crate) output: String,
    rest: Option<std::thread::JoinHandle<String>>,
}

impl Served {
    /// Starts `serve` and waits until the server is ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (url, ready, output, rest) = (String::new(), String::new(), String::new(), None);
        let mut served = Self { child, url, ready, output, rest };
        while served.ready.is_empty() {
            let mut line = String::new();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "the server ended: {}", served.output);
            served.output.push_str(&line);
            if let Some(ready) = line.trim_end().strip_prefix("buildpass ready: ") {
                served.url = ready.split(' ').next().unwrap().strip_prefix("listen=").unwrap().to_owned();
                served.ready = ready.to_owned();
            }
        }
        served.rest = Some(std::thread::spawn(move || {
            let mut rest = String::new();
            let _cut_off = stderr.read_to_string(&mut rest);
            rest
        }));
        served
    }

    /// Id of the server's process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Stops the server and returns its exit code and the rest of standard error.
    pub(crate) fn end(mut self) -> (i32, String) {
        send("TERM", self.child.id());
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, self.rest.take().unwrap().join().unwrap())
    }

    /// The body of a GET.
    pub(crate) fn fetch(&self, path: &str) -> String {
        let host = self.url.strip_prefix("http://").unwrap();
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _already_exited = self.child.kill();
        let _already_exited = self.child.wait();
    }
}

/// Sends a signal to one process.
pub(crate) fn send(signal: &str, process: u32) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{signal} {process}")).status().unwrap();
    assert!(status.success());
}

/// A registration of build 17 of acme/app.
pub(crate) fn registration() -> Value {
    serde_json::json!({
        "org": "acme", "org_id": "42", "repo": "app", "repo_id": "1001", "number": 17, "event": "push",
        "author": "octocat", "author_id": "7", "actor": "octocat", "actor_id": "7",
        "ref": "refs/heads/main", "sha": "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "ref_protected": true,
    })
}

/// Registers a build and replaces the variables of the folder by its `env`.
pub(crate) fn become_a_job(folder: &mut Folder) -> Value {
    let registered = folder.run_with(&["builds", "register", "-"], &registration().to_string()).json();
    folder.variables.clear();
    for (name, value) in registered["env"].as_object().unwrap() {
        folder.set(name, value.as_str().unwrap());
    }
    registered
}
