//! `[telemetry]`: logs.

use super::reader::{Reader, text};
use crate::telemetry::LogFormat;

/// Logs.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// How a line is written.
    pub log_format: LogFormat,
    /// Which lines are written, as `tracing` filters are.
    pub log_filter: String,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Telemetry> {
    let log_format = reader.read("telemetry.log_format", |value| match text(value)? {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be auto, text or json".to_owned()),
    });
    let log_filter = reader.read("telemetry.log_filter", |value| text(value).map(str::to_owned));
    Some(Telemetry { log_format: log_format?, log_filter: log_filter? })
}
