//! `bench`: what the server does on this machine, beside what the hardware allows in the same minute. Absolute figures
//! drift from run to run; the ratio of one run is what counts, so rounds of both are interleaved.

mod cores;
mod http;
mod issuing;
mod limit;
mod load;
mod server;

use clap::{Args, ValueEnum};
use serde::Serialize;

use self::cores::Cores;
use super::failure::Failure;
use super::output::{self, Table};

/// Rounds of each measurement; the median counts.
const ROUNDS: usize = 9;

/// Measure the server's throughput beside the hardware's limit
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass bench --only P1
  buildpass bench --all --json

Figures of a debug build mean nothing: cargo run --profile dist -- bench --all")]
pub(super) struct Bench {
    /// This one
    #[arg(
        long,
        value_name = "ID",
        value_enum,
        ignore_case = true,
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    only: Option<Work>,
    /// Every one there is
    #[arg(long)]
    all: bool,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// ID tokens a second over HTTP, each with its record on disk: RS256, 64 connections, the server on one core
    #[value(name = "P1")]
    P1,
}

/// One benchmark's outcome. `result` and `limit` are medians, in `unit`.
#[derive(Debug, Serialize)]
struct Row {
    id: &'static str,
    what: &'static str,
    result: f64,
    limit: f64,
    ratio: f64,
    goal: f64,
    met: bool,
    unit: &'static str,
    /// Smallest and largest of the rounds.
    spread: Spread,
}

#[derive(Debug, Serialize)]
struct Spread {
    result: [f64; 2],
    limit: [f64; 2],
    ratio: [f64; 2],
}

impl Bench {
    pub(super) fn run(self) -> Result<(), Failure> {
        let cores = Cores::choose();
        if cfg!(debug_assertions) {
            output::note("note: a debug build; its figures mean nothing");
        }
        if !cores.are_apart() {
            output::note("note: one core only: server and load share it, and the ratio is lower than it would be");
        }
        // There is one benchmark as yet, so that --all and --only P1 are the same.
        let rows = [issuing::measure(cores)?];
        if self.json {
            return Ok(output::json_lines(&rows)?);
        }
        print(&rows)
    }
}

fn print(rows: &[Row]) -> Result<(), Failure> {
    let mut table = Table::new(&["ID", "RESULT", "LIMIT", "UNIT", "RATIO", "SPREAD OF RATIO", "GOAL", "MET"]);
    for row in rows {
        let [lowest, highest] = row.spread.ratio;
        table.row([
            row.id.to_owned(),
            format!("{:.0}", row.result),
            format!("{:.0}", row.limit),
            row.unit.to_owned(),
            format!("{:.3}", row.ratio),
            format!("{lowest:.3} to {highest:.3}"),
            format!("{:.2}", row.goal),
            if row.met { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table.print()?;
    rows.iter().try_for_each(|row| Ok(output::line(&format!("{}: {}", row.id, row.what))?))
}

/// The middle value, and the smallest and largest.
fn median(values: &[f64]) -> (f64, [f64; 2]) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
    (at(sorted.len() / 2), [at(0), at(sorted.len().saturating_sub(1))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_round_does_not_move_the_median_far() {
        assert_eq!(median(&[3.0, 1.0, 2.0, 900.0, 2.5]), (2.5, [1.0, 900.0]));
    }
}
