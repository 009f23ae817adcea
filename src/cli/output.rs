//! Prints tables for people, JSON for programs, and notes on standard error. No other file prints. Untrusted text is escaped
//! here, so that it cannot move a cursor, hide a character or forge a line.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;

use crate::exchange::ChangeKind;
use crate::telemetry::is_unprintable;
use crate::verifier::Explanation;

const HEADING: Style = Style::new().bold();
const TROUBLE: Style = AnsiColor::Red.on_default().bold();

/// Prints a line on standard output.
pub(super) fn line(text: &str) -> io::Result<()> {
    writeln!(anstream::stdout().lock(), "{text}")
}

/// Prints a line in bold where standard output is a terminal.
pub(super) fn heading(text: &str) -> io::Result<()> {
    writeln!(anstream::stdout().lock(), "{HEADING}{text}{HEADING:#}")
}

/// Writes bytes to standard output unchanged.
pub(super) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Prints a note on standard error. A closed standard error is ignored.
pub(super) fn note(text: &str) {
    let _closed = writeln!(anstream::stderr().lock(), "{}", visible_lines(text));
}

/// Prints the error that ends a command on standard error.
pub(super) fn error(text: &str) {
    let _closed = writeln!(anstream::stderr().lock(), "{TROUBLE}error{TROUBLE:#}: {}", visible_lines(text));
}

/// Prints one JSON document.
pub(super) fn document(value: &impl Serialize) -> io::Result<()> {
    line(&json(serde_json::to_string_pretty(value)?))
}

/// Prints a list as JSON lines.
pub(super) fn json_lines(rows: impl IntoIterator<Item = impl Serialize>) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for row in rows {
        writeln!(out, "{}", json(serde_json::to_string(&row)?))?;
    }
    out.flush()
}

/// Serializes a document as JSON that is safe to print on a terminal.
pub(super) fn pretty(value: &impl Serialize) -> io::Result<String> {
    Ok(json(serde_json::to_string_pretty(value)?))
}

/// Escapes control characters in JSON text. Apart from line ends they occur only in strings, where JSON has an escape.
fn json(text: String) -> String {
    if !text.chars().any(|character| character != '\n' && is_unprintable(character)) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if character == '\n' || !is_unprintable(character) {
            safe.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(safe, "\\u{unit:04x}");
            }
        }
    }
    safe
}

/// Escapes untrusted text for one line of a terminal: a control character becomes `\u{1b}`.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::new(), |mut safe, character| {
        if is_unprintable(character) {
            safe.extend(character.escape_unicode());
        } else {
            safe.push(character);
        }
        safe
    }))
}

fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// Prints the steps of an explanation, one step per line.
pub(super) fn steps(explanation: &Explanation) -> io::Result<()> {
    explanation.to_string().lines().try_for_each(|step| line(&visible(step)))
}

/// A table with headings and aligned columns.
pub(super) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.iter().map(|heading| (*heading).to_owned()).collect(), rows: Vec::new() }
    }

    /// Creates a table of JSON members. The heading of `created_at` is `CREATED AT`.
    pub(super) fn of_members(members: &[&'static str]) -> Self {
        let heading = |member: &&str| member.replace('_', " ").to_ascii_uppercase();
        Self { headings: members.iter().map(heading).collect(), rows: Vec::new() }
    }

    /// Adds a row, and escapes untrusted text in the cells. An empty cell is printed as `-`.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells =
            cells.into_iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { visible(&cell).into_owned() });
        self.rows.push(cells.collect());
    }

    pub(super) fn print(&self) -> io::Result<()> {
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                let heading = self.headings.get(column).map_or(0, String::len);
                cells.map(|cell| cell.chars().count()).chain([heading]).max().unwrap_or(0)
            })
            .collect();
        heading(&aligned(self.headings.iter().map(String::as_str), &widths))?;
        self.rows.iter().try_for_each(|row| line(&aligned(row.iter().map(String::as_str), &widths)))
    }
}

fn aligned<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, width) in cells.zip(widths) {
        let _infallible = write!(text, "{cell:width$}  ");
    }
    text.trim_end().to_owned()
}

/// Formats an optional value as a cell of a table. An absent value becomes an empty cell.
pub(super) fn cell(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Returns the word that tables print for a kind of change.
pub(super) const fn change_word(change: ChangeKind) -> &'static str {
    match change {
        ChangeKind::Created => "created",
        ChangeKind::Updated => "updated",
        ChangeKind::Unchanged => "unchanged",
        ChangeKind::Deleted => "deleted",
    }
}

/// Parses JSON text from the database, or returns `null` if it is invalid.
pub(super) fn stored_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_is_escaped_for_a_terminal() {
        assert_eq!(visible("acme/app ü 漢"), "acme/app ü 漢");
        assert_eq!(visible("a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}e\u{0}"), r"a\u{1b}[2Jb\u{d}\u{a}c\u{202e}d\u{9b}e\u{0}");
    }

    #[test]
    fn json_that_is_safe_on_a_terminal_has_the_same_value() {
        let value = serde_json::json!({"a": "x\u{1b}[2J\u{9b}\u{202e}\u{e0041}\n", "b": ["ü\u{7f}"]});
        let text = pretty(&value).unwrap();
        assert!(!text.chars().any(|character| character != '\n' && is_unprintable(character)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn columns_are_aligned_with_their_headings() {
        assert_eq!(aligned(["a", "b"].into_iter(), &[4, 1]), "a     b");
    }
}
