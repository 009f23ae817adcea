//! Acts on one object of a section. Each plans and commits one change, and answers the object as it is after it.

use serde_json::{Map, Value};

use super::apply::{ApplyRulesError, RulesEditor};
use super::change_set::{ChangeKind, ChangeSet, Precondition, Prune};
use crate::base::FieldError;
use crate::exchange::entitlements::views::{is_same, leave_written, owner, shown_rules};
use crate::exchange::spec::{Section, one_object};
use crate::store::{RuleRows, StoreError};

/// An object as the admin API shows it.
pub type Object = Map<String, Value>;

/// Why an act on one object was not done; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The change cannot be applied.
    #[error(transparent)]
    Apply(#[from] ApplyRulesError),
    /// A field is invalid, or identifies another object.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// No object of the section has this id.
    #[error("no such object")]
    Missing,
}

impl RulesEditor {
    /// Lists the objects of a section.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, section: Section) -> Result<Vec<Object>, StoreError> {
        Ok(shown_rules(&self.standing().await?, section))
    }

    /// Returns the user or provider of this name, or the entitlement of this id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, section: Section, id: &str) -> Result<Option<Object>, StoreError> {
        Ok(find(&self.standing().await?, section, id))
    }

    /// Creates an object, which must not exist.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn create(&self, section: Section, object: Value, by: &str) -> Result<Object, ObjectError> {
        let file = one_object(section, object)?;
        let change = ChangeSet { file, expect: Some(Precondition::New), ..ChangeSet::default() };
        let (applied, rows) = self.commit(by, false, |_| Ok::<_, ObjectError>(change.clone())).await?;
        let created = applied.0.iter().find(|change| change.change == ChangeKind::Created);
        let created = created.ok_or(ObjectError::Missing)?;
        let is_created = |one: &Object| {
            one.get("name").is_some_and(|name| *name == created.name) && owner(section, one) == created.user.as_deref()
        };
        shown_rules(&rows, section).into_iter().find(is_created).ok_or(ObjectError::Missing)
    }

    /// Updates an object, which keeps its identity. Members that a view added may be sent back.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn update(&self, section: Section, id: &str, object: Value, by: &str) -> Result<Object, ObjectError> {
        let change = |rows: &RuleRows| {
            let current = find(rows, section, id).ok_or(ObjectError::Missing)?;
            let mut wanted = object.clone();
            let Some(members) = wanted.as_object_mut().filter(|members| is_same(section, members, &current)) else {
                let (field, identity) = match section {
                    Section::TrustedPublishers => ("criteria", "gem, user, provider and criteria"),
                    _ => ("name", "name and user"),
                };
                let problem = format!("{identity} identify the object and cannot change; create another object");
                return Err(FieldError::new(field, problem).into());
            };
            leave_written(section, members, &current);
            let file = one_object(section, wanted)?;
            Ok::<_, ObjectError>(ChangeSet { file, expect: Some(Precondition::Standing), ..ChangeSet::default() })
        };
        let (_, rows) = self.commit(by, false, change).await?;
        find(&rows, section, id).ok_or(ObjectError::Missing)
    }

    /// Deletes an object; the same transaction revokes credentials that depend on it.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn delete(&self, section: Section, id: &str, by: &str) -> Result<(), ObjectError> {
        let change = |rows: &RuleRows| {
            let current = find(rows, section, id).ok_or(ObjectError::Missing)?;
            let name = current.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let prune = Prune::One(section, owner(section, &current).map(str::to_owned), name);
            Ok::<_, ObjectError>(ChangeSet { prune, ..ChangeSet::default() })
        };
        let (applied, _) = self.commit(by, false, change).await?;
        if applied.0.is_empty() { Err(ObjectError::Missing) } else { Ok(()) }
    }
}

/// Users and providers are identified by name, entitlements by id.
fn find(rows: &RuleRows, section: Section, id: &str) -> Option<Object> {
    let is_wanted =
        |object: &Object| object.get("id").or_else(|| object.get("name")).and_then(Value::as_str) == Some(id);
    shown_rules(rows, section).into_iter().find(is_wanted)
}
