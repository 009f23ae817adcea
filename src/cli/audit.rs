//! `audit`: the record of issued tokens. It holds digests and claims, never a token.

use std::collections::VecDeque;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::failure::Failure;
use super::installation::{Place, now};
use super::output::{self, Table, cell};
use super::since::since;
use crate::base::{BuildId, IssuerId, Jti, Moment, Seconds};
use crate::store::{AuditFilter, AuditRow, Store};

/// How many rows the table shows.
const SHOWN: usize = 50;

/// How many rows are read at once.
const PAGE: u32 = 1_000;

/// The record of issued tokens
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    List(List),
    Show(Show),
}

/// List issued tokens: the latest 50 as a table, all of them with --json
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass audit list --since 1h
  buildpass audit list --since 2026-11-25T00:00:00Z --json | jq -r .subject")]
pub(super) struct List {
    /// Of this build
    #[arg(long, value_name = "ID")]
    build: Option<BuildId>,
    /// With exactly this subject
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Issued at or after this time (2026-11-25T04:31:34Z), or not longer ago than this (1h, 7d)
    #[arg(long, value_name = "TIME", value_parser = |text: &str| since(text, now()))]
    since: Option<Moment>,
    /// Print JSON lines, oldest first, without limit
    #[arg(long)]
    json: bool,
}

/// Show the record of one token, with its claims
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass audit show 0199e4d2-7c11-7b7e-8a3b-5b1f3a2c9d10 --json | jq .claims")]
pub(super) struct Show {
    /// The token's jti
    jti: Jti,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        match self {
            Self::List(list) => {
                let Some(store) = place.existing_store().await? else {
                    output::note("There is no database yet, so no token was issued: buildpass serve makes it.");
                    return Ok(());
                };
                let done = list.run(&*store).await;
                store.close().await;
                done
            }
            Self::Show(show) => {
                let store = place.required_store().await?;
                let done = show.run(&*store).await;
                store.close().await;
                done
            }
        }
    }
}

impl List {
    async fn run(self, store: &dyn Store) -> Result<(), Failure> {
        let filter = AuditFilter { build: self.build, subject: self.subject, since: self.since };
        if self.json {
            return each_page(store, &filter, |rows| Ok(output::json_lines(&rows)?)).await;
        }
        let rows = latest(store, filter, now()).await?;
        if rows.is_empty() {
            output::note("No such token was issued.");
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

/// The latest rows, oldest first. The store reads from the oldest on, so ever longer stretches of the past are tried
/// until one holds enough: a long history is not read for the sake of its end.
async fn latest(store: &dyn Store, filter: AuditFilter, now: Moment) -> Result<VecDeque<AuditRow>, Failure> {
    let mut stretch = Seconds::new(60);
    loop {
        let tried = now - stretch;
        let whole = tried.unix() <= 0 || filter.since.is_some_and(|since| since >= tried);
        let since = if whole { filter.since } else { Some(tried) };
        let mut latest = VecDeque::with_capacity(SHOWN);
        each_page(store, &AuditFilter { since, ..filter.clone() }, |rows| {
            for row in rows {
                if latest.len() == SHOWN {
                    latest.pop_front();
                }
                latest.push_back(row);
            }
            Ok(())
        })
        .await?;
        if whole || latest.len() == SHOWN {
            return Ok(latest);
        }
        stretch = stretch * 8;
    }
}

async fn each_page(
    store: &dyn Store,
    filter: &AuditFilter,
    mut take: impl FnMut(Vec<AuditRow>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let issuer = IssuerId::main();
    let mut after = None;
    loop {
        let rows = store.list_audit(&issuer, filter, after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some((last.issued_at, last.jti));
        take(rows)?;
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
            .map_err(|_| Failure::unreachable("the record's claims can't be read: column claims of table audit"))?;
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
