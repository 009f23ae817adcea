//! What is wrong with a configuration. Never repeats a value that may be secret.

use std::fmt;

/// Everything that was wrong, found in one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    lines: Vec<String>,
}

impl ConfigError {
    pub(super) fn new(lines: Vec<String>) -> Self {
        Self { lines }
    }
}

impl fmt::Display for ConfigError {
    /// One line an error: `FILE:LINE: key: problem`; what belongs to it follows indented.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for ConfigError {}
