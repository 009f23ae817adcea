//! The value of each key that is set, and the source of each value. A [`SettingEntry`] has no `Debug`, because its
//! value may be a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::toml_input::Value;

/// Source of a key's value: a default, a file with the line number, or the name of an environment variable or flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File(PathBuf, usize),
    Environment(String),
    Flag(&'static str),
}

impl Origin {
    /// Returns this source with another line number, if the source is a file and `line` is known.
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

/// Value of a key, and the source of the value.
pub(super) struct SettingEntry {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The values of the configuration by key, `section.name`.
pub(super) type Entries = BTreeMap<&'static str, SettingEntry>;
