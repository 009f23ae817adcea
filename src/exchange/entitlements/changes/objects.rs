//! Lists, shows, creates, updates and deletes users, providers and entitlements one by one. A change is planned against
//! all rules and committed only if nobody changed the rules meanwhile.

use serde_json::Value;

use super::apply::{ApplyRulesError, RulesEditor};
use super::change_set::{ChangeKind, ChangeSet, Precondition, Prune};
use crate::base::{EntitlementId, FieldError};
use crate::exchange::entitlements::views::{
    Object, entitlement_view, has_same_identity, owner, provider_view, remove_view_members, user_view,
};
use crate::exchange::spec::{Section, one_object};
use crate::store::{EntitlementFilter, EntitlementKind, EntitlementRow, RuleRows, StoreError};

/// Error of creating, updating or deleting one object; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The change cannot be applied.
    #[error(transparent)]
    Apply(#[from] ApplyRulesError),
    /// A field is invalid, or an update changes a field that identifies the object, such as its name.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// No object of the section has this id; users and providers have their name as id.
    #[error("no object of this kind has this name or id")]
    Missing,
}

impl RulesEditor {
    /// Lists the objects of a section, such as all grants.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, section: Section) -> Result<Vec<Object>, StoreError> {
        self.select(section, Selection::All).await
    }

    /// Returns one object: a user or provider by its name, an entitlement by its id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, section: Section, id: &str) -> Result<Option<Object>, StoreError> {
        Ok(self.select(section, Selection::Id(id)).await?.into_iter().next())
    }

    /// Finds the objects with this name. Several users may each have an entitlement of this name: without `user`, finds
    /// the entitlements of all users.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find(&self, section: Section, name: &str, user: Option<&str>) -> Result<Vec<Object>, StoreError> {
        self.select(section, Selection::Name(name, user)).await
    }

    async fn select(&self, section: Section, selection: Selection<'_>) -> Result<Vec<Object>, StoreError> {
        let named = match selection {
            Selection::All => None,
            Selection::Id(name) | Selection::Name(name, None) => Some(name),
            // Only entitlements belong to users.
            Selection::Name(_, Some(_)) if kind_of(section).is_none() => return Ok(Vec::new()),
            Selection::Name(name, Some(_)) => Some(name),
        };
        let Some(kind) = kind_of(section) else {
            return Ok(match section {
                Section::Users => self.store.list_users(&self.issuer, named).await?.iter().map(user_view).collect(),
                _ => self.store.list_providers(&self.issuer, named).await?.iter().map(provider_view).collect(),
            });
        };
        let all = EntitlementFilter::all(kind);
        let filter = match selection {
            Selection::All => all,
            Selection::Id(id) => match id.parse() {
                Ok(id) => EntitlementFilter { id: Some(id), ..all },
                Err(_) => return Ok(Vec::new()),
            },
            Selection::Name(name, user) => EntitlementFilter { name: Some(name), user, ..all },
        };
        Ok(self.store.list_entitlements(&self.issuer, &filter).await?.iter().map(entitlement_view).collect())
    }

    /// Creates an object. Fails if the object exists already.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn create(&self, section: Section, object: Value, by: &str) -> Result<Object, ObjectError> {
        let file = one_object(section, object)?;
        let change = ChangeSet { file, expect: Some(Precondition::Absent), ..ChangeSet::default() };
        let (applied, rows) = self.commit(by, false, |_| Ok::<_, ObjectError>(change.clone())).await?;
        let created = applied.0.iter().find(|change| change.change == ChangeKind::Created);
        let created = created.ok_or(ObjectError::Missing)?;
        view_by_name(&rows, section, &created.name, created.user.as_deref()).ok_or(ObjectError::Missing)
    }

    /// Updates an object. Its name and user cannot change. `object` may hold the members that the server adds to
    /// objects in its answers, such as `created_at`.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn update(&self, section: Section, id: &str, object: Value, by: &str) -> Result<Object, ObjectError> {
        let change = |rows: &RuleRows| {
            let current = view_of(rows, section, id).ok_or(ObjectError::Missing)?;
            let mut wanted = object.clone();
            let Some(members) = wanted.as_object_mut().filter(|members| has_same_identity(section, members, &current))
            else {
                let (field, identity) = match section {
                    Section::TrustedPublishers => ("criteria", "gem, user, provider and criteria"),
                    _ => ("name", "name and user"),
                };
                let problem = format!("{identity} identify the object and cannot change; create another object");
                return Err(FieldError::new(field, problem).into());
            };
            remove_view_members(section, members, &current);
            let file = one_object(section, wanted)?;
            Ok::<_, ObjectError>(ChangeSet { file, expect: Some(Precondition::Exists), ..ChangeSet::default() })
        };
        let (_, rows) = self.commit(by, false, change).await?;
        view_of(&rows, section, id).ok_or(ObjectError::Missing)
    }

    /// Deletes an object; the same transaction revokes credentials that depend on it.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn delete(&self, section: Section, id: &str, by: &str) -> Result<(), ObjectError> {
        let change = |rows: &RuleRows| {
            let current = view_of(rows, section, id).ok_or(ObjectError::Missing)?;
            let name = current.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let prune = Prune::One(section, owner(section, &current).map(str::to_owned), name);
            Ok::<_, ObjectError>(ChangeSet { prune, ..ChangeSet::default() })
        };
        let (applied, _) = self.commit(by, false, change).await?;
        if applied.0.is_empty() { Err(ObjectError::Missing) } else { Ok(()) }
    }
}

/// Objects of a section that are read: all, the one with an id, or those with a name.
#[derive(Clone, Copy)]
enum Selection<'a> {
    All,
    /// Name of a user or provider, or id of an entitlement.
    Id(&'a str),
    /// Name of an object, and the user that it belongs to.
    Name(&'a str, Option<&'a str>),
}

/// Kind of the entitlements of a section; `None` for users and providers.
const fn kind_of(section: Section) -> Option<EntitlementKind> {
    match section {
        Section::Users | Section::Providers => None,
        Section::Roles => Some(EntitlementKind::Role),
        Section::TrustedPublishers => Some(EntitlementKind::Publisher),
        Section::TrustPolicies => Some(EntitlementKind::TrustPolicy),
        Section::Grants => Some(EntitlementKind::Grant),
    }
}

/// Returns one object as JSON: a user or provider by its name, an entitlement by its id.
fn view_of(rows: &RuleRows, section: Section, id: &str) -> Option<Object> {
    let Some(kind) = kind_of(section) else {
        return match section {
            Section::Users => rows.users.iter().find(|row| row.name == id).map(user_view),
            _ => rows.providers.iter().find(|row| row.name == id).map(provider_view),
        };
    };
    let id: EntitlementId = id.parse().ok()?;
    rows.entitlements.iter().find(|row| row.kind == kind && row.id == id).map(entitlement_view)
}

/// Returns the object of this name that belongs to `user`, as JSON.
fn view_by_name(rows: &RuleRows, section: Section, name: &str, user: Option<&str>) -> Option<Object> {
    let Some(kind) = kind_of(section) else { return view_of(rows, section, name) };
    let is_wanted = |row: &&EntitlementRow| row.kind == kind && row.name == name && row.user.as_deref() == user;
    rows.entitlements.iter().find(is_wanted).map(entitlement_view)
}
