//! Plans a change by comparing the stored rules with the wanted ones. Pure: an error changes nothing, and planning an
//! applied change again yields no change.

use std::collections::{HashMap, HashSet};

use super::change_set::{Change, ChangeKind, ChangeSet, Precondition, Prune, RuleError};
use super::wanted::{Wanted, serialized, wanted};
use crate::base::{EntitlementId, Moment};
use crate::exchange::entitlements::Compiled;
use crate::exchange::entitlements::fields::plain_name;
use crate::exchange::entitlements::snapshot::{pin_until, read_provider};
use crate::exchange::spec::Section;
use crate::policy::Pins;
use crate::store::{
    BoundName, EntitlementKind, EntitlementRow, ProviderRow, RevocationReason, RuleChange, RuleRows, UserRow, Write,
};
use crate::verifier::Provider;

/// Identity of an entitlement: kind, user and name.
type Identity = (EntitlementKind, Option<String>, String);

/// Source of ids and tokens for new entitlements.
pub(in crate::exchange) trait NewIds {
    /// The next id, and a token in case the entitlement is a role.
    fn next(&self) -> Option<(EntitlementId, String)>;
}

/// A planned change: the rows to write, and its effect on each object.
#[derive(Default)]
pub(in crate::exchange) struct Plan {
    pub(in crate::exchange) change: RuleChange,
    pub(in crate::exchange) changes: Vec<Change>,
    /// Unchanged entitlements that pin ids.
    pub(in crate::exchange) pins: Vec<EntitlementRow>,
    /// All providers after the change.
    pub(in crate::exchange) providers: Vec<Provider>,
    /// All entitlements after the change.
    pub(in crate::exchange) compiled: Vec<(EntitlementRow, Compiled)>,
}

/// Current state that a change is planned against.
pub(in crate::exchange) struct Planner<'a> {
    pub(in crate::exchange) stored: &'a RuleRows,
    pub(in crate::exchange) own: &'a Provider,
    pub(in crate::exchange) names: &'a [BoundName],
    pub(in crate::exchange) now: Moment,
    pub(in crate::exchange) new_ids: &'a dyn NewIds,
}

impl Planner<'_> {
    pub(in crate::exchange) fn plan(&self, change: &ChangeSet) -> Result<Plan, RuleError> {
        let mut plan = Plan::default();
        let users = match &change.declared {
            Some(_) => self.current_users(),
            None => self.users(change, &mut plan)?,
        };
        let providers = self.providers(change, &mut plan)?;
        let named: HashMap<&str, &Provider> =
            providers.iter().chain([self.own]).map(|provider| (provider.name(), provider)).collect();
        let current = match &change.declared {
            Some(_) => self.current_entitlements(),
            None => self.entitlements(change, &named, &mut plan)?,
        };
        let changed: HashSet<EntitlementId> = plan.change.entitlements.iter().map(|write| write.row.id).collect();
        let providers_changed: HashSet<&str> =
            plan.change.providers.iter().map(|write| write.row.name.as_str()).collect();
        for row in current {
            let fault = |problem: String| RuleError::new(Section::of(row.kind), &row.name, problem);
            if let Some(user) = row.user.as_ref().filter(|user| !users.contains(*user)) {
                let deleted = self.stored.users.iter().any(|known| known.name == *user && known.removed_at.is_none());
                return Err(fault(missing("user", user, deleted)));
            }
            let provider = named.get(row.provider.as_str()).ok_or_else(|| {
                let known = |known: &ProviderRow| known.name == row.provider && known.removed_at.is_none();
                fault(missing("provider", &row.provider, self.stored.providers.iter().any(known)))
            })?;
            let changes = changed.contains(&row.id) || providers_changed.contains(row.provider.as_str());
            match Compiled::read(row.kind, &row.spec, provider) {
                Ok(compiled) => plan.compiled.push((row, compiled)),
                Err(error) if changes => return Err(fault(error.to_string())),
                // An unchanged entitlement must not block changes to others; it accepts no token until it is fixed.
                Err(error) => {
                    tracing::warn!(name = row.name, %error, "stored entitlement is invalid: it accepts no token")
                }
            }
        }
        self.pin_bound_ids(&mut plan);
        plan.providers = providers;
        Ok(plan)
    }

    fn current_users(&self) -> Vec<String> {
        self.stored.users.iter().filter(|user| user.removed_at.is_none()).map(|user| user.name.clone()).collect()
    }

    fn current_entitlements(&self) -> Vec<EntitlementRow> {
        let mut current: Vec<_> =
            self.stored.entitlements.iter().filter(|row| row.removed_at.is_none()).cloned().collect();
        current.sort_by_key(|row| row.place);
        current
    }

    /// Names of the users after the change.
    fn users(&self, change: &ChangeSet, plan: &mut Plan) -> Result<Vec<String>, RuleError> {
        let mut names: Vec<String> = Vec::new();
        for wanted in &change.file.users {
            let fault = |problem: &str| RuleError::new(Section::Users, &wanted.name, problem);
            plain_name("name", &wanted.name).map_err(|error| fault(&error.problem))?;
            if names.contains(&wanted.name) {
                return Err(fault("is declared twice"));
            }
            names.push(wanted.name.clone());
            let former = self.stored.users.iter().find(|user| user.name == wanted.name);
            let current = former.filter(|user| user.removed_at.is_none());
            Precondition::check(change.expect, current.is_some()).map_err(fault)?;
            let kind = match current {
                None => ChangeKind::Created,
                Some(user) if user.disabled_at.is_some() == wanted.disabled => ChangeKind::Unchanged,
                Some(_) => ChangeKind::Updated,
            };
            plan.changes.push(Change::new(Section::Users, &wanted.name, None, kind));
            if kind != ChangeKind::Unchanged {
                let row = UserRow {
                    name: wanted.name.clone(),
                    revision: 0,
                    created_at: former.map_or(self.now, |user| user.created_at),
                    disabled_at: wanted.disabled.then_some(self.now),
                    removed_at: None,
                };
                plan.change
                    .users
                    .push(Write { row, revokes: wanted.disabled.then_some(RevocationReason::UserDisabled) });
            }
        }
        for user in self.stored.users.iter().filter(|user| user.removed_at.is_none()) {
            if names.contains(&user.name) {
                continue;
            }
            if !change.prune.deletes(Section::Users, None, &user.name) {
                names.push(user.name.clone());
                continue;
            }
            let row = UserRow { removed_at: Some(self.now), ..user.clone() };
            plan.change.users.push(Write { row, revokes: Some(RevocationReason::UserDeleted) });
            plan.changes.push(Change::new(Section::Users, &user.name, None, ChangeKind::Deleted));
        }
        Ok(names)
    }

    /// Providers after the change, without our own issuer.
    fn providers(&self, change: &ChangeSet, plan: &mut Plan) -> Result<Vec<Provider>, RuleError> {
        let declared = change.declared.is_some();
        let wanted = change.declared.as_ref().unwrap_or(&change.file.providers);
        let mut kept: Vec<Provider> = Vec::new();
        for wanted in wanted {
            let fault = |problem: String| RuleError::new(Section::Providers, &wanted.name, problem);
            let provider =
                Provider::new(&wanted.name, wanted.spec.clone()).map_err(|error| fault(error.to_string()))?;
            if !declared && wanted.spec.names_files() {
                return Err(fault(
                    "jwks_file, certificates and bearer tokens are allowed only in the configuration".into(),
                ));
            }
            let former = self.stored.providers.iter().find(|row| row.name == wanted.name);
            let current = former.filter(|row| row.removed_at.is_none());
            if let Some(row) = current.filter(|row| row.declared != declared) {
                let origin =
                    if row.declared { "declared in the configuration: change it there" } else { "created by command" };
                return Err(fault(format!("a provider of this name is {origin}")));
            }
            Precondition::check(change.expect.filter(|_| !declared), current.is_some())
                .map_err(|problem| fault(problem.to_owned()))?;
            let spec = serialized(&wanted.spec);
            let before = current.and_then(|row| read_provider(row).ok());
            let kind = match current {
                None => ChangeKind::Created,
                Some(row) if row.spec == spec => ChangeKind::Unchanged,
                Some(_) => ChangeKind::Updated,
            };
            plan.changes.push(Change::new(Section::Providers, &wanted.name, None, kind));
            if kind != ChangeKind::Unchanged {
                let same = before.is_some_and(|before| before.decides_like(&provider));
                let row = ProviderRow {
                    name: wanted.name.clone(),
                    spec,
                    declared,
                    revision: 0,
                    created_at: former.map_or(self.now, |row| row.created_at),
                    removed_at: None,
                    fetched: None,
                };
                let revokes = (kind == ChangeKind::Updated && !same).then_some(RevocationReason::ProviderChanged);
                plan.change.providers.push(Write { row, revokes });
            }
            kept.push(provider);
        }
        for row in self.stored.providers.iter().filter(|row| row.removed_at.is_none()) {
            if wanted.iter().any(|wanted| wanted.name == row.name) {
                continue;
            }
            let named = change.prune.deletes(Section::Providers, None, &row.name);
            if named && row.declared && matches!(change.prune, Prune::One(..)) {
                return Err(RuleError::new(
                    Section::Providers,
                    &row.name,
                    "is declared in the configuration: change it there",
                ));
            }
            if named && row.declared == declared {
                let row = ProviderRow { removed_at: Some(self.now), ..row.clone() };
                plan.changes.push(Change::new(Section::Providers, &row.name, None, ChangeKind::Deleted));
                plan.change.providers.push(Write { row, revokes: Some(RevocationReason::ProviderDeleted) });
            } else {
                let provider = read_provider(row);
                kept.push(provider.map_err(|problem| RuleError::new(Section::Providers, &row.name, problem))?);
            }
        }
        Provider::check_all(&kept, Some(self.own.issuer())).map_err(|error| {
            let name = error.field.strip_prefix("oidc.").unwrap_or(&error.field).to_owned();
            RuleError::new(Section::Providers, &name, error.problem)
        })?;
        Ok(kept)
    }

    /// Entitlements after the change, ordered by position.
    fn entitlements(
        &self,
        change: &ChangeSet,
        named: &HashMap<&str, &Provider>,
        plan: &mut Plan,
    ) -> Result<Vec<EntitlementRow>, RuleError> {
        let mut place = self.stored.entitlements.iter().map(|row| row.place).max().unwrap_or(0);
        let mut current = self.current_entitlements();
        let mut places: HashMap<Identity, usize> =
            current.iter().enumerate().map(|(at, row)| ((row.kind, row.user.clone(), row.name.clone()), at)).collect();
        let mut seen: HashSet<Identity> = HashSet::new();
        for wanted in wanted(&change.file, named)? {
            let section = Section::of(wanted.kind);
            let key = (wanted.kind, wanted.user.clone(), wanted.name.clone());
            if !seen.insert(key.clone()) {
                return Err(RuleError::new(section, &wanted.name, "is declared twice"));
            }
            let existing = places.get(&key).and_then(|at| current.get_mut(*at));
            Precondition::check(change.expect, existing.is_some())
                .map_err(|problem| RuleError::new(section, &wanted.name, problem))?;
            let (row, kind) = match existing {
                Some(row) if row.spec == wanted.spec && row.provider == wanted.provider => {
                    (row.clone(), ChangeKind::Unchanged)
                }
                Some(row) => {
                    let resets_pins = criteria(&row.spec) != criteria(&wanted.spec) || row.provider != wanted.provider;
                    row.spec = wanted.spec;
                    row.provider = wanted.provider;
                    row.updated_at = self.now;
                    if resets_pins {
                        (row.pins, row.pin_until) = (Pins::default(), Some(pin_until(self.now)));
                    }
                    let revokes = Some(RevocationReason::EntitlementChanged);
                    plan.change.entitlements.push(Write { row: row.clone(), revokes });
                    (row.clone(), ChangeKind::Updated)
                }
                None => {
                    place += 1;
                    let row = self.new_entitlement(wanted, place)?;
                    plan.change.entitlements.push(Write { row: row.clone(), revokes: None });
                    places.insert(key, current.len());
                    current.push(row.clone());
                    (row, ChangeKind::Created)
                }
            };
            plan.changes.push(Change {
                token: row.token.clone(),
                ..Change::new(section, &row.name, row.user.as_deref(), kind)
            });
        }
        self.check_unambiguous(&change.prune, &current)?;
        let (deleted, kept): (Vec<_>, Vec<_>) = current.into_iter().partition(|row| {
            !seen.contains(&(row.kind, row.user.clone(), row.name.clone()))
                && change.prune.deletes(Section::of(row.kind), row.user.as_deref(), &row.name)
        });
        for row in deleted {
            plan.changes.push(Change::new(Section::of(row.kind), &row.name, row.user.as_deref(), ChangeKind::Deleted));
            let row = EntitlementRow { removed_at: Some(self.now), ..row };
            plan.change.entitlements.push(Write { row, revokes: Some(RevocationReason::EntitlementDeleted) });
        }
        Ok(kept)
    }

    /// Rejects a deletion by a name that objects of several users have.
    fn check_unambiguous(&self, prune: &Prune, current: &[EntitlementRow]) -> Result<(), RuleError> {
        let Prune::One(section, _, name) = prune else { return Ok(()) };
        let named = current.iter().filter(|row| prune.deletes(Section::of(row.kind), row.user.as_deref(), &row.name));
        if named.count() > 1 {
            return Err(RuleError::new(*section, name, "several users have an object of this name; name the user"));
        }
        Ok(())
    }

    fn new_entitlement(&self, wanted: Wanted, place: u64) -> Result<EntitlementRow, RuleError> {
        let none = || RuleError::new(Section::of(wanted.kind), &wanted.name, "no id was drawn for the object");
        let (id, token) = self.new_ids.next().ok_or_else(none)?;
        Ok(EntitlementRow {
            id,
            kind: wanted.kind,
            name: wanted.name,
            user: wanted.user,
            provider: wanted.provider,
            spec: wanted.spec,
            place,
            token: (wanted.kind == EntitlementKind::Role).then_some(token),
            pins: Pins::default(),
            pin_until: Some(pin_until(self.now)),
            revision: 0,
            created_at: self.now,
            updated_at: self.now,
            removed_at: None,
        })
    }
}

/// Error of a reference to an object that does not exist, or is deleted by the same change.
fn missing(what: &str, name: &str, deleted: bool) -> String {
    if deleted {
        return format!("{what}: {name:?} would be deleted, but is still used");
    }
    format!("{what}: no such {what}: {name:?}")
}

fn criteria(spec: &str) -> Option<serde_json::Value> {
    serde_json::from_str::<serde_json::Value>(spec).ok()?.get("criteria").cloned()
}
