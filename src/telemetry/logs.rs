//! Writes the log to standard error, from a thread of its own. Control characters are escaped, so that no value can end a
//! log line and forge another. Logging must never wait for standard error.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{self, Writer};

use super::log_queue::{DroppedLines, LogQueue};
use crate::base::{Clock, Moment};

/// Maximum time that the end of the process waits for the remaining log lines to be written.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// Format of the lines in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text if standard error is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Text for people to read.
    Text,
    /// One JSON object on each line.
    Json,
}

/// Configured format and filter of the log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Format of each log line.
    pub format: LogFormat,
    /// Filter that selects log lines: a level, or `target=level` pairs joined by commas.
    pub filter: String,
}

impl LogSettings {
    /// Checks the syntax of a log filter.
    ///
    /// # Errors
    /// A text that says what is wrong in the filter, with an example of a valid filter.
    pub(crate) fn check_filter(filter: &str) -> Result<(), String> {
        parse(filter).map(drop)
    }
}

fn parse(filter: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(filter).map_err(|error| format!("invalid log filter: {error}; write a level such as info"))
}

/// The log of this process. Dropping the value writes the lines that wait, within a time limit.
pub(crate) struct Logs(LogQueue);

impl Logs {
    /// Writes `line` without the format of a log line, after all earlier log lines. The line that says that the server
    /// is ready is written so.
    pub(crate) fn note(&self, line: &str) {
        self.0.enqueue(format!("{line}\n").as_bytes());
    }

    /// Returns the counter of the log lines that standard error did not take in time.
    pub(crate) fn dropped(&self) -> DroppedLines {
        self.0.dropped()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.0.flush(FLUSH_WITHIN);
    }
}

/// Starts logging for the whole process.
///
/// # Errors
/// The reason if the filter is invalid, the writing thread cannot be started or logging was started before.
pub(crate) fn start_logs(settings: &LogSettings, clock: Arc<dyn Clock>) -> Result<Logs, String> {
    let filter = parse(&settings.filter)?;
    let json = match settings.format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let queue = LogQueue::start(io::stderr(), move |count| dropped_notice(clock.now(), count, json))
        .map_err(|error| format!("could not start the thread that writes the log: {error}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(queue.clone());
    let started = if json {
        tracing::subscriber::set_global_default(lines.json().flatten_event(true).finish())
    } else {
        let fields =
            format::debug_fn(|writer: &mut Writer<'_>, field: &tracing::field::Field, value: &dyn fmt::Debug| {
                if field.name() != "message" {
                    write!(writer, "{field}=")?;
                }
                escape(writer, &format!("{value:?}"))
            });
        let lines = lines.with_ansi(io::stderr().is_terminal()).fmt_fields(fields.delimited(" "));
        tracing::subscriber::set_global_default(lines.finish())
    };
    started.map_err(|_| "logging was already started in this process".to_owned())?;
    log_panics();
    Ok(Logs(queue))
}

/// Logs panics through the queue, since Rust's own hook blocks while standard error is stuck. Logs only the place of a
/// panic, since the text may hold a secret.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a thread panicked");
    }));
}

/// Returns the log line that tells of dropped log lines.
fn dropped_notice(time: Moment, count: u64, json: bool) -> String {
    let (target, text) = (module_path!(), format!("dropped {count} log lines: standard error did not take them"));
    if json {
        format!(
            "{{\"timestamp\":\"{time}\",\"level\":\"WARN\",\"message\":\"{text}\",\"dropped\":{count},\"target\":\"{target}\"}}\n"
        )
    } else {
        format!("{time}  WARN {target}: {text}\n")
    }
}

/// Returns whether printing a character could change the terminal, the line or the reading order: a control character,
/// a line separator, or a mark that is invisible or changes the direction of text.
#[must_use]
pub(crate) fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes text that may come from a request, with unprintable characters escaped.
fn escape(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        if is_unprintable(character) {
            write!(writer, "{}", character.escape_default())?;
        } else {
            writer.write_char(character)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notice_of_dropped_lines_is_a_line_of_the_log() {
        let notice = dropped_notice(Moment::from_unix(0), 7, true);
        let line: serde_json::Value = serde_json::from_str(&notice).unwrap();
        assert_eq!((&line["level"], &line["dropped"]), (&"WARN".into(), &7.into()));
        assert!(
            notice.ends_with("}\n")
                && dropped_notice(Moment::from_unix(0), 7, false)
                    .contains("  WARN buildpass::telemetry::logs: dropped 7")
        );
    }

    #[test]
    fn no_text_from_outside_ends_a_line_or_moves_a_cursor() {
        let hostile = "a\u{1b}[31m\r\nforged\0\u{202e}\u{2028}\u{feff}é";
        let mut text = String::new();
        escape(&mut Writer::new(&mut text), hostile).unwrap();
        assert_eq!(text, "a\\u{1b}[31m\\r\\nforged\\u{0}\\u{202e}\\u{2028}\\u{feff}é");
        assert!(!text.chars().any(is_unprintable));
    }
}
