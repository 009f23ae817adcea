//! Plans the users and providers of a change, to which its entitlements refer. Reads and writes no database.

use super::change_set::{Change, ChangeKind, ChangeSet, Precondition, Prune, RuleError};
use super::plan::{Plan, Planner};
use super::wanted::serialized;
use crate::base::FieldError;
use crate::exchange::entitlements::fields::plain_name;
use crate::exchange::entitlements::snapshot::read_provider;
use crate::exchange::spec::{NamedProviderSpec, Section};
use crate::store::{ProviderRow, RevocationReason, UserRow, Write};
use crate::verifier::Provider;

impl Planner<'_> {
    /// Adds to `plan` what `change` creates, changes or deletes among the users. Returns the names of all users that exist after the change.
    pub(super) fn users(&self, change: &ChangeSet, plan: &mut Plan) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for wanted in &change.file.users {
            let former = self.stored.users.iter().find(|user| user.name == wanted.name);
            let current = former.filter(|user| user.removed_at.is_none());
            let is_first = !names.contains(&wanted.name);
            names.push(wanted.name.clone());
            let fault = match (plain_name("name", &wanted.name), Precondition::check(change.expect, current.is_some()))
            {
                (Err(error), _) => Some(RuleError::in_field(Section::Users, &wanted.name, error)),
                _ if !is_first => Some(RuleError::new(Section::Users, &wanted.name, "is declared twice: remove one")),
                (_, Err(problem)) => Some(RuleError::new(Section::Users, &wanted.name, problem)),
                _ => None,
            };
            if fault.is_some() {
                plan.faults.extend(fault);
                continue;
            }
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
        names
    }

    /// Plans the providers. Returns all providers that exist after the change, except our own issuer.
    pub(super) fn providers(&self, change: &ChangeSet, plan: &mut Plan) -> Vec<Provider> {
        let declared = change.declared.is_some();
        let wanted = change.declared.as_ref().unwrap_or(&change.file.providers);
        let mut kept: Vec<Provider> = Vec::new();
        for wanted in wanted {
            let former = self.stored.providers.iter().find(|row| row.name == wanted.name);
            let current = former.filter(|row| row.removed_at.is_none());
            let provider = match provider(wanted, current, declared, change.expect) {
                Ok(provider) => provider,
                Err(fault) => {
                    plan.faults.push(fault);
                    continue;
                }
            };
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
                let problem = "is declared in the configuration: change it there";
                plan.faults.push(RuleError::new(Section::Providers, &row.name, problem));
            }
            if named && row.declared == declared {
                let row = ProviderRow { removed_at: Some(self.now), ..row.clone() };
                plan.changes.push(Change::new(Section::Providers, &row.name, None, ChangeKind::Deleted));
                plan.change.providers.push(Write { row, revokes: Some(RevocationReason::ProviderDeleted) });
            } else {
                match read_provider(row) {
                    Ok(provider) => kept.push(provider),
                    Err(problem) => plan.faults.push(RuleError::new(Section::Providers, &row.name, problem)),
                }
            }
        }
        if let Err(error) = Provider::check_all(&kept, Some(self.own.issuer())) {
            let name = error.field.strip_prefix("oidc.").unwrap_or(&error.field);
            plan.faults.push(RuleError::new(Section::Providers, name, error.problem));
        }
        kept
    }
}

/// Checks a wanted provider against the stored one of the same name.
fn provider(
    wanted: &NamedProviderSpec,
    current: Option<&ProviderRow>,
    declared: bool,
    expect: Option<Precondition>,
) -> Result<Provider, RuleError> {
    let fault = |problem: &str| RuleError::new(Section::Providers, &wanted.name, problem);
    let provider = Provider::new(&wanted.name, wanted.spec.clone()).map_err(|error| {
        let prefix = format!("oidc.{}", wanted.name);
        let field = error.field.strip_prefix(&prefix).unwrap_or(&error.field).trim_start_matches('.').to_owned();
        RuleError::in_field(Section::Providers, &wanted.name, FieldError::new(field, error.problem))
    })?;
    if !declared && wanted.spec.names_files() {
        return Err(fault("jwks_file, certificates and bearer tokens are allowed only in the configuration"));
    }
    match current.filter(|row| row.declared != declared) {
        Some(row) if row.declared => {
            Err(fault("a provider of this name is declared in the configuration: change it there"))
        }
        Some(_) => Err(fault("a provider of this name was created by command: declare another name, or delete it")),
        None => {
            Precondition::check(expect.filter(|_| !declared), current.is_some()).map_err(fault)?;
            Ok(provider)
        }
    }
}
