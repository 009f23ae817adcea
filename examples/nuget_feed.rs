//! A small NuGet feed. The feed accepts `dotnet nuget push` with an API key that buildpass issued for a build, records
//! the publication at buildpass, and stores the package. The feed's service index lists buildpass' token service beside
//! the feed's own resources.
//!
//! ```text
//! BUILDPASS_URL=… BUILDPASS_CLIENT_ID=… BUILDPASS_CLIENT_SECRET=… nuget_feed FOLDER [ADDRESS]
//! ```

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]

mod downstream;

use std::env;
use std::error::Error;
use std::io::{Cursor, Read as _};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, put};
use downstream::{Buildpass, Refused};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Maximum size of a pushed package, in bytes.
const MOST: usize = 16 * 1_024 * 1_024;

struct Feed {
    folder: PathBuf,
    url: String,
    token_service: String,
    buildpass: Buildpass,
}

async fn index(State(feed): State<Arc<Feed>>) -> axum::Json<Value> {
    axum::Json(json!({ "version": "3.0.0", "resources": [
        { "@id": format!("{}/api/v2/package", feed.url), "@type": "PackagePublish/2.0.0" },
        { "@id": feed.token_service, "@type": "TokenService/1.0.0" },
    ] }))
}

async fn push(State(feed): State<Arc<Feed>>, headers: HeaderMap, body: Body) -> Result<StatusCode, StatusCode> {
    let key = headers.get("x-nuget-apikey").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scopes = ["all", "package:push", "package:pushversion"];
    let known = feed.buildpass.key(key, "nuget", &scopes).await.map_err(refused)?;
    let package = package_of(&headers, body).await.ok_or(StatusCode::BAD_REQUEST)?;
    let (id, version) = name_of(&package).ok_or(StatusCode::BAD_REQUEST)?;
    if !known.may_be_for(&id) {
        return Err(StatusCode::FORBIDDEN);
    }
    // Record the publication first, so that no package without a known origin is stored.
    feed.buildpass.publish(("nuget", &id, &version), &package, key).await.map_err(refused)?;
    let file = format!("{}.{version}.nupkg", id.to_lowercase());
    tokio::fs::write(feed.folder.join(file), &package).await.map_err(|error| {
        eprintln!("{id} {version} could not be stored: {error}");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    println!("stored {id} {version}");
    Ok(StatusCode::CREATED)
}

/// Returns the package: the first part of the multipart body of a push.
async fn package_of(headers: &HeaderMap, body: Body) -> Option<Bytes> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let boundary = multer::parse_boundary(content_type).ok()?;
    let limits = multer::SizeLimit::new().whole_stream(MOST as u64);
    let constraints = multer::Constraints::new().size_limit(limits);
    let mut parts = multer::Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    parts.next_field().await.ok()??.bytes().await.ok()
}

/// Returns id and version of a package. A package is a zip archive with a `.nuspec` file in XML at the archive's root.
fn name_of(package: &[u8]) -> Option<(String, String)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(package)).ok()?;
    let name = archive.file_names().find(|name| name.ends_with(".nuspec") && !name.contains('/'))?.to_owned();
    let mut text = String::new();
    archive.by_name(&name).ok()?.take(1_024 * 1_024).read_to_string(&mut text).ok()?;
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.trim().to_owned())
    };
    let (id, version) = (element("id")?, element("version")?);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_plain = |text: &str| !text.is_empty() && !text.starts_with('.') && text.bytes().all(plain);
    (is_plain(&id) && is_plain(&version)).then_some((id, version))
}

fn refused(why: Refused) -> StatusCode {
    match why {
        Refused::Key => StatusCode::UNAUTHORIZED,
        Refused::Package => StatusCode::FORBIDDEN,
        Refused::Exists => StatusCode::CONFLICT,
        Refused::Unavailable(why) => {
            eprintln!("could not reach buildpass: {why}");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (folder, address) = match arguments.as_slice() {
        [folder] => (folder, "127.0.0.1:8093"),
        [folder, address] => (folder, address.as_str()),
        _ => return Err("usage: nuget_feed FOLDER [ADDRESS]".into()),
    };
    std::fs::create_dir_all(folder)?;
    let listener = TcpListener::bind(address).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let buildpass = Buildpass::from_environment()?;
    let token_service = format!("{}/api/v2/token", buildpass.url());
    let feed = Arc::new(Feed { folder: folder.into(), url: url.clone(), token_service, buildpass });
    let router = Router::new()
        .route("/v3/index.json", get(index))
        .route("/api/v2/package", put(push))
        .route("/api/v2/package/", put(push))
        .layer(DefaultBodyLimit::max(MOST))
        .with_state(feed);
    println!("nuget feed ready: {url}");
    Ok(axum::serve(listener, router).await?)
}
