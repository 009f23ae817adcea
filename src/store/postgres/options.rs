//! Location of the PostgreSQL server, and the user to log in as. Holds the password, and never shows it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use crate::base::Secret;

/// Protection of the connection. No mode falls back to plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum Tls {
    /// No encryption: for the loopback interface and unix sockets.
    Disable,
    /// Encrypted, without checking the server's certificate.
    Require,
    /// Encrypted; a known authority must have signed the certificate.
    VerifyCa,
    /// As [`VerifyCa`](Self::VerifyCa), and the certificate must name the host.
    VerifyFull,
}

/// Location of a PostgreSQL database, and the user to log in as.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Host name, address, or the folder of a unix socket.
    pub host: String,
    /// TCP port, or the number of the unix socket.
    pub port: u16,
    /// Name of the user; has no default.
    pub user: String,
    /// Password of the user, if the user has one.
    pub password: Option<Secret<String>>,
    /// Name of the database; has no default.
    pub database: String,
    /// Protection of the connection.
    pub tls: Tls,
    /// PEM file of trusted authorities, instead of the well-known ones.
    pub root_certificates: Option<PathBuf>,
    /// Maximum number of reading connections.
    pub readers: u32,
    /// Maximum number of writing connections; one of them only writes records.
    pub writers: u32,
    /// Milliseconds to add to the server's clock: for tests, which set their own clock.
    pub clock_offset: Arc<AtomicI64>,
}

/// Formats the URL without the password.
impl fmt::Display for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, user, database, .. } = self;
        if host.starts_with('/') {
            write!(f, "postgres://{user}@/{database}?host={host}&port={port}")
        } else {
            write!(f, "postgres://{user}@{host}:{port}/{database}")
        }
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
