//! `builds`: the HTTP API, for CI servers and workers without HTTP code. Reads no configuration of the server.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use reqwest::header;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::api::{Answer, Api};
use super::failure::Failure;
use super::variables::variable;
use super::{output, shell};
use crate::base::{BuildId, Secret};
use crate::store::Finish;

/// A registration is larger than any other body that we send; the server takes at most 64 KiB.
const LONGEST_BODY: u64 = 1024 * 1024;

/// Builds, over the HTTP API
#[derive(Debug, Subcommand)]
pub(super) enum Builds {
    Register(Register),
    Finish(FinishBuild),
    Show(Show),
}

const VARIABLES: &str = "\
Variables:
  BUILDPASS_URL                 the server, https://ci.example.com/buildpass
  BUILDPASS_CLIENT_ID           as `buildpass clients create` printed it
  BUILDPASS_CLIENT_SECRET       the same; or BUILDPASS_CLIENT_SECRET_FILE, a file that holds it";

#[derive(Debug, Args)]
struct Server {
    /// The server: the base of its API
    #[arg(long, value_name = "URL", env = "BUILDPASS_URL", hide_env_values = true)]
    url: Option<String>,
    /// Who calls
    #[arg(long, value_name = "ID", env = "BUILDPASS_CLIENT_ID", hide_env_values = true)]
    client_id: Option<String>,
    /// File that holds the client's secret, - for standard input; else $BUILDPASS_CLIENT_SECRET
    #[arg(long, value_name = "FILE", env = "BUILDPASS_CLIENT_SECRET_FILE", hide_env_values = true)]
    client_secret_file: Option<PathBuf>,
}

/// Register a running build from a JSON document
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:
  buildpass builds register build.json
  eval \"$(buildpass builds register --format env build.json)\"

{VARIABLES}"))]
pub(super) struct Register {
    /// The registration: a JSON file, or - for standard input
    file: PathBuf,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The server's whole answer
    Json,
    /// Shell lines that export the job's environment and BUILDPASS_BUILD_ID
    Env,
}

/// Say that a build ended: its tokens die at once
#[derive(Debug, Args)]
#[command(after_help = format!("Example:
  buildpass builds finish \"$BUILDPASS_BUILD_ID\" --status failure

{VARIABLES}"))]
pub(super) struct FinishBuild {
    /// The build's id
    id: BuildId,
    /// How it ended
    #[arg(long, value_enum, default_value_t = Status::Success)]
    status: Status,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Success,
    Failure,
    Canceled,
}

impl From<Status> for Finish {
    fn from(status: Status) -> Self {
        match status {
            Status::Success => Self::Success,
            Status::Failure => Self::Failure,
            Status::Canceled => Self::Canceled,
        }
    }
}

/// Show a build
#[derive(Debug, Args)]
#[command(after_help = format!("Example:
  buildpass builds show 0199e4d2-7c11-7b7e-8a3b-5b1f3a2c9d10

{VARIABLES}"))]
pub(super) struct Show {
    /// The build's id
    id: BuildId,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Builds {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Register(register) => register.run().await,
            Self::Finish(finish) => finish.run().await,
            Self::Show(show) => show.run().await,
        }
    }
}

/// A server, and who we are to it.
struct Caller {
    api: Api,
    base: String,
    id: String,
    secret: Secret<String>,
}

impl Server {
    fn caller(self) -> Result<Caller, Failure> {
        let missing = |what: &str| Failure::usage(format!("{what} is not set; see `buildpass builds --help`"));
        let base = self.url.filter(|url| !url.is_empty()).ok_or_else(|| missing("BUILDPASS_URL"))?;
        let url = Url::parse(&base)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none())
            .ok_or_else(|| Failure::usage("BUILDPASS_URL must be a URL such as https://ci.example.com/buildpass"))?;
        let id = self.client_id.filter(|id| !id.is_empty()).ok_or_else(|| missing("BUILDPASS_CLIENT_ID"))?;
        let file = self.client_secret_file.filter(|file| !file.as_os_str().is_empty());
        let secret = match (file, variable("BUILDPASS_CLIENT_SECRET")) {
            (Some(file), _) => Secret::new(String::from_utf8_lossy(&read(&file)?).trim_end().to_owned()),
            (None, Some(secret)) => Secret::new(secret),
            (None, None) => return Err(missing("BUILDPASS_CLIENT_SECRET or BUILDPASS_CLIENT_SECRET_FILE")),
        };
        Ok(Caller { api: Api::of(&url)?, base: base.trim_end_matches('/').to_owned(), id, secret })
    }
}

impl Caller {
    async fn post(&self, path: &str, body: &[u8]) -> Result<Answer, Failure> {
        let url = format!("{}/api/v1/builds{path}", self.base);
        let ask = |client: &reqwest::Client| {
            let request = client.post(&url).basic_auth(&self.id, Some(self.secret.expose_secret()));
            request.header(header::CONTENT_TYPE, "application/json").body(body.to_vec())
        };
        self.api.call(ask).await?.success()
    }

    async fn show(&self, id: BuildId) -> Result<Answer, Failure> {
        let url = format!("{}/api/v1/builds/{id}", self.base);
        let ask = |client: &reqwest::Client| client.get(&url).basic_auth(&self.id, Some(self.secret.expose_secret()));
        self.api.call(ask).await?.success()
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let opened = |error: std::io::Error| Failure::unreachable(format!("{}: {error}", file.display()));
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(LONGEST_BODY).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file).map_err(opened)?.take(LONGEST_BODY).read_to_end(&mut bytes).map_err(opened)?;
    }
    Ok(bytes)
}

#[derive(Deserialize)]
struct Registered {
    id: BuildId,
    #[serde(default)]
    warnings: Vec<String>,
    env: Option<Map<String, Value>>,
}

impl Register {
    async fn run(self) -> Result<(), Failure> {
        if self.file.as_os_str() == "-"
            && self.server.client_secret_file.as_ref().is_some_and(|file| file.as_os_str() == "-")
        {
            return Err(Failure::usage("standard input can't be the registration and the secret at once"));
        }
        let caller = self.server.caller()?;
        let body = read(&self.file)?;
        let answer = caller.post("", &body).await?;
        let registered: Registered = answer.document()?;
        for warning in &registered.warnings {
            output::note(&format!("warning: {}", output::visible(warning)));
        }
        if self.format == Format::Json || self.json {
            return Ok(output::document(&answer.document::<Value>()?)?);
        }
        let lines = registered.env.map(exports).transpose()?.unwrap_or_else(|| {
            output::note(
                "note: the answer holds no environment for a job: the client lacks the scope builds:tokens, \
                 or the registration says \"build_token\": false",
            );
            Vec::new()
        });
        lines.iter().try_for_each(|line| output::line(line))?;
        Ok(output::line(&shell::export("BUILDPASS_BUILD_ID", &registered.id.to_string()))?)
    }
}

/// Shell lines of an `env` object. A server that is not ours must not run anything in a worker's shell.
fn exports(env: Map<String, Value>) -> Result<Vec<String>, Failure> {
    env.into_iter()
        .map(|(name, value)| match value {
            Value::String(value) if shell::is_variable_name(&name) && !value.chars().any(char::is_control) => {
                Ok(shell::export(&name, &value))
            }
            _ => Err(Failure::unreachable("the server's answer holds an environment that no shell could take")),
        })
        .collect()
}

#[derive(Serialize)]
struct Finished {
    id: BuildId,
    status: Finish,
}

impl FinishBuild {
    async fn run(self) -> Result<(), Failure> {
        let caller = self.server.caller()?;
        let status = Finish::from(self.status);
        let body = serde_json::json!({ "status": status }).to_string();
        caller.post(&format!("/{}/finish", self.id), body.as_bytes()).await?;
        if self.json {
            return Ok(output::document(&Finished { id: self.id, status })?);
        }
        Ok(output::line(&format!("build {} is finished; its tokens are dead", self.id))?)
    }
}

impl Show {
    async fn run(self) -> Result<(), Failure> {
        let answer = self.server.caller()?.show(self.id).await?;
        let shown: Map<String, Value> = answer.document()?;
        if self.json {
            return Ok(output::document(&shown)?);
        }
        for (name, value) in shown {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            output::line(&format!("{name:14}  {}", output::visible(&value)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_server_runs_nothing_in_a_workers_shell() {
        let lines = |json: Value| exports(json.as_object().unwrap().clone());
        assert_eq!(lines(serde_json::json!({"A": "x'; id; '"})).unwrap(), [r"export A='x'\''; id; '\'''"]);
        for odd in [serde_json::json!({"A;id": "x"}), serde_json::json!({"A": "x\nid"}), serde_json::json!({"A": 1})] {
            assert!(lines(odd).is_err());
        }
    }
}
