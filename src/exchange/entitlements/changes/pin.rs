//! Fills in the ids of owners and repositories that entitlements name without ids, if our own issuer knows the ids of
//! these names. Also warns of possible mistakes in roles.

use std::collections::{HashMap, HashSet};

use super::change_set::Change;
use super::plan::{Plan, Planner};
use crate::base::EntitlementId;
use crate::claims::fold_name;
use crate::exchange::entitlements::{Compiled, CompiledPublisher, CompiledTrustPolicy};
use crate::exchange::spec::Section;
use crate::policy::{Criteria, Pins};
use crate::store::{BoundName, EntitlementRow, NameKind, Write};

impl Planner<'_> {
    /// Adds warnings to changed roles. Also pins ids, in unchanged entitlements too: if an entitlement names an owner
    /// or repository without the id, and our own issuer knows the id, later tokens must have this id. The credentials
    /// of an entitlement stay valid if only its pinned ids change.
    pub(super) fn pin_bound_ids(&self, plan: &mut Plan) {
        let compiled: HashMap<EntitlementId, &Compiled> =
            plan.compiled.iter().map(|(row, compiled)| (row.id, compiled)).collect();
        let mut roles: HashMap<(Option<String>, String), &mut Change> = plan
            .changes
            .iter_mut()
            .filter(|change| change.section == Section::Roles)
            .map(|change| ((change.user.clone(), change.name.clone()), change))
            .collect();
        for write in &mut plan.change.entitlements {
            let Some(compiled) = compiled.get(&write.row.id).copied() else { continue };
            write.row.pins = self.with_bound(&write.row, compiled);
            if !compiled.pins_ids() {
                write.row.pin_until = None;
            }
            if let Compiled::Role(role) = compiled
                && let Some(change) = roles.get_mut(&(write.row.user.clone(), write.row.name.clone()))
            {
                change.warnings = role.statements.warnings(self.claims_supported(&write.row.provider).as_deref());
            }
        }
        let changed: HashSet<EntitlementId> = plan.change.entitlements.iter().map(|write| write.row.id).collect();
        for (row, compiled) in plan.compiled.iter().filter(|(row, _)| !changed.contains(&row.id)) {
            let pins = self.with_bound(row, compiled);
            if pins != row.pins {
                plan.pins.push(EntitlementRow { pins, ..row.clone() });
            }
        }
        let writes = plan.pins.iter().map(|row| Write { row: row.clone(), revokes: None });
        plan.change.entitlements.extend(writes);
    }

    /// Returns the pinned ids of the entitlement. If an id is not pinned yet, returns the id that our own issuer knows
    /// for the name, if it knows one.
    fn with_bound(&self, row: &EntitlementRow, compiled: &Compiled) -> Pins {
        let known = row.pins.clone();
        if row.provider != self.own.name() || !compiled.pins_ids() {
            return known;
        }
        let bound = self.bound(compiled);
        Pins { owner_id: known.owner_id.or(bound.owner_id), repository_id: known.repository_id.or(bound.repository_id) }
    }

    /// Returns `claims_supported` of the provider's stored discovery document.
    fn claims_supported(&self, provider: &str) -> Option<Vec<String>> {
        let row = self.stored.providers.iter().find(|row| row.name == provider)?;
        let document = row.fetched.as_ref()?.configuration.as_ref()?;
        let document: serde_json::Value = serde_json::from_str(document).ok()?;
        serde_json::from_value(document.get("claims_supported")?.clone()).ok()
    }

    fn bound(&self, compiled: &Compiled) -> Pins {
        let (Compiled::Publisher(CompiledPublisher { criteria, .. })
        | Compiled::TrustPolicy(CompiledTrustPolicy { criteria, .. })) = compiled
        else {
            return Pins::default();
        };
        let Criteria::Build(build) = criteria else { return Pins::default() };
        let id = |kind: NameKind, name: &str| {
            let same =
                |bound: &&BoundName| bound.kind == kind && bound.current && fold_name(&bound.name) == fold_name(name);
            self.names.iter().find(same).and_then(|bound| bound.id.clone())
        };
        Pins {
            owner_id: id(NameKind::Org, &build.org),
            repository_id: id(NameKind::Repo, &format!("{}/{}", build.org, build.repo)),
        }
    }
}
