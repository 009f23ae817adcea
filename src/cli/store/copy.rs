//! `store copy`: moves an installation from a SQLite file to a PostgreSQL database.

use clap::Args;
use serde_json::json;

use super::super::failure::Failure;
use super::super::input;
use super::super::installation::now;
use super::super::output::{self, Table};
use crate::config::store_place;
use crate::store::StoreUrl;
use crate::store::copy::{self, CopyError, LEFT_BEHIND};

/// Move everything from a SQLite file to an empty PostgreSQL database
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass store copy --from sqlite://data/buildpass.db \\
    --to 'postgres://buildpass@db.example.com/buildpass?sslmode=verify-full' --to-password-file secrets/database-password

The command copies keys, clients, names, builds, rules and audit records, reads the copies back, compares them, and \
commits only then.

The SQLite file is marked as moved first: a server that still runs on it answers 503 from then on, and no server \
starts on it again. If the copy is interrupted, run the same command again; after a finished copy the command copies \
nothing and says so. Tables whose data only make sense in one database are not copied, and are named at the end. Keep \
the key-encryption keys: the server needs them for the new database too.")]
pub(in crate::cli) struct Copy {
    /// URL of the SQLite database to move from
    #[arg(long, value_name = "URL")]
    from: String,
    /// URL of the PostgreSQL database to move to; the database must be empty
    #[arg(long, value_name = "URL")]
    to: String,
    /// File with the password of the PostgreSQL user, if the URL of --to holds no password
    #[arg(long, value_name = "FILE")]
    to_password_file: Option<std::path::PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Copy {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let working_dir = std::env::current_dir()?;
        let password = self.to_password_file.map(|file| input::secret_file(&file)).transpose()?;
        let password = password.map(|password| password.expose_secret().clone());
        let parse = |flag: &str, url: &str, password| {
            store_place(url, password, &working_dir).map_err(|problem| Failure::usage(format!("{flag}: {problem}")))
        };
        let (from, to) = (parse("--from", &self.from, None)?, parse("--to", &self.to, password)?);
        let (StoreUrl::Sqlite(from), StoreUrl::Postgres(to)) = (from, to) else {
            return Err(Failure::usage("--from must be a sqlite:// URL and --to a postgres:// URL"));
        };
        let copied = copy::copy(&from, &to, now()).await.map_err(|error| match error {
            CopyError::Store(..) => Failure::unreachable(error),
            _ => Failure::refused(error),
        })?;
        if self.json {
            let tables = copied
                .iter()
                .map(|table| json!({"table": table.name, "rows": table.rows, "digest": table.digest.to_string()}));
            let left_behind = LEFT_BEHIND.map(|(table, reason)| json!({"table": table, "reason": reason}));
            return Ok(output::document(&json!({
                "to": to.to_string(), "tables": tables.collect::<Vec<_>>(), "left_behind": left_behind,
            }))?);
        }
        let mut table = Table::new(&["TABLE", "ROWS", "SHA-256 ON BOTH SIDES"]);
        for copied in copied {
            table.row([copied.name, copied.rows.to_string(), copied.digest.to_string()]);
        }
        table.print()?;
        for (table, reason) in LEFT_BEHIND {
            output::note(&format!("not copied: {table}: {reason}"));
        }
        output::note(&format!(
            "The installation is in {to} now. Next: set store.url to this database, keep keys.key_encryption_keys, start the server."
        ));
        Ok(())
    }
}
