//! `audit`: prints the records of issued tokens and the events of the exchange. A record holds digests and claims,
//! never a token.

use std::collections::VecDeque;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::failure::Failure;
use super::installation::{Installation, now};
use super::output::{self, Table, cell};
use super::since::since;
use crate::base::{BuildId, IssuerId, Jti, Moment, Seconds};
use crate::store::{AuditFilter, AuditRow, EventRow, Store, StoreError};

/// Maximum number of rows in a printed table.
const MAX_ROWS: usize = 50;

/// Maximum number of rows that one query reads.
const PAGE: u32 = 1_000;

/// Commands on audit records.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    List(List),
    Show(Show),
    Events(Events),
}

/// List issued tokens: the latest 50, or all with --json
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass audit list --since 1h
  buildpass audit list --since 2026-11-25T00:00:00Z --json | jq -r .subject")]
pub(super) struct List {
    /// List only tokens of this build
    #[arg(long, value_name = "ID")]
    build: Option<BuildId>,
    /// List only tokens with exactly this subject
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// List only tokens issued since this time (2026-11-25T04:31:34Z), or within this duration before now (1h, 7d)
    #[arg(long, value_name = "TIME", value_parser = |text: &str| since(text, now()))]
    since: Option<Moment>,
    /// Print all rows as JSON lines, oldest first
    #[arg(long)]
    json: bool,
}

/// Show the record of an issued token, with its claims
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass audit show 0199e4d2-7c11-7b7e-8a3b-5b1f3a2c9d10 --json | jq .claims")]
pub(super) struct Show {
    /// jti claim of the token
    jti: Jti,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// List events of the exchange (credentials issued and revoked, tokens refused, rules changed): the latest 50, or all with
/// --json
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass audit events --since 1h
  buildpass audit events --json | jq -r 'select(.kind == \"exchange_refused\") | .detail'")]
pub(super) struct Events {
    /// List only events since this time (2026-11-25T04:31:34Z), or within this duration before now (1h, 7d)
    #[arg(long, value_name = "TIME", value_parser = |text: &str| since(text, now()))]
    since: Option<Moment>,
    /// Print all rows as JSON lines, oldest first
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        match self {
            Self::List(list) => {
                let Some(store) = installation.existing_store().await? else {
                    output::note("There is no database yet, so no token was issued; `buildpass serve` creates it.");
                    return Ok(());
                };
                let done = list.run(&*store).await;
                store.close().await;
                done
            }
            Self::Show(show) => {
                let store = installation.required_store().await?;
                let done = show.run(&*store).await;
                store.close().await;
                done
            }
            Self::Events(events) => {
                let store = installation.required_store().await?;
                let done = events.run(&*store).await;
                store.close().await;
                done
            }
        }
    }
}

impl Events {
    async fn run(&self, store: &dyn Store) -> Result<(), Failure> {
        let events = EventLog { store };
        if self.json {
            return events.each_page(self.since, |rows| Ok(output::json_lines(&rows)?)).await;
        }
        let rows = events.latest(self.since, now()).await?;
        if rows.is_empty() {
            output::note("No event was recorded.");
            return Ok(());
        }
        let mut table = Table::new(&["AT", "KIND", "FLOW", "SUBJECT", "DETAIL"]);
        for row in rows {
            let subject = row.subject.map(|subject| shortened(subject, 80));
            table.row([row.at.to_string(), row.kind, cell(row.flow), cell(subject), shortened(row.detail, 400)]);
        }
        Ok(table.print()?)
    }
}

/// Shortens untrusted text for a table to `most` characters; `--json` prints the whole text.
fn shortened(mut text: String, most: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
    text
}

impl List {
    async fn run(self, store: &dyn Store) -> Result<(), Failure> {
        let filter = AuditFilter { build: self.build, subject: self.subject, since: None };
        let tokens = Tokens { store, filter };
        if self.json {
            return tokens.each_page(self.since, |rows| Ok(output::json_lines(&rows)?)).await;
        }
        let rows = tokens.latest(self.since, now()).await?;
        if rows.is_empty() {
            output::note("No token matches.");
            return Ok(());
        }
        let mut table = Table::new(&["ISSUED AT", "SUBJECT", "AUDIENCES", "ALG", "RULE", "PEER", "JTI"]);
        for row in rows {
            table.row([
                row.issued_at.to_string(),
                row.subject,
                row.audiences.join(" "),
                row.alg.to_string(),
                row.rule.unwrap_or_else(|| "default".to_owned()),
                cell(row.peer),
                row.jti.to_string(),
            ]);
        }
        Ok(table.print()?)
    }
}

/// A list of records in the database, read page by page, oldest first.
trait Record {
    type Row: Clone;

    /// Returns the next page: at most [`PAGE`] rows since the moment `since`, beginning after the row `after`.
    async fn page(&self, since: Option<Moment>, after: Option<&Self::Row>) -> Result<Vec<Self::Row>, StoreError>;

    async fn each_page(
        &self,
        since: Option<Moment>,
        mut each: impl FnMut(Vec<Self::Row>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let rows = self.page(since, after.as_ref()).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.clone());
            each(rows)?;
        }
    }

    /// Returns the latest [`MAX_ROWS`] rows, oldest first. Reads the last minute, then longer and longer periods until
    /// one holds enough rows, so that a long history is rarely read as a whole.
    async fn latest(&self, since: Option<Moment>, now: Moment) -> Result<VecDeque<Self::Row>, Failure> {
        let mut period = Seconds::new(60);
        loop {
            let tried = now - period;
            let whole = tried.unix() <= 0 || since.is_some_and(|since| since >= tried);
            let mut latest = VecDeque::with_capacity(MAX_ROWS);
            self.each_page(if whole { since } else { Some(tried) }, |rows| {
                for row in rows {
                    if latest.len() == MAX_ROWS {
                        latest.pop_front();
                    }
                    latest.push_back(row);
                }
                Ok(())
            })
            .await?;
            if whole || latest.len() == MAX_ROWS {
                return Ok(latest);
            }
            period = period * 8;
        }
    }
}

/// The records of issued tokens that match a filter.
struct Tokens<'a> {
    store: &'a dyn Store,
    filter: AuditFilter,
}

impl Record for Tokens<'_> {
    type Row = AuditRow;

    async fn page(&self, since: Option<Moment>, after: Option<&AuditRow>) -> Result<Vec<AuditRow>, StoreError> {
        let filter = AuditFilter { since, ..self.filter.clone() };
        let after = after.map(|row| (row.issued_at, row.jti));
        self.store.list_audit(&IssuerId::main(), &filter, after, PAGE).await
    }
}

/// The recorded events of the exchange, without a filter.
struct EventLog<'a> {
    store: &'a dyn Store,
}

impl Record for EventLog<'_> {
    type Row = EventRow;

    async fn page(&self, since: Option<Moment>, after: Option<&EventRow>) -> Result<Vec<EventRow>, StoreError> {
        let since = since.unwrap_or(Moment::from_unix(0));
        self.store.list_events(&IssuerId::main(), since, after.map(|row| row.id), PAGE).await
    }
}

#[derive(Serialize)]
struct ShownRow {
    #[serde(flatten)]
    row: AuditRow,
    claims: serde_json::Value,
}

impl Show {
    async fn run(self, store: &dyn Store) -> Result<(), Failure> {
        let row = store.find_audit(&IssuerId::main(), self.jti).await?;
        let row = row.ok_or_else(|| Failure::refused(format!("no token with the jti {} was issued", self.jti)))?;
        let claims = serde_json::from_str(&row.claims)
            .map_err(|_| Failure::unreachable("the claims that the database holds for this token are not JSON"))?;
        let shown = ShownRow { row, claims };
        if self.json {
            return Ok(output::document(&shown)?);
        }
        let serde_json::Value::Object(members) =
            serde_json::to_value(&shown).map_err(|error| Failure::unreachable(error.to_string()))?
        else {
            return Ok(());
        };
        for (name, value) in members.iter().filter(|(name, _)| *name != "claims") {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            output::line(&format!("{name:16}  {}", output::visible(&value)))?;
        }
        Ok(output::line(&format!("claims            {}", output::pretty(&shown.claims)?))?)
    }
}
