//! What must hold for each case on any machine: memory, log, places, answers in time, recovery. No figure of speed.

use crate::cases::Case;
use crate::run::{ANSWERED_WITHIN, Figures};
use crate::victims::{ANOTHERS_PULL, DOCUMENTS, NAMES};

/// The chart's limit of memory, in KiB.
pub(crate) const CHART: usize = 512 * 1024;

/// Returns what does not hold.
pub(crate) fn faults(case: &Case, figures: &Figures) -> Vec<String> {
    let mut faults = Vec::new();
    let mut must = |holds: bool, fault: String| {
        if !holds {
            faults.push(fault);
        }
    };
    must(figures.is_running, "the process has ended".to_owned());
    must(figures.done.0 > 0, "no attacker got a connection".to_owned());
    for who in [DOCUMENTS, ANOTHERS_PULL] {
        let (met, name) = (&figures.met[who], NAMES[who]);
        let first = met.failures.first().cloned().unwrap_or_default();
        must(met.failures.is_empty(), format!("{} of {name} were not answered: {first}", met.failures.len()));
        let longest = met.longest();
        must(!met.took.is_empty() && longest < ANSWERED_WITHIN, format!("{name}: the longest wait is {longest:?}"));
    }
    must(figures.admin < ANSWERED_WITHIN, format!("the admin listener answers after {:?}", figures.admin));
    let (peak, most) = (figures.peak, case.memory * 1024);
    must(peak <= most, format!("takes {peak} KiB of memory, over {most} KiB"));
    must(figures.whole <= CHART, format!("takes {} KiB, over the chart's limit", figures.whole));
    let (log, most) = (figures.log, case.log());
    must(case.is_log_stuck || log <= most, format!("logs {log} bytes, over {most}"));
    if let Err(why) = &figures.recovery {
        must(false, format!("not as before after 5 s: {why}"));
    }
    if let Some(wrong) = &figures.wrong {
        must(false, format!("a wrong answer: {}", wrong.chars().take(300).collect::<String>()));
    }
    faults
}
