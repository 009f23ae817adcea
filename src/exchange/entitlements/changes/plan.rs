//! Plans a change by comparing the stored rules with the wanted ones. Pure: an error changes nothing, and planning an
//! applied change again yields no change.

use std::collections::{HashMap, HashSet};

use super::change_set::{Change, ChangeKind, ChangeSet, Precondition, Prune, RuleError, RuleErrors};
use super::wanted::{Wanted, known_names, wanted};
use crate::base::{EntitlementId, FieldError, Moment};
use crate::exchange::entitlements::Compiled;
use crate::exchange::entitlements::snapshot::pin_until;
use crate::exchange::spec::Section;
use crate::policy::Pins;
use crate::store::{
    BoundName, EntitlementKind, EntitlementRow, ProviderRow, RevocationReason, RuleChange, RuleRows, Write,
};
use crate::verifier::Provider;

/// Identity of an entitlement: kind, user and name.
type Identity = (EntitlementKind, Option<String>, String);

/// Source of ids and tokens for new entitlements.
pub(in crate::exchange) trait NewIds {
    /// Returns the next unused id, and a token in case the entitlement is a role.
    fn next(&self) -> Option<(EntitlementId, String)>;
}

/// A planned change: the rows to write, and its effect on each object.
#[derive(Default)]
pub(in crate::exchange) struct Plan {
    pub(in crate::exchange) change: RuleChange,
    pub(in crate::exchange) changes: Vec<Change>,
    /// Entitlements of which only the pinned ids change.
    pub(in crate::exchange) pins: Vec<EntitlementRow>,
    /// All providers after the change.
    pub(in crate::exchange) providers: Vec<Provider>,
    /// All entitlements after the change.
    pub(in crate::exchange) compiled: Vec<(EntitlementRow, Compiled)>,
    /// Errors of all objects that cannot be applied; a plan with errors is never returned.
    pub(super) faults: Vec<RuleError>,
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
    /// Compares a change with the current state. Returns the rows to write, and the effect on each object.
    ///
    /// # Errors
    /// [`RuleErrors`] holds the error of each object that cannot be applied.
    pub(in crate::exchange) fn plan(&self, change: &ChangeSet) -> Result<Plan, RuleErrors> {
        let mut plan = Plan::default();
        let users = match &change.declared {
            Some(_) => self.current_users(),
            None => self.users(change, &mut plan),
        };
        let providers = self.providers(change, &mut plan);
        let named: HashMap<&str, &Provider> =
            providers.iter().chain([self.own]).map(|provider| (provider.name(), provider)).collect();
        let current = match &change.declared {
            Some(_) => self.current_entitlements(),
            None => self.entitlements(change, &named, &mut plan),
        };
        let changed: HashSet<EntitlementId> = plan.change.entitlements.iter().map(|write| write.row.id).collect();
        let providers_changed: HashSet<&str> =
            plan.change.providers.iter().map(|write| write.row.name.as_str()).collect();
        let mut faults = std::mem::take(&mut plan.faults);
        for row in current {
            let fault = |error: FieldError| {
                RuleError::in_field(Section::of(row.kind), &row.name, error).of(row.user.as_deref())
            };
            let user = row.user.as_ref().filter(|user| !users.contains(*user));
            if let Some(user) = user {
                let deleted = self.stored.users.iter().any(|known| known.name == *user && known.removed_at.is_none());
                faults.push(fault(missing("user", user, deleted, users.iter().map(String::as_str))));
            }
            let Some(provider) = named.get(row.provider.as_str()) else {
                // A provider that the file declares with a fault is reported for the fault, and not as unknown.
                if !change.file.providers.iter().any(|provider| provider.name == row.provider) {
                    let known = |known: &ProviderRow| known.name == row.provider && known.removed_at.is_none();
                    let deleted = self.stored.providers.iter().any(known);
                    faults.push(fault(missing("provider", &row.provider, deleted, named.keys().copied())));
                }
                continue;
            };
            let changes = changed.contains(&row.id) || providers_changed.contains(row.provider.as_str());
            match Compiled::read(row.kind, &row.spec, provider) {
                Ok(compiled) => plan.compiled.push((row, compiled)),
                Err(error) if changes => faults.push(fault(error)),
                // An invalid entitlement that the change does not touch must not block the change; it accepts no token
                // until it is fixed.
                Err(error) => {
                    tracing::warn!(name = row.name, %error, "stored entitlement is invalid: it accepts no token")
                }
            }
        }
        if !faults.is_empty() {
            return Err(RuleErrors(faults));
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

    /// Plans the entitlements. Returns all entitlements that exist after the change, ordered by position.
    fn entitlements(
        &self,
        change: &ChangeSet,
        named: &HashMap<&str, &Provider>,
        plan: &mut Plan,
    ) -> Vec<EntitlementRow> {
        let mut place = self.stored.entitlements.iter().map(|row| row.place).max().unwrap_or(0);
        let mut current = self.current_entitlements();
        let mut places: HashMap<Identity, usize> =
            current.iter().enumerate().map(|(at, row)| ((row.kind, row.user.clone(), row.name.clone()), at)).collect();
        let mut seen: HashSet<Identity> = HashSet::new();
        for wanted in wanted(&change.file, named, &mut plan.faults) {
            let section = Section::of(wanted.kind);
            let key = (wanted.kind, wanted.user.clone(), wanted.name.clone());
            let is_first = seen.insert(key.clone());
            let existing = places.get(&key).and_then(|at| current.get_mut(*at));
            let problem = match Precondition::check(change.expect, existing.is_some()) {
                _ if !is_first => Some("is declared twice: remove one"),
                checked => checked.err(),
            };
            if let Some(problem) = problem {
                plan.faults.push(RuleError::new(section, &wanted.name, problem).of(wanted.user.as_deref()));
                continue;
            }
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
                    let Some(row) = self.new_entitlement(&wanted, place) else {
                        plan.faults.push(RuleError::new(section, &wanted.name, "could not get an id: apply again"));
                        continue;
                    };
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
        plan.faults.extend(ambiguous(&change.prune, &current));
        let (deleted, kept): (Vec<_>, Vec<_>) = current.into_iter().partition(|row| {
            !seen.contains(&(row.kind, row.user.clone(), row.name.clone()))
                && change.prune.deletes(Section::of(row.kind), row.user.as_deref(), &row.name)
        });
        for row in deleted {
            plan.changes.push(Change::new(Section::of(row.kind), &row.name, row.user.as_deref(), ChangeKind::Deleted));
            let row = EntitlementRow { removed_at: Some(self.now), ..row };
            plan.change.entitlements.push(Write { row, revokes: Some(RevocationReason::EntitlementDeleted) });
        }
        kept
    }

    /// Returns the row of a new entitlement; `None` if no unused id is left.
    fn new_entitlement(&self, wanted: &Wanted, place: u64) -> Option<EntitlementRow> {
        let (id, token) = self.new_ids.next()?;
        Some(EntitlementRow {
            id,
            kind: wanted.kind,
            name: wanted.name.clone(),
            user: wanted.user.clone(),
            provider: wanted.provider.clone(),
            spec: wanted.spec.clone(),
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

/// Returns an error if the change deletes an object by its name, and several users have an object of this name.
fn ambiguous(prune: &Prune, current: &[EntitlementRow]) -> Option<RuleError> {
    let Prune::One(section, _, name) = prune else { return None };
    let named = current.iter().filter(|row| prune.deletes(Section::of(row.kind), row.user.as_deref(), &row.name));
    let owners: Vec<&str> = named.filter_map(|row| row.user.as_deref()).collect();
    let problem = format!("several users have an object of this name; name one of them: {}", owners.join(", "));
    (owners.len() > 1).then(|| RuleError::new(*section, name, problem))
}

/// Returns the error of an entitlement whose user or provider does not exist, or is deleted by the change.
fn missing<'a>(what: &str, name: &str, deleted: bool, known: impl Iterator<Item = &'a str>) -> FieldError {
    if deleted {
        return FieldError::new(what, format!("the change deletes {name:?}, which this object uses"));
    }
    let known = match known_names(known) {
        none if none.is_empty() => format!("there is no {what} yet"),
        names => format!("the known {what}s are {names}"),
    };
    FieldError::new(what, format!("no such {what}: {name:?}; {known}"))
}

fn criteria(spec: &str) -> Option<serde_json::Value> {
    serde_json::from_str::<serde_json::Value>(spec).ok()?.get("criteria").cloned()
}
