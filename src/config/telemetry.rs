//! `[telemetry]`: format and filter of the logs.

use super::declare::section;
use super::reader::Reader;
use crate::telemetry::{LogFormat, LogSettings};

section! {
    /// Format and filter of the logs.
    pub(super) struct Telemetry in ("telemetry") {
        /// Format of log lines: `text`, `json`, or `auto` for text on a terminal and JSON elsewhere.
        log_format: LogFormat = default r#""auto""#;
        /// Minimum level of log lines: `error`, `warn`, `info`, `debug`, `trace`, or `target=level` pairs joined by
        /// commas.
        log_filter: String = default r#""info""#, read filter;
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<LogSettings> {
    let keys = Telemetry::read_keys(reader)?;
    Some(LogSettings { format: keys.log_format, filter: keys.log_filter })
}

fn filter(filter: String) -> Result<String, String> {
    LogSettings::check_filter(&filter).map(|()| filter)
}
