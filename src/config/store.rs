//! `[store]`: where state is kept. Opens nothing, and never repeats a URL, which may hold a password.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::reader::{Reader, text};
use super::source::Origin;
use super::value::Value;
use crate::base::Secret;
use crate::store::StoreUrl;
use crate::store::postgres::{PostgresOptions, Tls};

/// Connections to PostgreSQL of one server.
const READERS: u32 = 8;
const WRITERS: u32 = 5;

/// Where state is kept.
#[derive(Debug, Clone)]
pub struct StoreSection {
    /// The database.
    pub place: StoreUrl,
}

pub(super) fn read(reader: &mut Reader<'_>, state_dir: &Path) -> Option<StoreSection> {
    let from_file = reader.optional("store.url_file", |value| secret_file(value, state_dir))?;
    let password = reader.optional("store.password", |value| text(value).map(str::to_owned))?;
    let password_file = reader.optional("store.password_file", |value| secret_file(value, state_dir))?;
    if password.is_some() && password_file.is_some() {
        reader.refuse("store.password_file", "stands beside store.password; keep one");
        return None;
    }
    let place = |url: &str| store_place(url, password.or(password_file), state_dir);
    let place = match from_file {
        None => reader.read("store.url", |value| place(text(value)?))?,
        Some(_) if reader.origin("store.url") != Origin::Default => {
            reader.refuse("store.url_file", "stands beside store.url; keep one");
            return None;
        }
        Some(url) => reader.read("store.url_file", |_| place(&url))?,
    };
    Some(StoreSection { place })
}

/// A secret that stands in a file: line ends at its end don't count.
fn secret_file(value: &Value, state_dir: &Path) -> Result<String, String> {
    let path = state_dir.join(text(value)?);
    let read = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(read.trim_end_matches(['\r', '\n']).to_owned())
}

/// Reads a database's URL; relative paths start at `state_dir`.
///
/// # Errors
/// What is wrong with it, without repeating it.
pub fn store_place(url: &str, password: Option<String>, state_dir: &Path) -> Result<StoreUrl, String> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return postgres(url, password, state_dir).map(StoreUrl::Postgres);
    }
    match url.strip_prefix("sqlite://") {
        Some(path) if !path.is_empty() && !path.contains(['?', '#']) => Ok(StoreUrl::Sqlite(state_dir.join(path))),
        _ => Err("must be sqlite:// and the path of a file, such as sqlite://data/buildpass.db, or \
                  postgres://user@host/database?sslmode=verify-full"
            .to_owned()),
    }
}

fn postgres(url: &str, password: Option<String>, state_dir: &Path) -> Result<PostgresOptions, String> {
    let url = Url::parse(url).map_err(|error| format!("is not a URL: {error}"))?;
    let decoded = |text: &str| {
        let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
        decoded.map(|text| text.into_owned()).map_err(|_| "holds what is not UTF-8".to_owned())
    };
    let query = Query::read(&url)?;
    let host = match (query.host, url.host_str().filter(|host| !host.is_empty())) {
        (Some(folder), None) => folder,
        (None, Some(host)) => host.trim_matches(['[', ']']).to_owned(),
        (None, None) => return Err("names no host".to_owned()),
        (Some(_), Some(_)) => return Err("names a host twice; host= is for the folder of a unix socket".to_owned()),
    };
    let user = decoded(url.username())?;
    if user.is_empty() {
        return Err("names no user: postgres://user@host/database".to_owned());
    }
    let database = decoded(url.path().trim_start_matches('/'))?;
    if database.is_empty() || database.contains('/') {
        return Err("names no database: postgres://user@host/database".to_owned());
    }
    let password = match (url.password().map(decoded).transpose()?, password) {
        (Some(_), Some(_)) => return Err("holds a password, and store.password is set too; keep one".to_owned()),
        (one, other) => one.or(other).map(Secret::new),
    };
    let is_local = host.starts_with('/')
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let tls = match query.tls {
        Some(tls) => tls,
        None if is_local => Tls::Disable,
        None => {
            return Err("has no sslmode: sslmode=verify-full checks the server's certificate; disable, require and \
                        verify-ca check less"
                .to_owned());
        }
    };
    Ok(PostgresOptions {
        port: query.port.or(url.port()).unwrap_or(5432),
        host,
        user,
        password,
        database,
        tls,
        root_certificates: query.root_certificates.map(|path| state_dir.join(path)),
        readers: READERS,
        writers: WRITERS,
        clock_offset: Arc::default(),
    })
}

/// What may stand behind the question mark.
#[derive(Default)]
struct Query {
    host: Option<String>,
    port: Option<u16>,
    tls: Option<Tls>,
    root_certificates: Option<PathBuf>,
}

impl Query {
    fn read(url: &Url) -> Result<Self, String> {
        let mut query = Self::default();
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "sslmode" => {
                    query.tls = Some(match value.as_ref() {
                        "disable" => Tls::Disable,
                        "require" => Tls::Require,
                        "verify-ca" => Tls::VerifyCa,
                        "verify-full" => Tls::VerifyFull,
                        _ => {
                            return Err(
                                "sslmode must be disable, require, verify-ca or verify-full; there is none that \
                                        falls back to plain text"
                                    .to_owned(),
                            );
                        }
                    });
                }
                "sslrootcert" => query.root_certificates = Some(PathBuf::from(value.as_ref())),
                "host" if value.starts_with('/') => query.host = Some(value.into_owned()),
                "port" => query.port = Some(value.parse().map_err(|_| "port must be a number".to_owned())?),
                other => {
                    return Err(format!(
                        "has {other:?} behind the question mark; known are sslmode, sslrootcert, port, and host with \
                         the folder of a unix socket"
                    ));
                }
            }
        }
        Ok(query)
    }
}
