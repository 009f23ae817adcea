//! A roles file, read: TOML with the tables of [`RolesFile`]. An unknown key or a wrong value is told with its line.

use serde_json::{Map, Value, json};

use super::{RolesFile, Section};
use crate::base::FieldError;
use crate::store::{EntitlementKind, RuleRows, StoredCredential};

/// A file that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct RulesFileError {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// Reads a roles file.
///
/// # Errors
/// [`RulesFileError`].
pub fn read_rules_file(text: &str) -> Result<RolesFile, RulesFileError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        RulesFileError { line, problem: error.message().trim().to_owned() }
    })
}

/// One object of a section, as a file that holds nothing else.
///
/// # Errors
/// [`FieldError`] of what is no such object.
pub fn one_object(section: Section, object: Value) -> Result<RolesFile, FieldError> {
    let mut file = Map::new();
    match section.name().split_once('.') {
        Some((outer, inner)) => file.insert(outer.to_owned(), json!({ inner: [object] })),
        None => file.insert(section.name().to_owned(), json!([object])),
    };
    let read = serde_path_to_error::deserialize(Value::Object(file));
    read.map_err(|error| {
        let path = error.path().to_string();
        let field = path.split_once("[0].").map_or_else(|| section.noun().to_owned(), |(_, field)| field.to_owned());
        FieldError::new(field, error.inner().to_string())
    })
}

/// The things of a section as they stand: what was written, and when.
#[must_use]
pub fn shown_rules(standing: &RuleRows, section: Section) -> Vec<Map<String, Value>> {
    let kind = match section {
        Section::Users => {
            let user = |row: &crate::store::UserRow| {
                object(json!({
                    "name": row.name, "disabled": row.disabled_at.is_some(), "created_at": row.created_at,
                    "disabled_at": row.disabled_at,
                }))
            };
            return standing.users.iter().map(user).collect();
        }
        Section::Providers => {
            let provider = |row: &crate::store::ProviderRow| {
                let mut shown = object(serde_json::from_str(&row.spec).unwrap_or_default());
                shown.insert("name".to_owned(), json!(row.name));
                shown.insert("declared".to_owned(), json!(row.declared));
                shown.insert("created_at".to_owned(), json!(row.created_at));
                shown
                    .insert("refreshed_at".to_owned(), json!(row.fetched.as_ref().map(|fetched| fetched.refreshed_at)));
                shown
            };
            return standing.providers.iter().map(provider).collect();
        }
        Section::Roles => EntitlementKind::Role,
        Section::TrustedPublishers => EntitlementKind::Publisher,
        Section::TrustPolicies => EntitlementKind::TrustPolicy,
        Section::Grants => EntitlementKind::Grant,
    };
    let rows = standing.entitlements.iter().filter(|row| row.kind == kind);
    rows.map(|row| {
        let mut shown = object(serde_json::from_str(&row.spec).unwrap_or_default());
        shown.insert("name".to_owned(), json!(row.name));
        shown.insert("id".to_owned(), json!(row.id));
        if let Some(token) = &row.token {
            shown.insert("token".to_owned(), json!(token));
        }
        if kind == EntitlementKind::Publisher || kind == EntitlementKind::TrustPolicy {
            shown.insert(
                "learned".to_owned(),
                json!({ "owner_id": row.learned.owner_id, "repository_id": row.learned.repository_id,
                        "until": row.learn_until }),
            );
        }
        shown.insert("created_at".to_owned(), json!(row.created_at));
        shown.insert("updated_at".to_owned(), json!(row.updated_at));
        shown
    })
    .collect()
}

/// A credential as operators see it; its text is nowhere.
#[must_use]
pub fn shown_credential(key: &StoredCredential) -> Value {
    json!({
        "id": key.id, "kind": key.kind, "door": key.door, "name": key.name, "subject": key.subject,
        "owner": key.owner, "user": key.user, "scopes": key.scopes, "packages": key.packages,
        "audience": key.audience, "provider": key.provider, "build_id": key.build,
        "created_at": key.created_at, "expires_at": key.expires_at,
        "dead_at": key.dead.as_ref().map(|(at, _)| at), "dead_because": key.dead.as_ref().map(|(_, because)| because),
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
