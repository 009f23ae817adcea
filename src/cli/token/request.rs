//! `token request`: requests an ID token and prints the token, or writes the token to one file. The token is never
//! written elsewhere.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::Value;

use super::super::failure::Failure;
use super::super::variables::variable;
use super::super::{output, shell};
use super::endpoint::{TokenEndpoint, TokenRequest};
use crate::base::{Seconds, file_problem};
use crate::jose::{self, Algorithm};

/// Default of `--name`: the variable that `--format env` sets.
const VARIABLE: &str = "BUILDPASS_ID_TOKEN";

/// Request an ID token for the build that this job belongs to
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass token request --audience sts.amazonaws.com --output /tmp/token
  curl -H \"Authorization: Bearer $(buildpass token request --audience api --quiet)\" …
  eval \"$(buildpass token request --audience vault --format env --name VAULT_JWT)\"

Variables; the first line with both variables set is used:
  BUILDPASS_ID_TOKEN_REQUEST_URL, BUILDPASS_ID_TOKEN_REQUEST_TOKEN
  ACTIONS_ID_TOKEN_REQUEST_URL, ACTIONS_ID_TOKEN_REQUEST_TOKEN
  VELA_ID_TOKEN_REQUEST_URL, VELA_ID_TOKEN_REQUEST_TOKEN")]
pub(in super::super) struct Request {
    /// Audience of the token; repeatable
    #[arg(long = "audience", value_name = "AUDIENCE", required = true)]
    audiences: Vec<String>,
    /// Lifetime of the token, such as 5m [default: the server's default]
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    lifetime: Option<Seconds>,
    /// Signing algorithm of the token, RS256 or ES256 [default: the server's default]
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Option<Algorithm>,
    /// Format of the output [default: `raw`; with --output, `file`]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Variable that --format env sets [default: BUILDPASS_ID_TOKEN]
    #[arg(long, value_name = "VAR", value_parser = variable_name)]
    name: Option<String>,
    /// Write to this file instead of standard output; the file is replaced atomically and has mode 0600
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Do not print the token's issuer, subject, audience and rule on standard error
    #[arg(long)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The token and a line end
    Raw,
    /// The whole JSON response of the server
    Json,
    /// A shell line that exports the token
    Env,
    /// The token without a line end, in the file of --output; SDKs of clouds read such a file
    File,
}

/// Response of buildpass, GitHub or Vela to a token request. The token is in `value` or in `token`.
#[derive(Deserialize)]
struct TokenResponse {
    value: Option<String>,
    token: Option<String>,
    rule: Option<String>,
}

/// Claims that are printed on standard error. The claims need no verification, because the token comes directly from
/// its issuer.
#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Value>,
}

impl Request {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let format = self.chosen_format()?;
        let request = TokenRequest {
            audiences: self.audiences.clone(),
            lifetime: self.lifetime,
            algorithm: self.algorithm,
            preview: false,
        };
        let response = TokenEndpoint::find(variable)?.send(&request).await?.success()?;
        let body: TokenResponse = response.document()?;
        let token = body.value.or(body.token).filter(|token| is_token(token));
        let token = token.ok_or_else(|| Failure::unreachable("the response of the server holds no token"))?;
        let text = match format {
            Format::Raw | Format::File => token.clone(),
            Format::Json => output::pretty(&response.document::<Value>()?)?,
            Format::Env => shell::export(self.name.as_deref().unwrap_or(VARIABLE), &token),
        };
        match &self.output {
            None => output::line(&text)?,
            Some(path) if format == Format::Raw || format == Format::File => replace(path, text.as_bytes())?,
            Some(path) => replace(path, format!("{text}\n").as_bytes())?,
        }
        if !self.quiet {
            print_claims(&token, body.rule.as_deref());
        }
        Ok(())
    }

    fn chosen_format(&self) -> Result<Format, Failure> {
        let format = match (self.format, &self.output) {
            _ if self.json => Format::Json,
            (Some(format), _) => format,
            (None, Some(_)) => Format::File,
            (None, None) => Format::Raw,
        };
        if format == Format::File && self.output.is_none() {
            return Err(Failure::usage("--format file requires --output PATH"));
        }
        if self.name.is_some() && format != Format::Env {
            return Err(Failure::usage("--name requires --format env"));
        }
        Ok(format)
    }
}

/// Returns whether `text` consists of three parts of base64url, so that printing, quoting and sending it is safe.
fn is_token(text: &str) -> bool {
    text.split('.').count() == 3
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn print_claims(token: &str, rule: Option<&str>) {
    let Ok(peeked) = jose::peek(token) else { return };
    let Ok(claims) = serde_json::from_slice::<Claims>(peeked.unverified_payload()) else { return };
    let audience = match claims.aud {
        Some(Value::String(audience)) => audience,
        Some(Value::Array(audiences)) => audiences.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    };
    for (name, value) in [
        ("issuer", claims.iss.as_deref().unwrap_or_default()),
        ("subject", claims.sub.as_deref().unwrap_or_default()),
        ("audience", &audience),
        ("rule", rule.unwrap_or("default")),
    ] {
        output::note(&format!("{name:8}  {}", output::visible(value)));
    }
}

/// Replaces a file atomically. Only the file's owner can read the new file.
fn replace(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::unreachable(file_problem(path, &error));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The new file has mode 0600, whatever the umask is.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(cannot)?;
    file.write_all(text).map_err(cannot)?;
    file.as_file().sync_all().map_err(cannot)?;
    file.persist(path).map_err(|error| cannot(error.error))?;
    Ok(())
}

fn lifetime(text: &str) -> Result<Seconds, &'static str> {
    match text.parse() {
        Ok(Seconds::ZERO) => Err("must be at least 1s"),
        read => read,
    }
}

fn variable_name(text: &str) -> Result<String, &'static str> {
    if shell::is_variable_name(text) {
        Ok(text.to_owned())
    } else {
        Err("a variable's name has letters, digits and underscores, and does not begin with a digit")
    }
}
