//! Location of a PostgreSQL database, and the user to log in as. The user's password is never shown.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use crate::base::Secret;
use crate::store::waits::StoreWaits;

/// Protection of the connection to the PostgreSQL server. No mode falls back to plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum Tls {
    /// No encryption: for the loopback interface and unix sockets.
    Disable,
    /// Encryption, without checking the server's certificate.
    Require,
    /// Encryption; a trusted authority must have signed the server's certificate.
    VerifyCa,
    /// Encryption; a trusted authority must have signed the server's certificate, and the certificate must name the
    /// host.
    VerifyFull,
}

/// Location of a PostgreSQL database, and the user to log in as.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Host name or address of the server, or the folder of its unix socket.
    pub host: String,
    /// TCP port of the server, or the number in the name of its unix socket.
    pub port: u16,
    /// Name of the user to log in as.
    pub user: String,
    /// Password of the user, if the user has one.
    pub password: Option<Secret<String>>,
    /// Name of the database on the server.
    pub database: String,
    /// Protection of the connection to the server.
    pub tls: Tls,
    /// PEM file of the authorities that may sign the server's certificate; `None` to trust the well-known authorities.
    pub root_certificates: Option<PathBuf>,
    /// Maximum number of reading connections.
    pub readers: u32,
    /// Maximum number of writing connections; one of these connections writes only audit records.
    pub writers: u32,
    /// Time limits of statements and of waits for a connection.
    pub waits: StoreWaits,
    /// Milliseconds to add to the time that the PostgreSQL server reports; only tests change it from 0.
    pub clock_offset: Arc<AtomicI64>,
}

/// Formats the URL of the database without the password.
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
