//! Drives a started server as strangers do, and looks at what everybody else gets meanwhile.
//!
//! `cargo test --test hostile -- check [NAME…]` runs each case for a few seconds and asserts what does not depend on the
//! machine's speed. `-- measure [NAME…]` runs them longer, three times, with the server on a core of its own, and prints
//! a table. `key=value` replaces a setting of every case, to see that a case fails without its bound; `cgroup=DIR` puts
//! the server into a memory cgroup, and `seconds=N` is how long each attack lasts. Without a word nothing runs, so that `cargo test` does not take minutes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may stop at once, and says what it found"
)]

mod attacks;
mod cases;
mod client;
mod cores;
mod good;
mod judge;
mod measure;
mod run;
mod server;
mod table;
mod target;
mod victims;

use std::process::ExitCode;
use std::time::Duration;

use crate::cases::Case;
use crate::run::{Installation, Plan};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let Some((mode, words)) = words.split_first() else { return ExitCode::SUCCESS };
    let (settings, names): (Vec<_>, Vec<_>) = words.iter().partition(|word| word.contains('='));
    let mut settings: Vec<_> = settings
        .into_iter()
        .filter_map(|word| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())))
        .collect();
    let mut own = |name: &str| settings.iter().position(|(key, _)| key == name).map(|at| settings.swap_remove(at).1);
    let (cgroup, seconds) = (own("cgroup").map(Into::into), own("seconds").map(|text| text.parse().unwrap()));
    let cases: Vec<_> = cases::all()
        .into_iter()
        .filter(|case| names.is_empty() || names.iter().any(|name| case.name.contains(*name)))
        .collect();
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let all_files = rustix::process::Rlimit { current: files.maximum, ..files };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, all_files).unwrap();
    let is_check = mode == "check";
    let plan = Plan {
        lasts: Duration::from_secs_f64(seconds.unwrap_or(if is_check { 2.5 } else { 6.0 })),
        cores: if is_check { None } else { cores::Cores::choose() },
        cgroup,
        settings,
        has_good_load: !is_check,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let installation = Installation::create();
    let go = |case: &Case| {
        let figures = runtime.block_on(run::measure(case, &plan, &installation));
        println!("{}: {}", case.name, table::line(&figures));
        for fault in judge::faults(case, &figures) {
            println!("  FAULT {fault}");
        }
        figures
    };
    if is_check {
        // Once more before it counts: another process may have had the machine to itself for a second.
        let fails = |case: &Case| !judge::faults(case, &go(case)).is_empty();
        let failed = cases.iter().filter(|case| fails(case) && fails(case)).count();
        println!("{failed} of {} cases failed", cases.len());
        return if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let rows: Vec<_> = cases.iter().map(|case| table::row(case.name, &[0, 1, 2].map(|_| go(case)))).collect();
    println!("\n{}\n{}", table::HEAD, rows.join("\n"));
    ExitCode::SUCCESS
}
