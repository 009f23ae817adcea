//! JSON views of users, providers, entitlements and credentials, for the command line and the admin API.

use serde_json::{Map, Value, json};

use crate::exchange::spec::Section;
use crate::store::{EntitlementKind, EntitlementRow, ProviderRow, StoredCredential, UserRow};

/// JSON object in which commands and the admin API show a user, provider or entitlement.
pub type Object = Map<String, Value>;

/// JSON view of a user.
pub(super) fn user_view(row: &UserRow) -> Object {
    object(json!({
        "name": row.name, "disabled": row.disabled_at.is_some(), "created_at": row.created_at,
        "disabled_at": row.disabled_at,
    }))
}

/// JSON view of a provider: its spec, with the times of creation and of the last fetch.
pub(super) fn provider_view(row: &ProviderRow) -> Object {
    let mut view = object(serde_json::from_str(&row.spec).unwrap_or_default());
    view.insert("name".to_owned(), json!(row.name));
    view.insert("declared".to_owned(), json!(row.declared));
    view.insert("created_at".to_owned(), json!(row.created_at));
    view.insert("refreshed_at".to_owned(), json!(row.fetched.as_ref().map(|fetched| fetched.refreshed_at)));
    view
}

/// JSON view of an entitlement: its spec, its id, its pinned owner and repository ids, and its times.
pub(super) fn entitlement_view(row: &EntitlementRow) -> Object {
    let mut view = object(serde_json::from_str(&row.spec).unwrap_or_default());
    view.insert("name".to_owned(), json!(row.name));
    view.insert("id".to_owned(), json!(row.id));
    if let Some(token) = &row.token {
        view.insert("token".to_owned(), json!(token));
    }
    if matches!(row.kind, EntitlementKind::Publisher | EntitlementKind::TrustPolicy) {
        view.insert(
            "pins".to_owned(),
            json!({ "owner_id": row.pins.owner_id, "repository_id": row.pins.repository_id, "until": row.pin_until }),
        );
    }
    view.insert("created_at".to_owned(), json!(row.created_at));
    view.insert("updated_at".to_owned(), json!(row.updated_at));
    view
}

/// Members that a view adds to the spec of an object.
const fn view_members(section: Section) -> &'static [&'static str] {
    match section {
        Section::Users => &["created_at", "disabled_at"],
        Section::Providers => &["created_at", "declared", "refreshed_at"],
        Section::Roles => &["created_at", "id", "token", "updated_at"],
        Section::TrustedPublishers => &["created_at", "id", "pins", "name", "updated_at"],
        Section::TrustPolicies => &["created_at", "id", "pins", "updated_at"],
        Section::Grants => &["created_at", "id", "updated_at"],
    }
}

/// Members of a view that can change although nobody updated the object.
const UNSTABLE_MEMBERS: [&str; 3] = ["pins", "refreshed_at", "updated_at"];

/// Removes the members that a view added, so that a client can send a view back as an update. A member that differs
/// from the current view stays, and is refused as an unknown field.
pub(crate) fn remove_view_members(section: Section, object: &mut Object, current: &Object) {
    object.retain(|member, value| {
        let same = UNSTABLE_MEMBERS.contains(&member.as_str()) || current.get(member) == Some(value);
        !view_members(section).contains(&member.as_str()) || !same
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

/// User that the object belongs to; `None` in sections without owners.
#[must_use]
pub(super) fn owner(section: Section, object: &Object) -> Option<&str> {
    let owned = identity(section).contains(&"user");
    object.get("user").and_then(Value::as_str).filter(|_| owned)
}

/// Returns whether the members that identify an object are the same in `object` and in the current view.
#[must_use]
pub(crate) fn has_same_identity(section: Section, object: &Object, current: &Object) -> bool {
    identity(section).iter().all(|member| object.get(*member) == current.get(*member))
}

/// JSON view of a credential, without the key or access token itself, which is not stored.
#[must_use]
pub(crate) fn credential_view(row: &StoredCredential) -> Value {
    let (revoked_at, revoked_reason) = row.revoked.clone().unzip();
    json!({
        "id": row.id, "kind": row.kind, "flow": row.flow, "name": row.name, "subject": row.subject, "owner": row.owner,
        "user": row.user, "scopes": row.scopes, "packages": row.packages, "audience": row.audience,
        "provider": row.provider, "build_id": row.build, "created_at": row.created_at, "expires_at": row.expires_at,
        "revoked_at": revoked_at, "revoked_reason": revoked_reason,
    })
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
