//! From what stands and what is wanted to what changes. Pure: an error anywhere changes nothing, and bringing the same
//! in again changes nothing either.

use std::collections::{HashMap, HashSet};

use super::wanted::{Wanted, rendered, wanted};
use super::{Change, ChangeKind, ChangeSet, Precondition, Prune, RuleError, Section};
use crate::base::{EntitlementId, Moment};
use crate::exchange::entitlements::snapshot::{pin_until, read_provider};
use crate::exchange::entitlements::{Compiled, plain_name};
use crate::policy::Pins;
use crate::store::{BoundName, EntitlementKind, EntitlementRow, ProviderRow, RuleChange, RuleRows, UserRow, Write};
use crate::verifier::Provider;

/// What tells one entitlement from another: its kind, its user, its name.
type Identity = (EntitlementKind, Option<String>, String);

/// What makes what a new thing needs.
pub(in crate::exchange) trait Makers {
    /// An id, and a token for a role.
    fn next(&self) -> Option<(EntitlementId, String)>;
}

/// What changes, and what is told of it.
#[derive(Default)]
pub(in crate::exchange) struct Plan {
    pub(in crate::exchange) change: RuleChange,
    pub(in crate::exchange) told: Vec<Change>,
    /// Rules that stay, and learn ids.
    pub(in crate::exchange) pins: Vec<EntitlementRow>,
    /// Everything as it will stand: providers, and the entitlements with their terms.
    pub(in crate::exchange) providers: Vec<Provider>,
    pub(in crate::exchange) compiled: Vec<(EntitlementRow, Compiled)>,
}

/// Works a change out.
pub(in crate::exchange) struct Planner<'a> {
    pub(in crate::exchange) standing: &'a RuleRows,
    pub(in crate::exchange) own: &'a Provider,
    pub(in crate::exchange) names: &'a [BoundName],
    pub(in crate::exchange) now: Moment,
    pub(in crate::exchange) makers: &'a dyn Makers,
}

impl Planner<'_> {
    pub(in crate::exchange) fn plan(&self, bring: &ChangeSet) -> Result<Plan, RuleError> {
        let mut plan = Plan::default();
        let users = match &bring.declared {
            Some(_) => self.live_users(),
            None => self.users(bring, &mut plan)?,
        };
        let providers = self.providers(bring, &mut plan)?;
        let named: HashMap<&str, &Provider> =
            providers.iter().chain([self.own]).map(|provider| (provider.name(), provider)).collect();
        let live = match &bring.declared {
            Some(_) => self.live_entitlements(),
            None => self.entitlements(bring, &named, &mut plan)?,
        };
        let changed: HashSet<EntitlementId> = plan.change.entitlements.iter().map(|write| write.row.id).collect();
        let providers_changed: HashSet<&str> =
            plan.change.providers.iter().map(|write| write.row.name.as_str()).collect();
        for row in live {
            let fault = |problem: String| fault(Section::of(row.kind), &row.name, problem);
            if let Some(user) = row.user.as_ref().filter(|user| !users.contains(*user)) {
                let goes = self.standing.users.iter().any(|known| known.name == *user && known.removed_at.is_none());
                return Err(fault(missing("user", user, goes)));
            }
            let provider = named.get(row.provider.as_str()).ok_or_else(|| {
                let known = |known: &ProviderRow| known.name == row.provider && known.removed_at.is_none();
                fault(missing("provider", &row.provider, self.standing.providers.iter().any(known)))
            })?;
            let changes = changed.contains(&row.id) || providers_changed.contains(row.provider.as_str());
            match Compiled::read(row.kind, &row.spec, provider) {
                Ok(compiled) => plan.compiled.push((row, compiled)),
                Err(error) if changes => return Err(fault(error.to_string())),
                // It gives nothing as it stands, whatever else is brought in.
                Err(error) => tracing::warn!(name = row.name, %error, "its terms can't be used: it gives nothing"),
            }
        }
        self.learning(&mut plan);
        plan.providers = providers;
        Ok(plan)
    }

    fn live_users(&self) -> Vec<String> {
        self.standing.users.iter().filter(|user| user.removed_at.is_none()).map(|user| user.name.clone()).collect()
    }

    fn live_entitlements(&self) -> Vec<EntitlementRow> {
        let mut live: Vec<_> =
            self.standing.entitlements.iter().filter(|row| row.removed_at.is_none()).cloned().collect();
        live.sort_by_key(|row| row.place);
        live
    }

    /// The names of the users that will stand.
    fn users(&self, bring: &ChangeSet, plan: &mut Plan) -> Result<Vec<String>, RuleError> {
        let mut names: Vec<String> = Vec::new();
        for wanted in &bring.file.users {
            let fault = |problem: &str| fault(Section::Users, &wanted.name, problem);
            plain_name("name", &wanted.name).map_err(|error| fault(&error.problem))?;
            if names.contains(&wanted.name) {
                return Err(fault("stands twice"));
            }
            names.push(wanted.name.clone());
            let former = self.standing.users.iter().find(|user| user.name == wanted.name);
            let standing = former.filter(|user| user.removed_at.is_none());
            Precondition::judge(bring.expect, standing.is_some()).map_err(fault)?;
            let kind = match standing {
                None => ChangeKind::Created,
                Some(user) if user.disabled_at.is_some() == wanted.disabled => ChangeKind::Unchanged,
                Some(_) => ChangeKind::Updated,
            };
            plan.told.push(told(Section::Users, &wanted.name, None, kind));
            if kind != ChangeKind::Unchanged {
                let row = UserRow {
                    name: wanted.name.clone(),
                    revision: 0,
                    created_at: former.map_or(self.now, |user| user.created_at),
                    disabled_at: wanted.disabled.then_some(self.now),
                    removed_at: None,
                };
                plan.change.users.push(Write { row, revokes: wanted.disabled.then_some("its user was disabled") });
            }
        }
        for user in self.standing.users.iter().filter(|user| user.removed_at.is_none()) {
            if names.contains(&user.name) {
                continue;
            }
            if !bring.prune.takes(Section::Users, None, &user.name) {
                names.push(user.name.clone());
                continue;
            }
            let row = UserRow { removed_at: Some(self.now), ..user.clone() };
            plan.change.users.push(Write { row, revokes: Some("its user was removed") });
            plan.told.push(told(Section::Users, &user.name, None, ChangeKind::Deleted));
        }
        Ok(names)
    }

    /// The providers that will stand, our own apart.
    fn providers(&self, bring: &ChangeSet, plan: &mut Plan) -> Result<Vec<Provider>, RuleError> {
        let declared = bring.declared.is_some();
        let wanted = bring.declared.as_ref().unwrap_or(&bring.file.providers);
        let mut standing: Vec<Provider> = Vec::new();
        for wanted in wanted {
            let fault = |problem: String| fault(Section::Providers, &wanted.name, problem);
            let provider =
                Provider::new(&wanted.name, wanted.spec.clone()).map_err(|error| fault(error.to_string()))?;
            if !declared && wanted.spec.names_files() {
                return Err(fault("jwks_file, certificates and bearer tokens are for the configuration alone".into()));
            }
            let former = self.standing.providers.iter().find(|row| row.name == wanted.name);
            let live = former.filter(|row| row.removed_at.is_none());
            if let Some(row) = live.filter(|row| row.declared != declared) {
                let of = if row.declared { "the configuration's: change it there" } else { "made by command" };
                return Err(fault(format!("a provider of this name is {of}")));
            }
            Precondition::judge(bring.expect.filter(|_| !declared), live.is_some())
                .map_err(|problem| fault(problem.to_owned()))?;
            let spec = rendered(&wanted.spec);
            let before = live.and_then(|row| read_provider(row).ok());
            let kind = match live {
                None => ChangeKind::Created,
                Some(row) if row.spec == spec => ChangeKind::Unchanged,
                Some(_) => ChangeKind::Updated,
            };
            plan.told.push(told(Section::Providers, &wanted.name, None, kind));
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
                let revokes = (kind == ChangeKind::Updated && !same).then_some("its provider was changed");
                plan.change.providers.push(Write { row, revokes });
            }
            standing.push(provider);
        }
        for row in self.standing.providers.iter().filter(|row| row.removed_at.is_none()) {
            if wanted.iter().any(|wanted| wanted.name == row.name) {
                continue;
            }
            let named = bring.prune.takes(Section::Providers, None, &row.name);
            if named && row.declared && matches!(bring.prune, Prune::One(..)) {
                return Err(fault(Section::Providers, &row.name, "is the configuration's: change it there"));
            }
            if named && row.declared == declared {
                let row = ProviderRow { removed_at: Some(self.now), ..row.clone() };
                plan.told.push(told(Section::Providers, &row.name, None, ChangeKind::Deleted));
                plan.change.providers.push(Write { row, revokes: Some("its provider was removed") });
            } else {
                let provider = read_provider(row);
                standing.push(provider.map_err(|problem| fault(Section::Providers, &row.name, problem))?);
            }
        }
        Provider::check_all(&standing, Some(self.own.issuer())).map_err(|error| {
            let name = error.field.strip_prefix("oidc.").unwrap_or(&error.field).to_owned();
            fault(Section::Providers, &name, error.problem)
        })?;
        Ok(standing)
    }

    /// The entitlements that will stand, in their places.
    fn entitlements(
        &self,
        bring: &ChangeSet,
        named: &HashMap<&str, &Provider>,
        plan: &mut Plan,
    ) -> Result<Vec<EntitlementRow>, RuleError> {
        let mut place = self.standing.entitlements.iter().map(|row| row.place).max().unwrap_or(0);
        let mut live = self.live_entitlements();
        let mut places: HashMap<Identity, usize> =
            live.iter().enumerate().map(|(at, row)| ((row.kind, row.user.clone(), row.name.clone()), at)).collect();
        let mut seen: HashSet<Identity> = HashSet::new();
        for wanted in wanted(&bring.file, named)? {
            let section = Section::of(wanted.kind);
            let key = (wanted.kind, wanted.user.clone(), wanted.name.clone());
            if !seen.insert(key.clone()) {
                return Err(fault(section, &wanted.name, "stands twice"));
            }
            let standing = places.get(&key).and_then(|at| live.get_mut(*at));
            Precondition::judge(bring.expect, standing.is_some())
                .map_err(|problem| fault(section, &wanted.name, problem))?;
            let (row, kind) = match standing {
                Some(row) if row.spec == wanted.spec && row.provider == wanted.provider => {
                    (row.clone(), ChangeKind::Unchanged)
                }
                Some(row) => {
                    let relearns = criteria(&row.spec) != criteria(&wanted.spec) || row.provider != wanted.provider;
                    row.spec = wanted.spec;
                    row.provider = wanted.provider;
                    row.updated_at = self.now;
                    if relearns {
                        (row.pins, row.pin_until) = (Pins::default(), Some(pin_until(self.now)));
                    }
                    let revokes = Some("what it was given by was changed");
                    plan.change.entitlements.push(Write { row: row.clone(), revokes });
                    (row.clone(), ChangeKind::Updated)
                }
                None => {
                    place += 1;
                    let row = self.new_entitlement(wanted, place)?;
                    plan.change.entitlements.push(Write { row: row.clone(), revokes: None });
                    places.insert(key, live.len());
                    live.push(row.clone());
                    (row, ChangeKind::Created)
                }
            };
            plan.told.push(Change { token: row.token.clone(), ..told(section, &row.name, row.user.as_deref(), kind) });
        }
        self.is_one_alone(&bring.prune, &live)?;
        let (gone, kept): (Vec<_>, Vec<_>) = live.into_iter().partition(|row| {
            !seen.contains(&(row.kind, row.user.clone(), row.name.clone()))
                && bring.prune.takes(Section::of(row.kind), row.user.as_deref(), &row.name)
        });
        for row in gone {
            plan.told.push(told(Section::of(row.kind), &row.name, row.user.as_deref(), ChangeKind::Deleted));
            let row = EntitlementRow { removed_at: Some(self.now), ..row };
            plan.change.entitlements.push(Write { row, revokes: Some("what it was given by was removed") });
        }
        Ok(kept)
    }

    /// Who removes one thing names it so that it is no other.
    fn is_one_alone(&self, prune: &Prune, live: &[EntitlementRow]) -> Result<(), RuleError> {
        let Prune::One(section, _, name) = prune else { return Ok(()) };
        let named = live.iter().filter(|row| prune.takes(Section::of(row.kind), row.user.as_deref(), &row.name));
        if named.count() > 1 {
            return Err(fault(*section, name, "several users have one of that name; say whose"));
        }
        Ok(())
    }

    fn new_entitlement(&self, wanted: Wanted, place: u64) -> Result<EntitlementRow, RuleError> {
        let none = || fault(Section::of(wanted.kind), &wanted.name, "no id was drawn for it");
        let (id, token) = self.makers.next().ok_or_else(none)?;
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

/// Why something can't name what is not there, or goes in the same change.
fn missing(what: &str, name: &str, goes: bool) -> String {
    if goes {
        return format!("{what}: {name:?} would be removed, and is named here");
    }
    format!("{what}: there is no {what} {name:?}")
}

pub(super) fn fault(section: Section, name: &str, problem: impl Into<String>) -> RuleError {
    RuleError { section, name: name.to_owned(), problem: problem.into() }
}

fn told(section: Section, name: &str, user: Option<&str>, change: ChangeKind) -> Change {
    let (name, user) = (name.to_owned(), user.map(str::to_owned));
    Change { section, name, user, token: None, change, warnings: Vec::new() }
}

fn criteria(spec: &str) -> Option<serde_json::Value> {
    serde_json::from_str::<serde_json::Value>(spec).ok()?.get("criteria").cloned()
}
