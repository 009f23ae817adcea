//! Applies changes to users, providers and entitlements. A change comes from a rules file, from an act on one object,
//! or from the providers in the configuration. One transaction applies the whole change and revokes the credentials
//! that depend on it.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;

use super::change_set::{Change, ChangeKind, ChangeSet, RuleErrors};
use super::plan::{NewIds, Plan, Planner};
use crate::base::{Clock, EntitlementId, Entropy, EntropyError, EventId, IssuerId, Moment};
use crate::exchange::entitlements::audiences::{AudienceConflict, Claimed};
use crate::exchange::event_kind::EventKind;
use crate::exchange::settings::ExchangeSettings;
use crate::exchange::spec::Section;
use crate::policy::Pins;
use crate::store::{EventRow, RuleChange, RuleRows, Store, StoreError};
use crate::verifier::Provider;

/// Maximum number of times that one change is planned. A change is planned again if a change of somebody else was
/// committed first.
const ATTEMPTS: usize = 10;

/// Error of a change to users, providers or entitlements; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyRulesError {
    /// One audience would be assigned to two kinds of flow.
    #[error(transparent)]
    Audience(#[from] AudienceConflict),
    /// The system's random generator failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Users, providers or entitlements of the change are invalid.
    #[error(transparent)]
    Rule(#[from] RuleErrors),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Effects of a change, or of a dry run, on each user, provider and entitlement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied(pub Vec<Change>);

impl Applied {
    /// Whether every object stays unchanged.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.0.iter().all(|change| change.change == ChangeKind::Unchanged)
    }
}

/// Editor of one issuer's users, providers and entitlements, used by commands, by the admin API and at the start of a
/// server.
pub struct RulesEditor {
    /// Database of the rules.
    pub store: Arc<dyn Store>,
    /// Issuer that owns the rules.
    pub issuer: IssuerId,
    /// Settings of the exchange, which assign audiences to flows.
    pub settings: ExchangeSettings,
    /// Our own issuer, described as a provider.
    pub own: Provider,
    /// Source of the current time.
    pub clock: Arc<dyn Clock>,
    /// Source of random bytes.
    pub entropy: Arc<dyn Entropy>,
}

impl RulesEditor {
    /// Applies a change, or with `dry_run` only plans it. `by` names the actor in events. Idempotent.
    ///
    /// # Errors
    /// [`ApplyRulesError`]: nothing was changed.
    pub async fn apply(&self, change: &ChangeSet, by: &str, dry_run: bool) -> Result<Applied, ApplyRulesError> {
        let (applied, _) = self.commit(by, dry_run, |_| Ok::<_, ApplyRulesError>(change.clone())).await?;
        Ok(applied)
    }

    /// Applies the change that the function `change` returns for the current rules. Returns the effects, and the rules
    /// after the change. Plans again if another change is committed first.
    ///
    /// # Errors
    /// The error of `change`, or [`ApplyRulesError`]; nothing was changed.
    pub(super) async fn commit<E: From<ApplyRulesError>>(
        &self,
        by: &str,
        dry_run: bool,
        change: impl Fn(&RuleRows) -> Result<ChangeSet, E>,
    ) -> Result<(Applied, RuleRows), E> {
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let stored = self.store.read_rules(&self.issuer, 0).await.map_err(ApplyRulesError::from)?;
            let names = self.store.list_names(&self.issuer).await.map_err(ApplyRulesError::from)?;
            let current = current(stored.clone());
            let change = change(&current)?;
            let mut plan = {
                let drawn = DrawnIds::draw(&*self.entropy, now, new_at_most(&change)).map_err(ApplyRulesError::from)?;
                let planner = Planner { stored: &stored, own: &self.own, names: &names, now, new_ids: &drawn };
                planner.plan(&change).map_err(ApplyRulesError::from)?
            };
            self.check_audiences(&plan).map_err(ApplyRulesError::from)?;
            let mut applied = Applied(plan.changes.clone());
            if dry_run {
                // A dry run creates no role, and the drawn token is discarded.
                for change in applied.0.iter_mut().filter(|change| change.change == ChangeKind::Created) {
                    change.token = None;
                }
            }
            if dry_run || plan.change.is_empty() {
                return Ok((applied, current));
            }
            plan.change.events = self.events(&plan, by, now).map_err(ApplyRulesError::from)?;
            let committed = self.store.change_rules(&self.issuer, stored.revision, &plan.change, now).await;
            if committed.map_err(ApplyRulesError::from)? {
                return Ok((applied, after(current, &plan.change)));
            }
        }
        Err(ApplyRulesError::from(StoreError::Contended).into())
    }

    /// Checks the stored rules against the settings. Called at the start of a server, because both may have changed
    /// since the last start.
    ///
    /// # Errors
    /// [`ApplyRulesError`].
    pub async fn check(&self) -> Result<(), ApplyRulesError> {
        let stored = self.store.read_rules(&self.issuer, 0).await?;
        let (now, drawn) = (self.clock.now(), DrawnIds::default());
        let planner = Planner { stored: &stored, own: &self.own, names: &[], now, new_ids: &drawn };
        let plan = planner.plan(&ChangeSet::default())?;
        let exists = |name: &str| name == self.own.name() || plan.providers.iter().any(|known| known.name() == name);
        for (repository, provider) in self.settings.repositories.providers().filter(|(_, name)| !exists(name)) {
            tracing::warn!(
                repository,
                provider,
                "access policy names a provider that does not exist: create the provider or correct the name"
            );
        }
        Ok(self.check_audiences(&plan)?)
    }

    /// Returns all current rules, without deleted rows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn current(&self) -> Result<RuleRows, StoreError> {
        Ok(current(self.store.read_rules(&self.issuer, 0).await?))
    }

    fn check_audiences(&self, plan: &Plan) -> Result<(), AudienceConflict> {
        let mut claimed = Claimed::of(&self.settings, &plan.providers)?;
        for (row, compiled) in &plan.compiled {
            claimed.add_entitlement(row.kind, &row.name, compiled)?;
        }
        Ok(())
    }

    fn events(&self, plan: &Plan, by: &str, now: Moment) -> Result<Vec<EventRow>, EntropyError> {
        let specs = specs(plan);
        let changed = plan.changes.iter().filter_map(|change| {
            let kind = change.change.event_kind(change.section)?;
            let detail =
                json!({ "name": change.name, "user": change.user, "by": by, "written": specs.get(&key(change)) });
            Some((kind, &change.name, detail))
        });
        let pins = plan.pins.iter().map(|row| {
            let Pins { owner_id, repository_id } = &row.pins;
            let detail = json!({
                "name": row.name, "user": row.user, "by": by, "owner_id": owner_id, "repository_id": repository_id,
            });
            (EventKind::IdsPinned.name().to_owned(), &row.name, detail)
        });
        let event = |(kind, subject, detail): (String, &String, serde_json::Value)| {
            Ok(EventRow {
                id: EventId::new(now, &*self.entropy)?,
                at: now,
                kind,
                flow: None,
                subject: Some(subject.clone()),
                detail: detail.to_string(),
            })
        };
        changed.chain(pins).map(event).collect()
    }
}

/// Returns the rows that are not marked as deleted, in the order in which lists show the rows.
fn current(mut rows: RuleRows) -> RuleRows {
    rows.users.retain(|row| row.removed_at.is_none());
    rows.providers.retain(|row| row.removed_at.is_none());
    rows.entitlements.retain(|row| row.removed_at.is_none());
    rows.users.sort_by(|a, b| a.name.cmp(&b.name));
    rows.providers.sort_by(|a, b| a.name.cmp(&b.name));
    rows.entitlements.sort_by_key(|row| row.place);
    rows
}

/// Applies a committed change to the current rows, and returns the rows that are current afterwards.
fn after(mut rows: RuleRows, change: &RuleChange) -> RuleRows {
    for write in &change.users {
        rows.users.retain(|row| row.name != write.row.name);
        rows.users.push(write.row.clone());
    }
    for write in &change.providers {
        rows.providers.retain(|row| row.name != write.row.name);
        rows.providers.push(write.row.clone());
    }
    for write in &change.entitlements {
        rows.entitlements.retain(|row| row.id != write.row.id);
        rows.entitlements.push(write.row.clone());
    }
    current(rows)
}

/// Section, user and name, which together identify a changed object.
type Key = (Section, Option<String>, String);

fn key(change: &Change) -> Key {
    (change.section, change.user.clone(), change.name.clone())
}

/// Returns the spec (what the operator wrote) of each changed object, for the events.
fn specs(plan: &Plan) -> HashMap<Key, Option<serde_json::Value>> {
    let read = |spec: &str| serde_json::from_str(spec).ok();
    let providers = plan.change.providers.iter();
    let providers = providers.map(|write| ((Section::Providers, None, write.row.name.clone()), read(&write.row.spec)));
    let entitlements = plan.change.entitlements.iter().map(|write| {
        let row = &write.row;
        ((Section::of(row.kind), row.user.clone(), row.name.clone()), read(&row.spec))
    });
    providers.chain(entitlements).collect()
}

/// Returns the maximum number of entitlements that a change can create.
fn new_at_most(change: &ChangeSet) -> usize {
    let file = &change.file;
    file.rubygems.roles.len()
        + file.rubygems.trusted_publishers.len()
        + file.nuget.trust_policies.len()
        + file.grants.len()
}

/// Ids and role tokens, drawn before planning, so that planning needs no randomness.
#[derive(Default)]
struct DrawnIds(std::cell::RefCell<Vec<(EntitlementId, String)>>);

impl DrawnIds {
    fn draw(entropy: &dyn Entropy, now: Moment, count: usize) -> Result<Self, EntropyError> {
        let one = |_| Ok((EntitlementId::new(now, entropy)?, role_token(entropy)?));
        (0..count).map(one).collect::<Result<Vec<_>, EntropyError>>().map(|drawn| Self(drawn.into()))
    }
}

impl NewIds for DrawnIds {
    fn next(&self) -> Option<(EntitlementId, String)> {
        self.0.borrow_mut().pop()
    }
}

/// Crockford's base32 alphabet, in lower case. It leaves out `i`, `l` and `o`, which look like digits, and `u`.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Returns a random token for a role, in RubyGems' form. The token names the role in URLs and is not a secret.
fn role_token(entropy: &dyn Entropy) -> Result<String, EntropyError> {
    let mut bytes = [0_u8; 20];
    entropy.fill(&mut bytes)?;
    let digits = bytes.iter().filter_map(|byte| DIGITS.get(usize::from(byte % 32)).copied().map(char::from));
    Ok(format!("rg_oidc_akr_{}", digits.collect::<String>()))
}
