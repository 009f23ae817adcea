//! `builds`: registers, finishes and shows builds over the HTTP API, for CI servers and workers without HTTP code. The
//! commands never read the configuration.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use reqwest::header;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::api::{Api, Response};
use super::failure::Failure;
use super::variables::variable;
use super::{input, output, shell};
use crate::base::{BuildId, Secret, file_problem};
use crate::store::Finish;

/// Maximum bytes that are read from a file. The server accepts registrations of at most 64 KiB.
const MAX_FILE: u64 = 1024 * 1024;

/// Commands on builds.
#[derive(Debug, Subcommand)]
pub(super) enum Builds {
    Register(Register),
    Finish(FinishBuild),
    Show(Show),
}

const VARIABLES: &str = "\
Variables:
  BUILDPASS_URL                 base URL of the API, such as https://ci.example.com/buildpass
  BUILDPASS_CLIENT_ID           printed by `buildpass clients create`
  BUILDPASS_CLIENT_SECRET       printed by `buildpass clients create`;
                                or the name of a file with the secret in
                                BUILDPASS_CLIENT_SECRET_FILE";

#[derive(Debug, Args)]
struct Server {
    /// Base URL of the server's API
    #[arg(long, value_name = "URL", env = "BUILDPASS_URL", hide_env_values = true)]
    url: Option<String>,
    /// Id of the client that calls the API
    #[arg(long, value_name = "ID", env = "BUILDPASS_CLIENT_ID", hide_env_values = true)]
    client_id: Option<String>,
    /// File with the client's secret, or - for standard input [default: the secret in $BUILDPASS_CLIENT_SECRET]
    #[arg(long, value_name = "FILE", env = "BUILDPASS_CLIENT_SECRET_FILE", hide_env_values = true)]
    client_secret_file: Option<PathBuf>,
}

/// Register a running build
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:
  buildpass builds register build.json
  eval \"$(buildpass builds register --format env build.json)\"

{VARIABLES}"))]
pub(super) struct Register {
    /// JSON file with the registration, or - for standard input
    file: PathBuf,
    /// Format of the output
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
    /// The whole JSON response of the server
    Json,
    /// Shell lines that export the variables of the job and BUILDPASS_BUILD_ID
    Env,
}

/// Finish a build; the build's tokens are revoked at once
#[derive(Debug, Args)]
#[command(after_help = format!("Example:
  buildpass builds finish \"$BUILDPASS_BUILD_ID\" --status failure

{VARIABLES}"))]
pub(super) struct FinishBuild {
    /// Id of the build
    id: BuildId,
    /// Result of the finished build
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

/// Show a build: state, result, subject and number of issued tokens
#[derive(Debug, Args)]
#[command(after_help = format!("Example:
  buildpass builds show 0199e4d2-7c11-7b7e-8a3b-5b1f3a2c9d10

{VARIABLES}"))]
pub(super) struct Show {
    /// Id of the build
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

/// The API of a server, and the credentials of the client that calls the API.
struct Connection {
    api: Api,
    base: String,
    id: String,
    secret: Secret<String>,
}

impl Server {
    fn connect(self) -> Result<Connection, Failure> {
        let missing = |what: &str| Failure::usage(format!("{what} is not set; see `buildpass builds --help`"));
        let base = self.url.filter(|url| !url.is_empty()).ok_or_else(|| missing("BUILDPASS_URL"))?;
        let url = Url::parse(&base)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none())
            .ok_or_else(|| Failure::usage("BUILDPASS_URL must be a URL such as https://ci.example.com/buildpass"))?;
        let id = self.client_id.filter(|id| !id.is_empty()).ok_or_else(|| missing("BUILDPASS_CLIENT_ID"))?;
        let file = self.client_secret_file.filter(|file| !file.as_os_str().is_empty());
        let secret = match (file, variable("BUILDPASS_CLIENT_SECRET")) {
            (Some(file), _) => input::secret_file(&file)?,
            (None, Some(secret)) => Secret::new(secret),
            (None, None) => return Err(missing("BUILDPASS_CLIENT_SECRET or BUILDPASS_CLIENT_SECRET_FILE")),
        };
        Ok(Connection { api: Api::of(&url)?, base: base.trim_end_matches('/').to_owned(), id, secret })
    }
}

impl Connection {
    async fn post(&self, path: &str, body: &[u8]) -> Result<Response, Failure> {
        let url = format!("{}/api/v1/builds{path}", self.base);
        let request = |client: &reqwest::Client| {
            let request = client.post(&url).basic_auth(&self.id, Some(self.secret.expose_secret()));
            request.header(header::CONTENT_TYPE, "application/json").body(body.to_vec())
        };
        self.api.call(request).await?.success()
    }

    async fn show(&self, id: BuildId) -> Result<Response, Failure> {
        let url = format!("{}/api/v1/builds/{id}", self.base);
        let request =
            |client: &reqwest::Client| client.get(&url).basic_auth(&self.id, Some(self.secret.expose_secret()));
        self.api.call(request).await?.success()
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let fault = |error: std::io::Error| Failure::unreachable(file_problem(file, &error));
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_FILE).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file).map_err(fault)?.take(MAX_FILE).read_to_end(&mut bytes).map_err(fault)?;
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
            return Err(Failure::usage("standard input cannot hold both the registration and the secret"));
        }
        let connection = self.server.connect()?;
        let body = read(&self.file)?;
        let response = connection.post("", &body).await?;
        let registered: Registered = response.document()?;
        for warning in &registered.warnings {
            output::note(&format!("warning: {}", output::visible(warning)));
        }
        if self.format == Format::Json || self.json {
            return Ok(output::document(&response.document::<Value>()?)?);
        }
        let lines = registered.env.map(exports).transpose()?.unwrap_or_else(|| {
            output::note(
                "note: the response holds no variables for a job: the client lacks the scope builds:tokens, \
                 or the registration says \"build_token\": false",
            );
            Vec::new()
        });
        lines.iter().try_for_each(|line| output::line(line))?;
        Ok(output::line(&shell::export("BUILDPASS_BUILD_ID", &registered.id.to_string()))?)
    }
}

/// Returns shell lines that export the variables in `env`, an object of the server's response. A server must not be
/// able to run anything in the shell of a worker.
fn exports(env: Map<String, Value>) -> Result<Vec<String>, Failure> {
    env.into_iter()
        .map(|(name, value)| match value {
            Value::String(value) if shell::is_variable_name(&name) && !value.chars().any(char::is_control) => {
                Ok(shell::export(&name, &value))
            }
            _ => Err(Failure::unreachable("the response of the server holds a variable with an invalid name or value")),
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
        let connection = self.server.connect()?;
        let status = Finish::from(self.status);
        let body = serde_json::json!({ "status": status }).to_string();
        connection.post(&format!("/{}/finish", self.id), body.as_bytes()).await?;
        if self.json {
            return Ok(output::document(&Finished { id: self.id, status })?);
        }
        Ok(output::line(&format!("build {} is finished; its tokens are revoked", self.id))?)
    }
}

impl Show {
    async fn run(self) -> Result<(), Failure> {
        let response = self.server.connect()?.show(self.id).await?;
        let shown: Map<String, Value> = response.document()?;
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
    fn a_hostile_server_runs_nothing_in_the_shell_of_a_worker() {
        let lines = |json: Value| exports(json.as_object().unwrap().clone());
        assert_eq!(lines(serde_json::json!({"A": "x'; id; '"})).unwrap(), [r"export A='x'\''; id; '\'''"]);
        for odd in [serde_json::json!({"A;id": "x"}), serde_json::json!({"A": "x\nid"}), serde_json::json!({"A": 1})] {
            assert!(lines(odd).is_err());
        }
    }
}
