//! The figures as text: a line for each case while it runs, and a Markdown table of medians.

use std::time::Duration;

use crate::run::Figures;
use crate::victims::{ANOTHERS_PULL, DOCUMENTS, PULL};

pub(crate) const HEAD: &str = "\
| case | documents | beside good | pull | another's pull | peak | log | recovery | goal |
|---|---|---|---|---|---|---|---|---|";

/// Returns the figures of one run in one line.
pub(crate) fn line(figures: &Figures) -> String {
    let p99 =
        |who: usize| format!("{} ({} ms)", millis(figures.met[who].p99()), figures.met[who].longest().as_millis());
    let (connections, requests) = figures.done;
    format!(
        "documents {}, pull {}, another's {}; +{} MiB (held {}), log {:.1} KiB, admin {} ms, {} open of {connections}, \
         {requests} answers, recovery {:?}",
        p99(DOCUMENTS),
        p99(PULL),
        p99(ANOTHERS_PULL),
        figures.peak / 1024,
        figures.held / 1024,
        figures.log as f64 / 1024.0,
        figures.admin.as_millis(),
        figures.connections,
        figures.recovery,
    )
}

/// Returns the row of a case: the median of each figure.
pub(crate) fn row(name: &str, runs: &[Figures]) -> String {
    let p99 = |who: usize| median(runs, |figures| figures.met[who].p99());
    let documents = p99(DOCUMENTS);
    let good = median(runs, |figures| figures.beside_good.as_ref().map_or(Duration::ZERO, |met| met[DOCUMENTS].p99()));
    let is_met = documents <= Duration::from_millis(20) || documents <= good * 3;
    let recovery = median(runs, |figures| figures.recovery.clone().unwrap_or(Duration::MAX));
    let recovery =
        if recovery == Duration::MAX { "none".to_owned() } else { format!("{:.1} s", recovery.as_secs_f64()) };
    format!(
        "| {name} | {} | {} | {} | {} | {} MiB | {:.1} KiB | {recovery} | {} |",
        millis(documents),
        millis(good),
        millis(p99(PULL)),
        millis(p99(ANOTHERS_PULL)),
        median(runs, |figures| figures.whole) / 1024,
        median(runs, |figures| figures.log) as f64 / 1024.0,
        if is_met { "met" } else { "**missed**" },
    )
}

fn median<T: Ord>(runs: &[Figures], of: impl Fn(&Figures) -> T) -> T {
    let mut all: Vec<_> = runs.iter().map(of).collect();
    all.sort_unstable();
    all.swap_remove(all.len() / 2)
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}
