//! Rules and credentials as the command line and the admin API show them.

use serde_json::{Map, Value, json};

use crate::exchange::spec::Section;
use crate::store::{EntitlementKind, RuleRows, StoredCredential};

/// Objects of a section: their spec, and when they were created and updated.
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

/// Members that a view adds to the spec of an object.
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

/// Members that change without an update of the object.
const BY_ITSELF: [&str; 3] = ["pins", "refreshed_at", "updated_at"];

/// Removes from a shown object the members that the view added, so that a client can send back what it read. A member
/// that differs from the current object stays, and is refused as unknown.
pub fn leave_written(section: Section, object: &mut Map<String, Value>, standing: &Map<String, Value>) {
    object.retain(|member, value| {
        let same = BY_ITSELF.contains(&member.as_str()) || standing.get(member) == Some(value);
        !beside(section).contains(&member.as_str()) || !same
    });
}

/// Members that identify an object of the section. The `user` of a grant is a template, not its owner.
const fn identity(section: Section) -> &'static [&'static str] {
    match section {
        Section::Users | Section::Providers | Section::Grants => &["name"],
        Section::Roles | Section::TrustPolicies => &["name", "user"],
        Section::TrustedPublishers => &["gem", "user", "provider", "criteria"],
    }
}

/// User that an object belongs to, in sections of objects that belong to users.
#[must_use]
pub fn owner(section: Section, object: &Map<String, Value>) -> Option<&str> {
    let owned = identity(section).contains(&"user");
    object.get("user").and_then(Value::as_str).filter(|_| owned)
}

/// Whether `object` has the identity of the current object, whatever else it changes.
#[must_use]
pub fn is_same(section: Section, object: &Map<String, Value>, standing: &Map<String, Value>) -> bool {
    identity(section).iter().all(|member| object.get(*member) == standing.get(*member))
}

/// View of a credential, without its text, which is not stored.
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
