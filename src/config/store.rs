//! `[store]`: the URL of the database. The reader opens no connection, and never repeats a URL in an error, because the
//! URL may hold a password.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::declare::section;
use super::describe::SecretText;
use super::entries::Origin;
use super::reader::{Reader, period};
use crate::base::{Seconds, Secret, file_problem, secret_text};
use crate::store::postgres::{PostgresOptions, Tls};
use crate::store::{StoreUrl, StoreWaits};

/// Number of one server's connections to PostgreSQL that only read.
const READERS: u32 = 8;
/// Number of one server's connections to PostgreSQL that write.
const WRITERS: u32 = 5;

section! {
    /// The database that holds the server's data.
    pub(super) struct StoreKeys in ("store") {
        /// URL of the database: `sqlite://PATH`, or `postgres://USER@HOST/DATABASE?sslmode=verify-full`, which may end
        /// in `&sslrootcert=FILE`.
        url: String = default r#""sqlite://data/buildpass.db""#;
        /// File with the URL of the database. At most one of `url` and `url_file` may be set.
        url_file: Option<String> = example r#""secrets/database-url""#;
        /// Password of the database user, if the URL of the database holds no password.
        password: Option<SecretText> = example r#""…""#;
        /// File with the password of the database user. At most one of `password` and `password_file` may be set.
        password_file: Option<String> = example r#""secrets/database-password""#;
        /// Maximum time of one statement in PostgreSQL. PostgreSQL and this server both enforce this limit. If a
        /// statement is not answered in time, its connection is closed. The sum of `statement_timeout` and
        /// `acquire_timeout` is the maximum wait for the answer to a write.
        statement_timeout: Seconds = default r#""5s""#, read period;
        /// Maximum wait for a connection to PostgreSQL, including the time to open a new connection. With SQLite:
        /// maximum wait while another process locks the database file.
        acquire_timeout: Seconds = default r#""2s""#, read period;
    }
}

/// The checked section `[store]`.
#[derive(Debug, Clone)]
pub struct StoreSection {
    /// Checked URL of the database, with the password if there is one.
    pub place: StoreUrl,
    /// Time limits of waits for the database.
    pub waits: StoreWaits,
}

pub(super) fn read(reader: &mut Reader<'_>, state_dir: &Path) -> Option<StoreSection> {
    let keys = StoreKeys::read_keys(reader)?;
    if keys.password.is_some() && keys.password_file.is_some() {
        reader.refuse("store.password_file", "is set beside store.password; keep one");
        return None;
    }
    if keys.url_file.is_some() && reader.origin("store.url") != Origin::Default {
        reader.refuse("store.url_file", "is set beside store.url; keep one");
        return None;
    }
    let mut from_file = |path: &str, file: Option<String>| match file {
        Some(file) => reader.keep(path, secret_file(&file, state_dir)).map(Some),
        None => Some(None),
    };
    let from_password_file = from_file("store.password_file", keys.password_file)?;
    let from_url_file = from_file("store.url_file", keys.url_file)?;
    let password = keys.password.map(|SecretText(password)| password.expose_secret().clone()).or(from_password_file);
    let path = if from_url_file.is_some() { "store.url_file" } else { "store.url" };
    let place = store_place(&from_url_file.unwrap_or(keys.url), password, state_dir);
    let seconds = |period: Seconds| Duration::from_secs(period.get());
    let waits = StoreWaits { statement: seconds(keys.statement_timeout), acquire: seconds(keys.acquire_timeout) };
    Some(StoreSection { place: reader.keep(path, place)?, waits })
}

/// Reads a secret from a file.
fn secret_file(file: &str, state_dir: &Path) -> Result<String, String> {
    let path = state_dir.join(file);
    let text = fs::read_to_string(&path).map_err(|error| file_problem(&path, &error))?;
    Ok(secret_text(&text).to_owned())
}

/// Parses the URL of a database. Relative paths in the URL start from `state_dir`.
///
/// # Errors
/// Returns the problem and what would be right, without the URL.
pub(crate) fn store_place(url: &str, password: Option<String>, state_dir: &Path) -> Result<StoreUrl, String> {
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
        decoded.map(|text| text.into_owned()).map_err(|_| "is not UTF-8 after percent-decoding".to_owned())
    };
    let query = Query::read(&url)?;
    let host = match (query.host, url.host_str().filter(|host| !host.is_empty())) {
        (Some(folder), None) => folder,
        (None, Some(host)) => host.trim_matches(['[', ']']).to_owned(),
        (None, None) => return Err("has no host: postgres://user@host/database".to_owned()),
        (Some(_), Some(_)) => return Err("has two hosts; host= is for the folder of a unix socket".to_owned()),
    };
    let user = decoded(url.username())?;
    if user.is_empty() {
        return Err("has no user: postgres://user@host/database".to_owned());
    }
    let database = decoded(url.path().trim_start_matches('/'))?;
    if database.is_empty() || database.contains('/') {
        return Err("has no database: postgres://user@host/database".to_owned());
    }
    let password = match (url.password().map(decoded).transpose()?, password) {
        (Some(_), Some(_)) => return Err("has a password, and store.password is set too; keep one".to_owned()),
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
        waits: StoreWaits::default(),
        clock_offset: Arc::default(),
    })
}

/// Parameters in the query of a PostgreSQL URL.
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
                    let tls = value.parse().map_err(|_| {
                        "sslmode must be disable, require, verify-ca or verify-full; no mode falls back to plain text"
                    })?;
                    query.tls = Some(tls);
                }
                "sslrootcert" => query.root_certificates = Some(PathBuf::from(value.as_ref())),
                "host" if value.starts_with('/') => query.host = Some(value.into_owned()),
                "port" => query.port = Some(value.parse().map_err(|_| "port must be a number".to_owned())?),
                other => {
                    return Err(format!(
                        "has the unknown parameter {other:?}; the known ones are sslmode, sslrootcert, port, and host \
                         with the folder of a unix socket"
                    ));
                }
            }
        }
        Ok(query)
    }
}
