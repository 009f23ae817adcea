//! `bench`: measures the throughput of the server on this machine, beside the limit of the hardware. Absolute figures
//! drift from run to run; only the ratio within one run is comparable, so rounds of both measurements alternate.

mod cores;
mod http;
mod issuing;
mod limit;
mod load;
mod report;
mod server;

use clap::{Args, ValueEnum};

use self::cores::Cores;
use super::failure::Failure;
use super::output;

/// Compare the server's throughput with the hardware's limit
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass bench --only P1
  buildpass bench --all --json

Figures of a debug build are meaningless: cargo run --profile dist -- bench --all")]
pub(super) struct Bench {
    /// Run only the benchmark with this id
    #[arg(
        long,
        value_name = "ID",
        value_enum,
        ignore_case = true,
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    only: Option<Benchmark>,
    /// Run every benchmark
    #[arg(long)]
    all: bool,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// ID tokens per second over HTTP, each recorded on disk: RS256, 64 connections, the server on one core
    #[value(name = "P1")]
    P1,
}

impl Bench {
    pub(super) fn run(self) -> Result<(), Failure> {
        let cores = Cores::choose();
        if cfg!(debug_assertions) {
            output::note("note: this is a debug build; its figures are meaningless");
        }
        if !cores.are_distinct() {
            output::note("note: only one core is available: the server and the load share it, which lowers the ratio");
        }
        // There is only one benchmark, so --all and --only P1 are the same.
        let rows = [issuing::measure(cores)?];
        if self.json {
            return Ok(output::json_lines(&rows)?);
        }
        report::print(&rows)
    }
}
