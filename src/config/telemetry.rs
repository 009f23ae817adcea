//! `[telemetry]`: logs.

use super::reader::{Reader, text};
use crate::telemetry::{LogFormat, LogSettings};

pub(super) fn read(reader: &mut Reader<'_>) -> Option<LogSettings> {
    let log_format = reader.read("telemetry.log_format", |value| match text(value)? {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be auto, text or json".to_owned()),
    });
    let log_filter = reader.read("telemetry.log_filter", |value| {
        let filter = text(value)?;
        LogSettings::check_filter(filter).map(|()| filter.to_owned())
    });
    Some(LogSettings { format: log_format?, filter: log_filter? })
}
