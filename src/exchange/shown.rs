//! Rules and credentials as operators see them, at the command line and through the admin API.

use serde_json::{Map, Value, json};

use super::Section;
use crate::store::{EntitlementKind, RuleRows, StoredCredential};

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
