//! Bringing users, providers and entitlements in: from a roles file, from one object of the admin API or a command, and
//! from the configuration's own providers. All or nothing; what it ends dies in the same transaction.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;

use super::change_set::{Change, ChangeKind, ChangeSet, RuleError, Section};
use super::plan::{Makers, Plan, Planner};
use crate::base::{Clock, EntitlementId, Entropy, EntropyError, EventId, IssuerId, Moment};
use crate::exchange::ExchangeSettings;
use crate::exchange::entitlements::audiences::{AudienceConflict, Claimed};
use crate::policy::Pins;
use crate::store::{EventRow, RuleRows, Store, StoreError};
use crate::verifier::Provider;

/// How often a change is worked out anew where another one came before it.
const ATTEMPTS: usize = 10;

/// Why nothing was brought in.
#[derive(Debug, thiserror::Error)]
pub enum ApplyRulesError {
    /// Two kinds of doors would take one audience.
    #[error(transparent)]
    Audience(#[from] AudienceConflict),
    /// The system's generator failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Something in it can't stand.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The database could not do its work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was brought in, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied(pub Vec<Change>);

impl Applied {
    /// Does everything stay?
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.0.iter().all(|change| change.change == ChangeKind::Unchanged)
    }
}

/// Who keeps the rules of an issuer: commands, the admin API, and the start of a server.
pub struct RulesEditor {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// Of which issuer.
    pub issuer: IssuerId,
    /// What the doors' audiences are.
    pub settings: ExchangeSettings,
    /// Our own issuer as a provider.
    pub own: Provider,
    /// Where *now* comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub entropy: Arc<dyn Entropy>,
}

impl RulesEditor {
    /// Brings it in, or with `dry_run` only says what that would change. `by` is who does.
    ///
    /// # Errors
    /// [`ApplyRulesError`]: nothing was changed.
    pub async fn apply(&self, bring: &ChangeSet, by: &str, dry_run: bool) -> Result<Applied, ApplyRulesError> {
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let standing = self.store.read_rules(&self.issuer, 0).await?;
            let names = self.store.list_names(&self.issuer).await?;
            let mut plan = {
                let made = Made::draw(&*self.entropy, now, how_many(bring))?;
                let planner = Planner { standing: &standing, own: &self.own, names: &names, now, makers: &made };
                planner.plan(bring)?
            };
            self.check_audiences(&plan)?;
            let mut applied = Applied(plan.told.clone());
            if dry_run {
                // A role that is only thought of has no token yet.
                for change in applied.0.iter_mut().filter(|change| change.change == ChangeKind::Created) {
                    change.token = None;
                }
            }
            if dry_run || plan.change.is_empty() {
                return Ok(applied);
            }
            plan.change.events = self.events(&plan, by, now)?;
            if self.store.change_rules(&self.issuer, standing.revision, &plan.change, now).await? {
                return Ok(applied);
            }
        }
        Err(StoreError::Contended.into())
    }

    /// Do the rules that stand go together with the settings? Asked at the start: either may have changed.
    ///
    /// # Errors
    /// [`ApplyRulesError`].
    pub async fn check(&self) -> Result<(), ApplyRulesError> {
        let standing = self.store.read_rules(&self.issuer, 0).await?;
        let (now, made) = (self.clock.now(), Made::default());
        let planner = Planner { standing: &standing, own: &self.own, names: &[], now, makers: &made };
        let plan = planner.plan(&ChangeSet::default())?;
        let exists = |name: &str| name == self.own.name() || plan.providers.iter().any(|known| known.name() == name);
        for (repository, provider) in self.settings.repositories.providers().filter(|(_, name)| !exists(name)) {
            tracing::warn!(
                repository,
                provider,
                "an access policy is for a provider that is not there: it allows nothing"
            );
        }
        Ok(self.check_audiences(&plan)?)
    }

    /// Everything that stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn standing(&self) -> Result<RuleRows, StoreError> {
        let mut rows = self.store.read_rules(&self.issuer, 0).await?;
        rows.users.retain(|row| row.removed_at.is_none());
        rows.providers.retain(|row| row.removed_at.is_none());
        rows.entitlements.retain(|row| row.removed_at.is_none());
        rows.users.sort_by(|a, b| a.name.cmp(&b.name));
        rows.providers.sort_by(|a, b| a.name.cmp(&b.name));
        rows.entitlements.sort_by_key(|row| row.place);
        Ok(rows)
    }

    fn check_audiences(&self, plan: &Plan) -> Result<(), AudienceConflict> {
        let mut claimed = Claimed::of(&self.settings, &plan.providers)?;
        for (row, compiled) in &plan.compiled {
            claimed.entitlement(&format!("{} {:?}", row.kind, row.name), compiled)?;
        }
        Ok(())
    }

    fn events(&self, plan: &Plan, by: &str, now: Moment) -> Result<Vec<EventRow>, EntropyError> {
        let spec = spec(plan);
        let changed = plan.told.iter().filter(|told| told.change != ChangeKind::Unchanged).map(|told| {
            let verb = match told.change {
                ChangeKind::Created => "created",
                ChangeKind::Updated | ChangeKind::Unchanged => "updated",
                ChangeKind::Deleted => "deleted",
            };
            let detail = json!({ "name": told.name, "user": told.user, "by": by, "written": spec.get(&key(told)) });
            (format!("{}_{verb}", told.section.noun().replace(' ', "_")), &told.name, detail)
        });
        let pins = plan.pins.iter().map(|row| {
            let Pins { owner_id, repository_id } = &row.pins;
            let detail = json!({
                "name": row.name, "user": row.user, "by": by, "owner_id": owner_id, "repository_id": repository_id,
            });
            ("ids_pinned".to_owned(), &row.name, detail)
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

/// What a thing that changes is found by.
type Key = (Section, Option<String>, String);

fn key(told: &Change) -> Key {
    (told.section, told.user.clone(), told.name.clone())
}

/// What was written of everything that changes, for the record.
fn spec(plan: &Plan) -> HashMap<Key, Option<serde_json::Value>> {
    let read = |spec: &str| serde_json::from_str(spec).ok();
    let providers = plan.change.providers.iter();
    let providers = providers.map(|write| ((Section::Providers, None, write.row.name.clone()), read(&write.row.spec)));
    let entitlements = plan.change.entitlements.iter().map(|write| {
        let row = &write.row;
        ((Section::of(row.kind), row.user.clone(), row.name.clone()), read(&row.spec))
    });
    providers.chain(entitlements).collect()
}

fn how_many(bring: &ChangeSet) -> usize {
    let file = &bring.file;
    file.rubygems.roles.len()
        + file.rubygems.trusted_publishers.len()
        + file.nuget.trust_policies.len()
        + file.grants.len()
}

/// Ids and role tokens that were drawn before they are needed, so that planning can't fail for want of them.
#[derive(Default)]
struct Made(std::cell::RefCell<Vec<(EntitlementId, String)>>);

impl Made {
    fn draw(entropy: &dyn Entropy, now: Moment, count: usize) -> Result<Self, EntropyError> {
        let one = |_| Ok((EntitlementId::new(now, entropy)?, role_token(entropy)?));
        (0..count).map(one).collect::<Result<Vec<_>, EntropyError>>().map(|made| Self(made.into()))
    }
}

impl Makers for Made {
    fn next(&self) -> Option<(EntitlementId, String)> {
        self.0.borrow_mut().pop()
    }
}

/// Crockford's digits: no letter that reads as another.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A role's token, as RubyGems writes it: it names the role in a URL, and opens nothing by itself.
fn role_token(entropy: &dyn Entropy) -> Result<String, EntropyError> {
    let mut bytes = [0_u8; 20];
    entropy.fill(&mut bytes)?;
    let digits = bytes.iter().filter_map(|byte| DIGITS.get(usize::from(byte % 32)).copied().map(char::from));
    Ok(format!("rg_oidc_akr_{}", digits.collect::<String>()))
}
