//! Values by key, with the source of each.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::value::Value;

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File(PathBuf, usize),
    Environment(String),
    Flag(&'static str),
}

impl Origin {
    /// The same source at another line.
    pub(super) fn at(&self, line: Option<usize>) -> Self {
        match (self, line) {
            (Self::File(file, _), Some(line)) => Self::File(file.clone(), line),
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(file, line) => write!(f, "{}:{line}", file.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A value and its source.
pub(super) struct SettingEntry {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Values by `section.name`.
pub(super) type Entries = BTreeMap<&'static str, SettingEntry>;
