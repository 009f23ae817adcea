//! Where the server is, and as whom it is asked. Holds the password, and never shows it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use crate::base::Secret;

/// How the connection is protected. There is no mode that falls back to plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum Tls {
    /// Not at all: for the loopback interface and unix sockets.
    Disable,
    /// Encrypted, whoever answers.
    Require,
    /// The certificate must be signed by a known authority.
    VerifyCa,
    /// The certificate must also name the host.
    VerifyFull,
}

/// Where a PostgreSQL database is, and who we are there.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Host name, address, or the folder of a unix socket.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user; never guessed.
    pub user: String,
    /// The user's password, if it has one.
    pub password: Option<Secret<String>>,
    /// The database; never guessed.
    pub database: String,
    /// How the connection is protected.
    pub tls: Tls,
    /// Certificates of authorities, in PEM, in place of the well-known ones.
    pub root_certificates: Option<PathBuf>,
    /// Connections that read, at most.
    pub readers: u32,
    /// Connections that write, at most; one of them is for records alone.
    pub writers: u32,
    /// Added to what the server's clock says, in milliseconds: for tests, whose own clock is not the server's.
    pub clock_offset: Arc<AtomicI64>,
}

/// Without the password.
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
