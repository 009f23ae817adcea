//! Snapshot of the rules: users, providers with verifiers, and entitlements at one revision, indexed for requests. A
//! snapshot must never change; a newer snapshot replaces an older one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::entitlement::{Entitlement, SharedEntitlement};
use crate::base::{Clock, EntitlementId, Moment};
use crate::policy::Pins;
use crate::store::{EntitlementKind, EntitlementRow, ProviderRow, RuleRows, UserRow};
use crate::verifier::{KeySource, LateSource, Provider, ProviderSpec, Resolver, Verifier};

/// A provider's row, if the database holds one, and the verifier of the provider's tokens.
pub struct ProviderEntry {
    pub(in crate::exchange) row: Option<ProviderRow>,
    pub(in crate::exchange) verifier: Verifier,
    /// Whether the stored provider agrees with this server's configuration. If not, access policies do not apply to its
    /// tokens: a policy names a provider of the configuration, and must not apply to a different provider of the same
    /// name.
    pub(in crate::exchange) as_configured: bool,
}

impl ProviderEntry {
    pub(in crate::exchange) fn provider(&self) -> &Provider {
        self.verifier.provider()
    }
}

/// All users, providers and entitlements of one issuer at one revision.
#[derive(Clone)]
pub struct RulesSnapshot {
    pub(in crate::exchange) revision: u64,
    pub(in crate::exchange) users: HashMap<String, UserRow>,
    /// Providers by name; our own issuer is among the providers.
    pub(in crate::exchange) entries: BTreeMap<String, Arc<ProviderEntry>>,
    entitlements: HashMap<EntitlementId, SharedEntitlement>,
    roles: HashMap<String, SharedEntitlement>,
    /// All grants, in the order of `place`, their position in the rules. `publishers` and `policies` have this order
    /// too.
    grants: Vec<SharedEntitlement>,
    publishers: Vec<SharedEntitlement>,
    policies: HashMap<String, Vec<SharedEntitlement>>,
}

/// Parts that a verifier for a stored provider is created from.
pub(in crate::exchange) struct VerifierFactory {
    pub(in crate::exchange) own: Arc<ProviderEntry>,
    pub(in crate::exchange) clock: Arc<dyn Clock>,
    pub(in crate::exchange) resolver: Arc<dyn Resolver>,
    pub(in crate::exchange) configured: Arc<[Provider]>,
}

impl VerifierFactory {
    fn is_as_configured(&self, provider: &Provider, declared: bool) -> bool {
        let same = match self.configured.iter().find(|configured| configured.name() == provider.name()) {
            Some(configured) => declared && configured.decides_like(provider),
            None => !declared,
        };
        if !same {
            let provider = provider.name();
            tracing::warn!(
                provider,
                "provider differs from this server's configuration: access policies do not apply to it"
            );
        }
        same
    }

    fn source(&self, provider: &Provider) -> Arc<dyn KeySource> {
        let (clock, resolver) = (&self.clock, &self.resolver);
        provider.source(clock, resolver).unwrap_or_else(|error| {
            tracing::error!(provider = provider.name(), %error, "could not set up the provider's keys; trying again");
            Arc::new(LateSource::new(provider.clone(), Arc::clone(clock), Arc::clone(resolver), error.to_string()))
        })
    }
}

impl RulesSnapshot {
    /// Returns the snapshot of revision 0: no rules, and our own issuer as the only provider.
    pub(in crate::exchange) fn empty(factory: &VerifierFactory) -> Self {
        let own = Arc::clone(&factory.own);
        Self {
            revision: 0,
            users: HashMap::new(),
            entries: BTreeMap::from([(own.provider().name().to_owned(), own)]),
            entitlements: HashMap::new(),
            roles: HashMap::new(),
            grants: Vec::new(),
            publishers: Vec::new(),
            policies: HashMap::new(),
        }
    }

    /// Returns a copy of the snapshot with the changed rows applied. Providers without a changed row keep verifier and
    /// keys.
    pub(in crate::exchange) fn after(&self, rows: RuleRows, factory: &VerifierFactory) -> Self {
        let mut snapshot = self.clone();
        snapshot.revision = rows.revision;
        for user in rows.users {
            snapshot.users.insert(user.name.clone(), user);
        }
        let mut changed = Vec::new();
        for row in rows.providers {
            changed.push(row.name.clone());
            snapshot.replace_provider(row, factory);
        }
        if !changed.is_empty() {
            // An entitlement is compiled for one provider, and must be compiled again if the provider changed.
            for entitlement in snapshot.entitlements.values_mut().filter(|one| changed.contains(&one.row.provider)) {
                *entitlement = Arc::new(Entitlement::new(entitlement.row.clone()));
            }
        }
        let any = !changed.is_empty() || !rows.entitlements.is_empty();
        for row in rows.entitlements {
            match row.removed_at {
                Some(_) => snapshot.entitlements.remove(&row.id),
                None => snapshot.entitlements.insert(row.id, Arc::new(Entitlement::new(row))),
            };
        }
        if any {
            snapshot.index();
        }
        snapshot
    }

    fn replace_provider(&mut self, row: ProviderRow, factory: &VerifierFactory) {
        let name = row.name.clone();
        let former = self.entries.remove(&name);
        if row.removed_at.is_some() {
            return;
        }
        let provider = match read_provider(&row) {
            Ok(provider) => provider,
            Err(problem) => {
                tracing::error!(provider = name, problem, "stored provider is invalid: its tokens are refused");
                return;
            }
        };
        let same = former.filter(|former| former.row.as_ref().is_some_and(|known| known.spec == row.spec));
        let keys = match same {
            Some(former) => Arc::clone(former.verifier.keys()),
            None => factory.source(&provider),
        };
        if let Some(fetched) = &row.fetched {
            keys.begin_with(fetched.jwks.as_bytes(), fetched.refreshed_at);
        }
        let as_configured = factory.is_as_configured(&provider, row.declared);
        let verifier = Verifier::new(provider, keys, Arc::clone(&factory.clock));
        self.entries.insert(name, Arc::new(ProviderEntry { row: Some(row), verifier, as_configured }));
    }

    fn index(&mut self) {
        let mut all: Vec<SharedEntitlement> = self.entitlements.values().map(Arc::clone).collect();
        all.sort_by_key(|one| one.row.place);
        share_pins(&mut all);
        self.roles = HashMap::new();
        self.policies = HashMap::new();
        (self.grants, self.publishers) = (Vec::new(), Vec::new());
        for one in all {
            match one.row.kind {
                EntitlementKind::Grant => self.grants.push(one),
                EntitlementKind::Publisher => self.publishers.push(one),
                EntitlementKind::Role => {
                    if let Some(token) = one.row.token.clone() {
                        self.roles.insert(token, one);
                    }
                }
                EntitlementKind::TrustPolicy => {
                    let user = one.row.user.clone().unwrap_or_default();
                    self.policies.entry(user).or_default().push(one);
                }
            }
        }
    }

    /// Returns the provider with this name.
    pub(in crate::exchange) fn entry(&self, name: &str) -> Option<&Arc<ProviderEntry>> {
        self.entries.get(name)
    }

    /// Returns the providers of an issuer, sorted by name.
    pub(in crate::exchange) fn entries_of<'a>(
        &'a self,
        issuer: &'a str,
    ) -> impl Iterator<Item = &'a Arc<ProviderEntry>> {
        self.entries.values().filter(move |entry| entry.provider().issuer() == issuer)
    }

    /// Returns the role with this token, which is the role's id in URLs.
    pub(in crate::exchange) fn role(&self, token: &str) -> Option<&SharedEntitlement> {
        self.roles.get(token)
    }

    /// Returns all grants, in the order of the rules.
    pub(in crate::exchange) fn grants(&self) -> &[SharedEntitlement] {
        &self.grants
    }

    /// Returns the grant with this name.
    pub(in crate::exchange) fn grant(&self, name: &str) -> Option<&SharedEntitlement> {
        self.grants.iter().find(|grant| grant.row.name == name)
    }

    /// Returns all trusted publishers, in the order of the rules.
    pub(in crate::exchange) fn publishers(&self) -> &[SharedEntitlement] {
        &self.publishers
    }

    /// Returns the trust policies of a user, oldest first.
    pub(in crate::exchange) fn policies(&self, user: &str) -> &[SharedEntitlement] {
        self.policies.get(user).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the roles of a user, in the order of the rules.
    pub(in crate::exchange) fn roles_of<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a SharedEntitlement> {
        let mut roles: Vec<&SharedEntitlement> =
            self.roles.values().filter(|role| role.row.user.as_deref() == Some(user)).collect();
        roles.sort_by_key(|role| role.row.place);
        roles.into_iter()
    }

    /// Whether the user exists and is enabled.
    pub(in crate::exchange) fn is_enabled(&self, user: &str) -> bool {
        self.users.get(user).is_some_and(UserRow::is_enabled)
    }

    /// Returns the entitlement with this id.
    pub(in crate::exchange) fn entitlement(&self, id: EntitlementId) -> Option<&SharedEntitlement> {
        self.entitlements.get(&id)
    }
}

/// Gives the pinned ids of one trusted publisher to all others with the same user, provider and criteria: together they
/// count as one publisher that covers several gems.
fn share_pins(all: &mut [SharedEntitlement]) {
    let key = |row: &EntitlementRow| {
        let spec: serde_json::Value = serde_json::from_str(&row.spec).unwrap_or_default();
        (row.user.clone(), row.provider.clone(), spec.get("criteria").map(ToString::to_string))
    };
    let publishers = || |one: &&SharedEntitlement| one.row.kind == EntitlementKind::Publisher;
    let mut pins = HashMap::new();
    for one in all.iter().filter(publishers()).filter(|one| one.row.pins != Pins::default()) {
        pins.entry(key(&one.row)).or_insert_with(|| one.row.pins.clone());
    }
    if pins.is_empty() {
        return;
    }
    for one in all.iter_mut().filter(|one| one.row.kind == EntitlementKind::Publisher) {
        if let (true, Some(known)) = (one.row.pins == Pins::default(), pins.get(&key(&one.row))) {
            *one = Arc::new(Entitlement::new(EntitlementRow { pins: known.clone(), ..one.row.clone() }));
        }
    }
}

/// Parses and checks the spec of a stored provider.
pub(in crate::exchange) fn read_provider(row: &ProviderRow) -> Result<Provider, String> {
    let spec: ProviderSpec = serde_json::from_str(&row.spec).map_err(|error| error.to_string())?;
    Provider::new(&row.name, spec).map_err(|error| error.to_string())
}

/// Returns when the period ends in which a token can pin ids that the criteria lack. The period begins when the
/// criteria change, at `now`.
pub(in crate::exchange) fn pin_until(now: Moment) -> Moment {
    now + crate::policy::PINNING_PERIOD
}
