//! The error of an invalid configuration. The error's text never repeats a value that may be a secret.

use std::fmt;

/// Error returned when the configuration is invalid. Lists every fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    lines: Vec<String>,
    is_unreadable: bool,
}

impl ConfigError {
    pub(super) fn new(lines: Vec<String>) -> Self {
        Self { lines, is_unreadable: false }
    }

    pub(super) fn unreadable(line: String) -> Self {
        Self { lines: vec![line], is_unreadable: true }
    }

    /// Returns whether the configuration file is missing or cannot be read, so that no value was checked.
    pub(crate) const fn is_unreadable(&self) -> bool {
        self.is_unreadable
    }
}

impl fmt::Display for ConfigError {
    /// Writes one line per fault, `FILE:LINE: key: problem`. Further lines of the same problem are indented.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for ConfigError {}
