//! A small gem server. The server accepts `gem push` with an API key that buildpass issued for a build, records the
//! publication at buildpass, and stores the gem.
//!
//! ```text
//! BUILDPASS_URL=… BUILDPASS_CLIENT_ID=… BUILDPASS_CLIENT_SECRET=… gem_server FOLDER [ADDRESS]
//! ```

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]

mod downstream;

use std::env;
use std::error::Error;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use downstream::{Buildpass, Refused};
use tokio::net::TcpListener;

/// Maximum size of a pushed gem, in bytes.
const MOST: usize = 16 * 1_024 * 1_024;

struct Gems {
    folder: PathBuf,
    buildpass: Buildpass,
}

type Answer = (StatusCode, String);

async fn push(State(gems): State<Arc<Gems>>, headers: HeaderMap, body: Bytes) -> Result<Answer, Answer> {
    let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = gems.buildpass.key(key, "rubygems", &["push_rubygem"]).await.map_err(refused)?;
    let (name, version) =
        name_of(&body).ok_or_else(|| answer(StatusCode::UNPROCESSABLE_ENTITY, "The body is not a gem."))?;
    if !known.may_be_for(&name) {
        return Err(refused(Refused::Package));
    }
    // Record the publication first, so that no gem without a known origin is stored.
    gems.buildpass.publish(("rubygems", &name, &version), &body, key).await.map_err(refused)?;
    let stored = tokio::fs::write(gems.folder.join(format!("{name}-{version}.gem")), &body).await;
    stored.map_err(|error| {
        eprintln!("{name}-{version} could not be stored: {error}");
        answer(StatusCode::INTERNAL_SERVER_ERROR, "The gem could not be stored.")
    })?;
    println!("stored {name} {version}");
    Ok((StatusCode::OK, format!("Successfully registered gem: {name} ({version})")))
}

async fn gem(State(gems): State<Arc<Gems>>, Path(file): Path<String>) -> Result<Bytes, StatusCode> {
    if !is_plain(&file) {
        return Err(StatusCode::NOT_FOUND);
    }
    tokio::fs::read(gems.folder.join(file)).await.map(Bytes::from).map_err(|_| StatusCode::NOT_FOUND)
}

/// Returns name and version of a gem. A gem is a tar archive; the file `metadata.gz` holds the specification in YAML.
fn name_of(gem: &[u8]) -> Option<(String, String)> {
    let mut archive = tar::Archive::new(gem);
    let mut entries = archive.entries().ok()?.filter_map(Result::ok);
    let metadata = entries.find(|entry| entry.path().is_ok_and(|path| path.as_os_str() == "metadata.gz"))?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(metadata).take(1_024 * 1_024).read_to_string(&mut text).ok()?;
    let mut lines = text.lines();
    let name = lines.find_map(|line| line.strip_prefix("name: "))?.trim_matches(['"', '\'']).to_owned();
    lines.find(|line| line.starts_with("version: "))?;
    let version = lines.next()?.trim().strip_prefix("version: ")?.trim_matches(['"', '\'']).to_owned();
    (is_plain(&name) && is_plain(&version)).then_some((name, version))
}

/// Whether the text, a gem's name or version, is safe as part of a file name.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !text.is_empty() && !text.starts_with('.') && text.len() <= 128 && text.bytes().all(plain)
}

fn refused(why: Refused) -> Answer {
    match why {
        Refused::Key => answer(StatusCode::UNAUTHORIZED, "Access Denied. The API key is not valid here."),
        Refused::Package => answer(StatusCode::FORBIDDEN, "The API key doesn't have access to this gem."),
        Refused::Exists => answer(StatusCode::CONFLICT, "Repushing of gem versions is not allowed."),
        Refused::Unavailable(why) => {
            eprintln!("could not reach buildpass: {why}");
            answer(StatusCode::SERVICE_UNAVAILABLE, "API keys cannot be checked now; try again later.")
        }
    }
}

fn answer(status: StatusCode, text: &str) -> Answer {
    (status, text.to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (folder, address) = match arguments.as_slice() {
        [folder] => (folder, "127.0.0.1:8092"),
        [folder, address] => (folder, address.as_str()),
        _ => return Err("usage: gem_server FOLDER [ADDRESS]".into()),
    };
    std::fs::create_dir_all(folder)?;
    let gems = Arc::new(Gems { folder: folder.into(), buildpass: Buildpass::from_environment()? });
    let router = Router::new()
        .route("/api/v1/gems", post(push))
        .route("/gems/{file}", get(gem))
        .layer(DefaultBodyLimit::max(MOST))
        .with_state(gems);
    let listener = TcpListener::bind(address).await?;
    println!("gem server ready: http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, router).await?)
}
