//! Gathers the values of keys from defaults, file, environment and flags; a later source takes precedence. No other
//! file reads the environment variables of the configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::describe::{Key, ValueKind};
use super::entries::{Entries, Origin, SettingEntry};
use super::error::ConfigError;
use super::table;
use crate::base::file_cause;
use crate::toml_input::{self, Located, Value};

/// File, environment and flags that the configuration is read from.
#[derive(Clone, Default)]
pub struct Sources {
    /// Configuration file that `--config` names, if any.
    pub file: Option<PathBuf>,
    /// Environment variables by name, as `environment` returns them.
    pub environment: BTreeMap<String, String>,
    /// Working directory, which the relative path of a configuration file starts from.
    pub working_dir: PathBuf,
    /// Values of the flags of `serve` that override keys.
    pub flags: Flags,
}

/// Values of the flags of `serve` that override keys. `None` is a flag that was not used.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--listen`, which overrides `server.listen`.
    pub listen: Option<String>,
    /// `--admin-listen`, which overrides `server.admin_listen`.
    pub admin_listen: Option<String>,
    /// `--issuer`, which overrides `issuer.url`.
    pub issuer: Option<String>,
}

/// Returns this process's environment variables with the prefix `BUILDPASS_`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("BUILDPASS_"))
        .collect()
}

/// Returns the value of every key that has one, the folder that a relative `server.state_dir` starts from, and the
/// faults found so far.
pub(super) fn gather(sources: &Sources) -> Result<(Entries, PathBuf, Vec<String>), ConfigError> {
    let mut entries = Entries::new();
    let mut errors = Vec::new();
    for key in table::keys() {
        if let Some(default) = key.default {
            match toml_input::parse_value(default) {
                Ok(value) => drop(entries.insert(key.path, SettingEntry { value, origin: Origin::Default })),
                Err(problem) => errors.push(format!("default: {}: {problem}", key.path)),
            }
        }
    }
    let mut base = sources.working_dir.clone();
    if let Some(file) = file(sources) {
        let path = sources.working_dir.join(&file);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let cause = file_cause(&path, &error);
            ConfigError::unreadable(format!("{}: could not read the file: {cause}", file.display()))
        })?;
        let document = toml_input::parse(&text)
            .map_err(|(line, message)| ConfigError::new(vec![format!("{}:{line}: {message}", file.display())]))?;
        from_file(&file, document, &mut entries, &mut errors);
        if let Some(folder) = path.parent() {
            base = folder.to_path_buf();
        }
    }
    from_environment(&sources.environment, &mut entries, &mut errors);
    let flags = [
        ("server.listen", "--listen", &sources.flags.listen),
        ("server.admin_listen", "--admin-listen", &sources.flags.admin_listen),
        ("issuer.url", "--issuer", &sources.flags.issuer),
    ];
    for (path, flag, value) in flags {
        if let Some(value) = value {
            entries.insert(path, SettingEntry { value: Value::Text(value.clone()), origin: Origin::Flag(flag) });
        }
    }
    Ok((entries, base, errors))
}

fn file(sources: &Sources) -> Option<PathBuf> {
    let named = || sources.environment.get("BUILDPASS_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from);
    let usual = || {
        let name = PathBuf::from("buildpass.toml");
        sources.working_dir.join(&name).exists().then_some(name)
    };
    sources.file.clone().or_else(named).or_else(usual)
}

fn from_file(file: &Path, document: BTreeMap<String, Located>, entries: &mut Entries, errors: &mut Vec<String>) {
    for (section, content) in document {
        let at = |line: usize| format!("{}:{line}", file.display());
        if !table::is_section(&section) {
            errors.push(format!("{}: {}", at(content.line), table::unknown(&section, None)));
            continue;
        }
        let Value::Table(fields) = content.value else {
            errors.push(format!("{}: {section}: must be a table, not {}", at(content.line), content.value.kind()));
            continue;
        };
        if let Some(key) = table::named(&section) {
            if !fields.is_empty() {
                let origin = Origin::File(file.to_path_buf(), content.line);
                entries.insert(key.path, SettingEntry { value: Value::Table(fields), origin });
            }
            continue;
        }
        for (name, field) in fields {
            match table::key(&format!("{section}.{name}")) {
                Some(key) => {
                    let origin = Origin::File(file.to_path_buf(), field.line);
                    entries.insert(key.path, SettingEntry { value: field.value, origin });
                }
                None => errors.push(format!("{}: {}", at(field.line), table::unknown(&section, Some(&name)))),
            }
        }
    }
}

fn from_environment(variables: &BTreeMap<String, String>, entries: &mut Entries, errors: &mut Vec<String>) {
    for (name, text) in variables {
        let Some((section, rest)) = name.strip_prefix("BUILDPASS_").and_then(|path| path.split_once("__")) else {
            continue;
        };
        let (section, rest) = (section.to_ascii_lowercase(), rest.to_ascii_lowercase());
        let path = format!("{section}.{rest}");
        let Some(key) = table::key(&path) else {
            errors.push(format!("{name}: {}", table::unknown(&section, Some(&rest))));
            continue;
        };
        match from_text(key, text) {
            Ok(value) => {
                entries.insert(key.path, SettingEntry { value, origin: Origin::Environment(name.clone()) });
            }
            Err(problem) => errors.push(format!("{name}: {path}: {problem}")),
        }
    }
}

/// Parses the text of an environment variable as a value for `key`. A list of strings is written as in TOML, or joined
/// by commas.
fn from_text(key: &Key, text: &str) -> Result<Value, String> {
    match key.kind {
        ValueKind::Text | ValueKind::Duration | ValueKind::Secret => Ok(Value::Text(text.to_owned())),
        ValueKind::Integer => text.parse().map(Value::Integer).map_err(|_| "must be a whole number".to_owned()),
        ValueKind::Boolean => text.parse().map(Value::Boolean).map_err(|_| "must be true or false".to_owned()),
        ValueKind::Texts if !text.trim_start().starts_with('[') => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::List(items.map(|item| Located { value: Value::Text(item.to_owned()), line: 1 }).collect()))
        }
        ValueKind::Texts | ValueKind::Tables | ValueKind::Table => toml_input::parse_value(text),
    }
}
