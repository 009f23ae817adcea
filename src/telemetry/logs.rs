//! Writes the log to standard error. Control characters are escaped, so that no value can end a log line and forge
//! another.

use std::fmt;
use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{self, Writer};

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
    /// What is wrong in the filter, with an example of a valid filter.
    pub(crate) fn check_filter(filter: &str) -> Result<(), String> {
        parse(filter).map(drop)
    }
}

fn parse(filter: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(filter).map_err(|error| format!("invalid log filter: {error}; write a level such as info"))
}

/// Starts logging for the whole process.
///
/// # Errors
/// The reason if the filter is invalid or logging was started before.
pub(crate) fn start_logs(settings: &LogSettings) -> Result<(), String> {
    let filter = parse(&settings.filter)?;
    let json = match settings.format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
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
    started.map_err(|_| "logging was already started in this process".to_owned())
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
    fn no_text_from_outside_ends_a_line_or_moves_a_cursor() {
        let hostile = "a\u{1b}[31m\r\nforged\0\u{202e}\u{2028}\u{feff}é";
        let mut text = String::new();
        escape(&mut Writer::new(&mut text), hostile).unwrap();
        assert_eq!(text, "a\\u{1b}[31m\\r\\nforged\\u{0}\\u{202e}\\u{2028}\\u{feff}é");
        assert!(!text.chars().any(is_unprintable));
    }
}
