//! The columns of the tables that `list` prints, such as `exchange roles list`. A heading is always the name of the
//! JSON member that the column shows, so that an operator finds in `--json` what the table shows.

use serde_json::Value;

use super::super::output::Table;
use crate::exchange::{Object, Section};

/// Returns the JSON members that the table of a section shows, in the order of the columns.
const fn members(section: Section) -> &'static [&'static str] {
    match section {
        Section::Users => &["name", "disabled", "created_at"],
        Section::Providers => &["name", "provider", "issuer", "declared", "created_at"],
        Section::Roles => &["name", "user", "provider", "token", "permissions"],
        Section::TrustedPublishers => &["name", "user", "gem", "provider", "criteria"],
        Section::TrustPolicies => &["name", "user", "owner", "kind", "provider", "criteria"],
        Section::Grants => &["name", "provider", "audience", "scopes", "token"],
    }
}

/// Returns the table of the objects of one section, such as all roles.
pub(super) fn table(section: Section, objects: &[Object]) -> Table {
    let members = members(section);
    let mut table = Table::of_members(members);
    for object in objects {
        table.row(members.iter().map(|member| object.get(*member).map(text).unwrap_or_default()));
    }
    table
}

/// Formats a JSON value as a cell: items joined by commas, members as `name=value` joined by spaces.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Object(members) => {
            members.iter().map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(" ")
        }
    }
}
