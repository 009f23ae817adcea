//! The server whose throughput is measured: this program in another process, with a temporary folder and one core.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

use super::cores::Cores;
use crate::cli::failure::Failure;

/// The server process whose throughput is measured. Dropping this value kills the process and removes its folder.
pub(super) struct Server {
    child: Child,
    folder: TempDir,
    pub(super) url: String,
}

/// Client id and secret that the benchmark uses to register builds.
#[derive(Deserialize)]
pub(super) struct Credentials {
    pub(super) client_id: String,
    pub(super) client_secret: String,
}

impl Server {
    /// Starts the measured server on the server's core, without limits on tokens or requests. Moves this thread to the
    /// load's core.
    pub(super) fn start(cores: Cores) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("buildpass-bench-").tempdir()?;
        cores.use_server_core();
        let child = command(folder.path())?.arg("serve").stderr(Stdio::piped()).spawn();
        cores.use_load_core();
        let mut server = Self { child: child?, folder, url: String::new() };
        server.url = server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<String, Failure> {
        let stderr = self
            .child
            .stderr
            .take()
            .ok_or_else(|| Failure::unreachable("could not read the standard error of the started server"))?;
        let mut lines = BufReader::new(stderr).lines();
        let mut output = String::new();
        for line in lines.by_ref() {
            let line = line?;
            let ready = line.strip_prefix("buildpass ready: ").and_then(|rest| rest.split(' ').next());
            if let Some(url) = ready.and_then(|first| first.strip_prefix("listen=")) {
                // Drains the rest of standard error, so that the server never blocks on a full pipe.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(url.to_owned());
            }
            output.push_str(&line);
            output.push('\n');
        }
        Err(Failure::unreachable(format!("the server did not start: {output}")))
    }

    /// Creates a client in the database of the running server.
    pub(super) fn create_client(&self) -> Result<Credentials, Failure> {
        let output = command(self.folder.path())?.args(["clients", "create", "bench", "--json"]).output()?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| Failure::unreachable(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

/// Returns a command that runs this program in `folder`. The command's environment holds only the variables set here.
fn command(folder: &Path) -> Result<Command, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .current_dir(folder)
        .env_clear()
        .env("BUILDPASS_SERVER__LISTEN", "127.0.0.1:0")
        .env("BUILDPASS_SERVER__ADMIN_LISTEN", "")
        .env("BUILDPASS_LIMITS__TOKENS_PER_BUILD", "0")
        .env("BUILDPASS_LIMITS__BUILD_PER_SECOND", "0")
        .env("BUILDPASS_LIMITS__CLIENT_PER_SECOND", "0")
        .env("BUILDPASS_TELEMETRY__LOG_FILTER", "warn")
        .stdin(Stdio::null());
    Ok(command)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_exited = self.child.kill();
        let _already_exited = self.child.wait();
    }
}
