//! `store copy`: an installation moves from one file to a PostgreSQL database.

use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::Failure;
use super::installation::now;
use super::output::{self, Table};
use crate::config::store_place;
use crate::store::StoreUrl;
use crate::store::copy::{self, CopyError};

/// The database
#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    Copy(Copy),
}

/// Move everything from a SQLite file to an empty PostgreSQL database: keys, clients, names, builds, the record
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass store copy --from sqlite://data/buildpass.db \\
    --to 'postgres://buildpass@db.example.com/buildpass?sslmode=verify-full' --to-password-file secrets/database-password

The file is marked first: a server that still runs on it answers 503 from then on, and none starts on it again. What is
copied is read again and compared, and commits last; a copy that was cut off is repeated with the same command. Keep the
key-encryption keys: the new server needs them.")]
pub(super) struct Copy {
    /// The file that is left
    #[arg(long, value_name = "URL")]
    from: String,
    /// The database to move to
    #[arg(long, value_name = "URL")]
    to: String,
    /// A file with the password, where the URL holds none
    #[arg(long, value_name = "FILE")]
    to_password_file: Option<std::path::PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl StoreCommand {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self::Copy(copy) = self;
        copy.run().await
    }
}

impl Copy {
    async fn run(self) -> Result<(), Failure> {
        let here = std::env::current_dir()?;
        let password = self.to_password_file.map(std::fs::read_to_string).transpose()?;
        let password = password.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
        let place = |flag: &str, url: &str, password| {
            store_place(url, password, &here).map_err(|problem| Failure::usage(format!("{flag}: {problem}")))
        };
        let (from, to) = (place("--from", &self.from, None)?, place("--to", &self.to, password)?);
        let (StoreUrl::Sqlite(from), StoreUrl::Postgres(to)) = (from, to) else {
            return Err(Failure::usage("a copy goes from sqlite:// to postgres://"));
        };
        let copied = copy::copy(&from, &to, now()).await.map_err(|error| match error {
            CopyError::Store(..) => Failure::unreachable(error),
            _ => Failure::refused(error),
        })?;
        if self.json {
            let tables = copied
                .iter()
                .map(|table| json!({"table": table.name, "rows": table.rows, "digest": table.digest.to_string()}));
            return Ok(output::document(&json!({"to": to.to_string(), "tables": tables.collect::<Vec<_>>()}))?);
        }
        let mut table = Table::new(&["TABLE", "ROWS", "SHA-256 ON BOTH SIDES"]);
        for copied in copied {
            table.row([copied.name, copied.rows.to_string(), copied.digest.to_string()]);
        }
        table.print()?;
        output::note(&format!(
            "Everything stands in {to}. Next: set store.url to it, keep keys.key_encryption_keys, start the server there."
        ));
        Ok(())
    }
}
