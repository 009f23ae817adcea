//! `token request`: fetches an ID token and hands it on. The token goes to standard output or one file, nowhere else.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::Value;

use super::super::failure::Failure;
use super::super::variables::variable;
use super::super::{output, shell};
use super::endpoint::{TokenEndpoint, Wish};
use crate::base::Seconds;
use crate::jose::{self, Algorithm};

/// The variable that `--format env` sets unless it is named.
const VARIABLE: &str = "BUILDPASS_ID_TOKEN";

/// Fetch an ID token for the build that this job belongs to
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass token request --audience sts.amazonaws.com --output /tmp/token
  curl -H \"Authorization: Bearer $(buildpass token request --audience api --quiet)\" …
  eval \"$(buildpass token request --audience vault --format env --name VAULT_JWT)\"

Variables, the first whole pair of:
  BUILDPASS_ID_TOKEN_REQUEST_URL, BUILDPASS_ID_TOKEN_REQUEST_TOKEN
  ACTIONS_ID_TOKEN_REQUEST_URL, ACTIONS_ID_TOKEN_REQUEST_TOKEN
  VELA_ID_TOKEN_REQUEST_URL, VELA_ID_TOKEN_REQUEST_TOKEN")]
pub(in super::super) struct Request {
    /// Who the token is for; repeatable
    #[arg(long = "audience", value_name = "AUDIENCE", required = true)]
    audiences: Vec<String>,
    /// How long it lives, such as 5m; else as the server decides
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    lifetime: Option<Seconds>,
    /// RS256 or ES256; else as the server decides
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Option<Algorithm>,
    /// How it is printed; without one: raw, or file where --output is given
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// The variable that --format env sets
    #[arg(long, value_name = "VAR", value_parser = variable_name)]
    name: Option<String>,
    /// Write to this file instead of standard output: replaced in one act, mode 0600
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Don't say on standard error what was fetched
    #[arg(long)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The token
    Raw,
    /// The server's whole answer
    Json,
    /// A shell line that exports it
    Env,
    /// The token without a line end, in the file of --output, as clouds' libraries read it
    File,
}

/// What GitHub's, Vela's and our servers answer; only the token is in all of them.
#[derive(Deserialize)]
struct Answered {
    value: Option<String>,
    token: Option<String>,
    rule: Option<String>,
}

/// What a token says of itself, unchecked: it comes straight from its issuer.
#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Value>,
}

impl Request {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let format = self.chosen_format()?;
        let wish = Wish {
            audiences: self.audiences.clone(),
            lifetime: self.lifetime,
            algorithm: self.algorithm,
            preview: false,
        };
        let answer = TokenEndpoint::find(variable)?.ask(&wish).await?.success()?;
        let answered: Answered = answer.document()?;
        let token = answered.value.or(answered.token).filter(|token| is_token(token));
        let token = token.ok_or_else(|| Failure::unreachable("the server's answer holds no token"))?;
        let text = match format {
            Format::Raw | Format::File => token.clone(),
            Format::Json => output::pretty(&answer.document::<Value>()?)?,
            Format::Env => shell::export(self.name.as_deref().unwrap_or(VARIABLE), &token),
        };
        match &self.output {
            None => output::line(&text)?,
            Some(path) if format == Format::Raw || format == Format::File => replace(path, text.as_bytes())?,
            Some(path) => replace(path, format!("{text}\n").as_bytes())?,
        }
        if !self.quiet {
            say(&token, answered.rule.as_deref());
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
            return Err(Failure::usage("--format file needs --output PATH"));
        }
        if self.name.is_some() && format != Format::Env {
            return Err(Failure::usage("--name is for --format env alone"));
        }
        Ok(format)
    }
}

/// A token that can be printed, quoted and sent: three parts of base64url.
fn is_token(text: &str) -> bool {
    text.split('.').count() == 3
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn say(token: &str, rule: Option<&str>) {
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

/// Whoever reads the file sees the old text or the new one, whole; nobody else can read it.
fn replace(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::unreachable(format!("{}: {error}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Made with mode 0600 whatever the umask.
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
