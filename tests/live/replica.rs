//! Server processes on one database, each with its own folder, and commands beside them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

/// A server process that can be killed and restarted at the same address.
pub(crate) struct Replica {
    pub(crate) url: String,
    address: String,
    config: std::path::PathBuf,
    child: Option<Child>,
}

impl Replica {
    pub(crate) fn start(config: &Path) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut replica =
            Self { url: format!("http://{free}"), address: free.to_string(), config: config.to_owned(), child: None };
        replica.go_on();
        replica
    }

    /// Kills it in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.address.parse().unwrap()
    }

    /// Tells it to stop, and waits until it has ended.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let text = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(text.success());
        child.wait().unwrap()
    }

    /// Starts it, and waits until it is ready.
    pub(crate) fn go_on(&mut self) {
        let mut child = command(&self.config)
            .args(["serve", "--listen", &self.address, "--admin-listen", ""])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut output = Vec::new();
        loop {
            let line = lines.next().unwrap_or_else(|| panic!("the server ended: {output:?}")).unwrap();
            if line.starts_with("buildpass ready") {
                break;
            }
            output.push(line);
        }
        // Whoever does not read would stop the server when the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        self.child = Some(child);
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command that prints JSON lines, or one document.
pub(crate) fn run(config: &Path, arguments: &[&str]) -> Vec<Value> {
    let output = command(config).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::Deserializer::from_str(&text).into_iter().map(Result::unwrap).collect()
}

fn command(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_buildpass"));
    command.env_clear().env("BUILDPASS_CONFIG", config).stdin(Stdio::null()).stdout(Stdio::piped());
    command.current_dir(config.parent().unwrap());
    command
}
