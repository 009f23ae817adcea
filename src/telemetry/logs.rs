//! Logs, to standard error. No value can end a line and forge the next: control characters are escaped.

use std::fmt;
use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{self, Writer};

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What logs look like and hold.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// How a line is written.
    pub format: LogFormat,
    /// Which lines are written: a level, or `target=level` joined by commas.
    pub filter: String,
}

impl LogSettings {
    /// Can this filter be read?
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn check_filter(filter: &str) -> Result<(), String> {
        parse(filter).map(drop)
    }
}

fn parse(filter: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(filter)
        .map_err(|error| format!("the log filter can't be read: {error}; write a level such as info"))
}

/// Starts logging for the whole process.
///
/// # Errors
/// A filter that can't be read, or logs that were started before.
pub fn start_logs(settings: &LogSettings) -> Result<(), String> {
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
    started.map_err(|_| "logs were started before".to_owned())
}

/// Does this character do something to a terminal, a line or a reader: a control, a line separator, a mark that changes
/// direction or can't be seen?
#[must_use]
pub fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What a stranger said, so that it ends no line and forges none.
fn escape(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        if acts(character) {
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
    fn no_text_of_a_stranger_ends_a_line_or_moves_a_cursor() {
        let hostile = "a\u{1b}[31m\r\nforged\0\u{202e}\u{2028}\u{feff}é";
        let mut text = String::new();
        escape(&mut Writer::new(&mut text), hostile).unwrap();
        assert_eq!(text, "a\\u{1b}[31m\\r\\nforged\\u{0}\\u{202e}\\u{2028}\\u{feff}é");
        assert!(!text.chars().any(acts));
    }
}
