//! Rules and credentials as operators see them, at the command line and through the admin API.

use serde_json::{Map, Value, json};

use super::changes::Section;
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
                "pins".to_owned(),
                json!({ "owner_id": row.pins.owner_id, "repository_id": row.pins.repository_id,
                        "until": row.pin_until }),
            );
        }
        shown.insert("created_at".to_owned(), json!(row.created_at));
        shown.insert("updated_at".to_owned(), json!(row.updated_at));
        shown
    })
    .collect()
}

/// What is shown of a section's things beside what was written.
const fn beside(section: Section) -> &'static [&'static str] {
    match section {
        Section::Users => &["created_at", "disabled_at"],
        Section::Providers => &["created_at", "declared", "refreshed_at"],
        Section::Roles => &["created_at", "id", "token", "updated_at"],
        Section::TrustedPublishers => &["created_at", "id", "pins", "name", "updated_at"],
        Section::TrustPolicies => &["created_at", "id", "pins", "updated_at"],
        Section::Grants => &["created_at", "id", "updated_at"],
    }
}

/// What of it changes by itself, and may have changed since it was shown.
const BY_ITSELF: [&str; 3] = ["pins", "refreshed_at", "updated_at"];

/// What was written of an object that was shown: what showing added goes, if it is as it was in the thing that stands.
pub fn leave_written(section: Section, object: &mut Map<String, Value>, standing: &Map<String, Value>) {
    object.retain(|member, value| {
        let same = BY_ITSELF.contains(&member.as_str()) || standing.get(member) == Some(value);
        !beside(section).contains(&member.as_str()) || !same
    });
}

/// By what a thing is told from all others of its section. A grant's `user` is a template, and not whose it is.
const fn told_by(section: Section) -> &'static [&'static str] {
    match section {
        Section::Users | Section::Providers | Section::Grants => &["name"],
        Section::Roles | Section::TrustPolicies => &["name", "user"],
        Section::TrustedPublishers => &["gem", "user", "provider", "criteria"],
    }
}

/// Whose a thing is, in sections whose things are users'.
#[must_use]
pub fn owner(section: Section, object: &Map<String, Value>) -> Option<&str> {
    let owned = told_by(section).contains(&"user");
    object.get("user").and_then(Value::as_str).filter(|_| owned)
}

/// Is this object the thing that stands, however it is to be changed?
#[must_use]
pub fn is_same(section: Section, object: &Map<String, Value>, standing: &Map<String, Value>) -> bool {
    told_by(section).iter().all(|member| object.get(*member) == standing.get(*member))
}

/// A credential as operators see it; its text is nowhere.
#[must_use]
pub fn shown_credential(key: &StoredCredential) -> Value {
    json!({
        "id": key.id, "kind": key.kind, "flow": key.flow, "name": key.name, "subject": key.subject,
        "owner": key.owner, "user": key.user, "scopes": key.scopes, "packages": key.packages,
        "audience": key.audience, "provider": key.provider, "build_id": key.build,
        "created_at": key.created_at, "expires_at": key.expires_at,
        "revoked_at": key.revoked.as_ref().map(|(at, _)| at), "revoked_reason": key.revoked.as_ref().map(|(_, because)| because),
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
