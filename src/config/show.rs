//! Shows the effective configuration, with the source of each value. The text never contains a secret.

use std::fmt::Write as _;

use super::describe::{Key, Table, ValueKind};
use super::entries::Entries;
use super::table::SECTIONS;
use crate::toml_input::Value;

const HIDDEN: &str = "[secret]";

/// Returns the effective value of every key as TOML, with secrets hidden.
pub(super) fn show(entries: &Entries) -> String {
    let mut text = String::new();
    for section in SECTIONS {
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}[{}]", section.name);
        for key in section.keys {
            let name = key.parts().1;
            let _ = match entries.get(key.path) {
                Some(entry) => {
                    writeln!(text, "{name} = {}  # {}", hide(key, section.table, &entry.value).shown(), entry.origin)
                }
                None => writeln!(text, "# {name} is not set"),
            };
        }
    }
    text
}

fn hide(key: &Key, table: Option<&Table>, value: &Value) -> Value {
    let mut value = value.clone();
    match (&mut value, table) {
        (value, _) if key.kind == ValueKind::Secret => *value = Value::Text(HIDDEN.to_owned()),
        (Value::Text(url), _) if key.path == "store.url" => hide_password(url),
        (Value::List(items), Some(table)) if key.holds_tables() => {
            items.iter_mut().for_each(|item| hide_fields(table, &mut item.value));
        }
        (Value::Table(named), Some(table)) if key.holds_tables() => {
            named.values_mut().for_each(|item| hide_fields(table, &mut item.value));
        }
        _ => {}
    }
    value
}

fn hide_fields(table: &Table, value: &mut Value) {
    let Value::Table(fields) = value else { return };
    for key in table.keys.iter().filter(|key| key.kind == ValueKind::Secret) {
        if let Some(field) = fields.get_mut(key.path) {
            field.value = Value::Text(HIDDEN.to_owned());
        }
    }
}

fn hide_password(text: &mut String) {
    if let Ok(mut url) = url::Url::parse(text)
        && url.password().is_some()
        && url.set_password(Some(HIDDEN)).is_ok()
    {
        *text = url.to_string();
    }
}
