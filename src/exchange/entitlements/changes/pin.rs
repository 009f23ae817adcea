//! What rules learn when they are brought in: the ids that names of our own are bound to, and what their author may not
//! have meant.

use std::collections::{HashMap, HashSet};

use super::planner::{Plan, Planner};
use super::{Change, Section};
use crate::base::EntitlementId;
use crate::claims::fold_name;
use crate::exchange::terms::{PublisherTerms, Terms, TrustPolicyTerms};
use crate::policy::{Criteria, Learned};
use crate::store::{BoundName, EntitlementRow, NameKind, Write};

impl Planner<'_> {
    /// Names of our own that are bound to ids have these, whoever comes first, and also where they were bound only after
    /// the rule was written: what is learned is no change, and ends nothing. Warnings are of what was just written.
    pub(super) fn learning(&self, plan: &mut Plan) {
        let terms: HashMap<EntitlementId, &Terms> = plan.terms.iter().map(|(row, terms)| (row.id, terms)).collect();
        let mut told: HashMap<(Option<String>, String), &mut Change> = plan
            .told
            .iter_mut()
            .filter(|told| told.section == Section::Roles)
            .map(|told| ((told.user.clone(), told.name.clone()), told))
            .collect();
        for write in &mut plan.change.entitlements {
            let Some(terms) = terms.get(&write.row.id).copied() else { continue };
            write.row.learned = self.with_bound(&write.row, terms);
            if !terms.learns() {
                write.row.learn_until = None;
            }
            if let Terms::Role(role) = terms
                && let Some(told) = told.get_mut(&(write.row.user.clone(), write.row.name.clone()))
            {
                told.warnings = role.statements.warnings(self.claims_supported(&write.row.provider).as_deref());
            }
        }
        let written: HashSet<EntitlementId> = plan.change.entitlements.iter().map(|write| write.row.id).collect();
        for (row, terms) in plan.terms.iter().filter(|(row, _)| !written.contains(&row.id)) {
            let learned = self.with_bound(row, terms);
            if learned != row.learned {
                plan.learned.push(EntitlementRow { learned, ..row.clone() });
            }
        }
        let writes = plan.learned.iter().map(|row| Write { row: row.clone(), kills: None });
        plan.change.entitlements.extend(writes);
    }

    /// What was learned, and beside it what our own names are bound to.
    fn with_bound(&self, row: &EntitlementRow, terms: &Terms) -> Learned {
        let known = row.learned.clone();
        if row.provider != self.own.name() || !terms.learns() {
            return known;
        }
        let bound = self.bound(terms);
        Learned {
            owner_id: known.owner_id.or(bound.owner_id),
            repository_id: known.repository_id.or(bound.repository_id),
        }
    }

    /// What the provider's stored discovery document lists.
    fn claims_supported(&self, provider: &str) -> Option<Vec<String>> {
        let row = self.standing.providers.iter().find(|row| row.name == provider)?;
        let document = row.fetched.as_ref()?.configuration.as_ref()?;
        let document: serde_json::Value = serde_json::from_str(document).ok()?;
        serde_json::from_value(document.get("claims_supported")?.clone()).ok()
    }

    fn bound(&self, terms: &Terms) -> Learned {
        let (Terms::Publisher(PublisherTerms { criteria, .. }) | Terms::TrustPolicy(TrustPolicyTerms { criteria, .. })) =
            terms
        else {
            return Learned::default();
        };
        let Criteria::Build(build) = criteria else { return Learned::default() };
        let id = |kind: NameKind, name: &str| {
            let same =
                |bound: &&BoundName| bound.kind == kind && bound.current && fold_name(&bound.name) == fold_name(name);
            self.names.iter().find(same).and_then(|bound| bound.id.clone())
        };
        Learned {
            owner_id: id(NameKind::Org, &build.org),
            repository_id: id(NameKind::Repo, &format!("{}/{}", build.org, build.repo)),
        }
    }
}
