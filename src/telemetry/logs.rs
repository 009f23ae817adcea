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

/// Starts logging for the whole process.
///
/// # Errors
/// A filter that can't be read, or logs that were started before.
pub fn start_logs(settings: &LogSettings) -> Result<(), String> {
    let filter = EnvFilter::try_new(&settings.filter)
        .map_err(|error| format!("the log filter can't be read: {error}; write a level such as info"))?;
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

fn escape(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        if character.is_control() {
            write!(writer, "{}", character.escape_default())?;
        } else {
            writer.write_char(character)?;
        }
    }
    Ok(())
}
