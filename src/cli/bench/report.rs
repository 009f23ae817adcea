//! Holds the figures of a benchmark, and prints the figures.

use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output::{self, Table};

/// Figures of one benchmark: `result` is the throughput of the server, `limit` that of the hardware. Both are medians,
/// in the unit `unit`.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) id: &'static str,
    pub(super) what: &'static str,
    pub(super) result: f64,
    pub(super) limit: f64,
    pub(super) ratio: f64,
    pub(super) goal: f64,
    pub(super) met: bool,
    pub(super) unit: &'static str,
    pub(super) spread: Spread,
}

/// Minimum and maximum, in this order, that each figure had in the rounds of the measurement.
#[derive(Debug, Serialize)]
pub(super) struct Spread {
    pub(super) result: [f64; 2],
    pub(super) limit: [f64; 2],
    pub(super) ratio: [f64; 2],
}

pub(super) fn print(rows: &[Row]) -> Result<(), Failure> {
    let mut table = Table::new(&["ID", "RESULT", "LIMIT", "UNIT", "RATIO", "SPREAD OF RATIO", "GOAL", "MET"]);
    for row in rows {
        let [minimum, maximum] = row.spread.ratio;
        table.row([
            row.id.to_owned(),
            format!("{:.0}", row.result),
            format!("{:.0}", row.limit),
            row.unit.to_owned(),
            format!("{:.3}", row.ratio),
            format!("{minimum:.3} to {maximum:.3}"),
            format!("{:.2}", row.goal),
            if row.met { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table.print()?;
    rows.iter().try_for_each(|row| Ok(output::line(&format!("{}: {}", row.id, row.what))?))
}

/// Returns the median of `values`, and the minimum and maximum of `values`.
pub(super) fn median(values: &[f64]) -> (f64, [f64; 2]) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
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
