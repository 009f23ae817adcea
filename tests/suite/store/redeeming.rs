//! Redemptions: a token is claimed once, each cause revokes the credentials that depend on it, and no later change makes a
//! revoked credential valid again.

use std::sync::atomic::{AtomicU64, Ordering};

use buildpass::base::{CredentialId, EntitlementId, EventId, IdTokenId, Jti, Moment, Sha256};
use buildpass::policy::{Client, Pins};
use buildpass::store::{
    CredentialFilter, CredentialKind, EntitlementFilter, EntitlementKind, EntitlementRow, EventRow, Finish, KeyRow,
    KeyTimes, NewBuild, NewCredential, NewIdToken, OwnToken, ProviderRow, Redemption, RedemptionRefusal,
    RevocationReason, RuleChange, Store, StoredCredential, TokenKey, UserRow, Write,
};

use super::sample::{Counter, NOW, after, at_once, digest, issuance, issuer, rows, running, running_of_declared};

on_every_backend! {
    a_token_is_claimed_once_and_what_was_refused_claims_nothing
    a_token_that_may_be_redeemed_again_is_so_until_it_is_used_up_or_revoked
    each_change_of_rules_revokes_what_depends_on_it_and_its_reversal_restores_nothing
    what_was_evaluated_by_an_old_rule_is_evaluated_again
    ids_are_pinned_once_and_only_by_a_redemption_that_commits
    what_outlives_its_build_is_revoked_with_its_client
    a_used_token_is_deleted_when_its_time_is_over
    rules_are_read_by_what_changed
    current_rules_are_listed_by_section_and_found_by_name_or_id
    a_change_of_rules_that_saw_an_old_number_changes_nothing
}

/// Cause of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    BuildEnd,
    ClientDisabled,
    ClientUndeclared,
    UserDisabled,
    UserRemoved,
    ProviderChanged,
    ProviderRemoved,
    EntitlementChanged,
    EntitlementRemoved,
    OtherEntitlementRemoved,
    IdTokenRevoked,
    SigningKeyRevoked,
    SignerRevoked,
}

impl Cause {
    /// Causes that can be reverted.
    const OF_RULES: [Self; 7] = [
        Self::UserDisabled,
        Self::UserRemoved,
        Self::ProviderChanged,
        Self::ProviderRemoved,
        Self::EntitlementChanged,
        Self::EntitlementRemoved,
        Self::OtherEntitlementRemoved,
    ];

    pub(super) fn reason(self) -> RevocationReason {
        match self {
            Self::BuildEnd => RevocationReason::BuildFinished,
            Self::ClientDisabled | Self::ClientUndeclared => RevocationReason::ClientDisabled,
            Self::UserDisabled => RevocationReason::UserDisabled,
            Self::UserRemoved => RevocationReason::UserDeleted,
            Self::ProviderChanged => RevocationReason::ProviderChanged,
            Self::ProviderRemoved => RevocationReason::ProviderDeleted,
            Self::EntitlementChanged => RevocationReason::EntitlementChanged,
            Self::EntitlementRemoved | Self::OtherEntitlementRemoved => RevocationReason::EntitlementDeleted,
            Self::IdTokenRevoked => RevocationReason::IdTokenRevoked,
            Self::SigningKeyRevoked | Self::SignerRevoked => RevocationReason::SigningKeyRevoked,
        }
    }
}

/// Everything that a credential for a token of the own issuer can depend on.
#[derive(Clone)]
pub(super) struct World {
    pub(super) client: Client,
    pub(super) build: NewBuild,
    user: UserRow,
    provider: ProviderRow,
    entitlement: EntitlementRow,
    /// Second entitlement that the credential depends on.
    other: EntitlementRow,
    jti: Jti,
}

const KID: &str = "signing-key";
/// Key that signs the issued access tokens.
const SIGNER: &str = "signer";
/// Provider used instead of the own issuer, so that each cause can revoke a credential.
const PROVIDER: &str = "partner";

pub(super) fn event() -> EventRow {
    EventRow {
        id: EventId::new(NOW, &Counter).unwrap(),
        at: NOW,
        kind: "credential_created".to_owned(),
        flow: Some("grant".to_owned()),
        subject: None,
        detail: "{}".to_owned(),
    }
}

fn key(kid: &str, revoked_at: Option<Moment>) -> KeyRow {
    KeyRow {
        kid: kid.to_owned(),
        alg: buildpass::jose::Algorithm::Es256,
        sealed: None,
        kek: None,
        times: Some(KeyTimes { announced_at: NOW, signs_from: NOW }),
        ends_at: None,
        revoked_at,
        revoked_reason: revoked_at.map(|_| "leaked".to_owned()),
        jwks_max_age: buildpass::base::Seconds::new(300),
        max_lifetime: buildpass::base::Seconds::new(3_600),
    }
}

impl World {
    pub(super) async fn new(store: &dyn Store) -> Self {
        Self::of(store, running(store).await).await
    }

    /// Creates a world with a declared client.
    pub(super) async fn declared(store: &dyn Store) -> Self {
        Self::of(store, running_of_declared(store).await).await
    }

    async fn of(store: &dyn Store, (client, build): (Client, NewBuild)) -> Self {
        assert!(
            store.advance_keys(&issuer(), 0, &rows(vec![key(KID, None), key(SIGNER, None)]), &at_once()).await.unwrap()
        );
        let mut token = issuance(&client, &build);
        token.row.kid = KID.to_owned();
        let jti = token.row.jti;
        store.record(&issuer(), token).await.unwrap().unwrap();
        let user = UserRow { name: "octo".into(), revision: 0, created_at: NOW, disabled_at: None, removed_at: None };
        let provider = ProviderRow {
            name: PROVIDER.into(),
            spec: r#"{"provider":"generic"}"#.into(),
            declared: false,
            revision: 0,
            created_at: NOW,
            removed_at: None,
            fetched: None,
        };
        let entitlement = EntitlementRow {
            id: EntitlementId::new(NOW, &Counter).unwrap(),
            kind: EntitlementKind::TrustPolicy,
            name: "policy".into(),
            user: Some("octo".into()),
            provider: PROVIDER.into(),
            spec: "{}".into(),
            place: 1,
            token: None,
            pins: Pins::default(),
            pin_until: Some(after(600)),
            revision: 0,
            created_at: NOW,
            updated_at: NOW,
            removed_at: None,
        };
        let id = EntitlementId::new(NOW, &Counter).unwrap();
        let other = EntitlementRow { id, name: "the other".into(), place: 2, ..entitlement.clone() };
        let world = Self { client, build, user, provider, entitlement, other, jti };
        world.change(store, None).await;
        world.read(store).await
    }

    /// Writes all rules of this world.
    async fn change(&self, store: &dyn Store, revokes: Option<RevocationReason>) {
        let change = RuleChange {
            users: vec![Write { row: self.user.clone(), revokes }],
            providers: vec![Write { row: self.provider.clone(), revokes }],
            entitlements: [&self.entitlement, &self.other].map(|row| Write { row: row.clone(), revokes }).to_vec(),
            events: vec![],
        };
        loop {
            let revision = store.rules_revision(&issuer()).await.unwrap();
            if store.change_rules(&issuer(), revision, &change, NOW).await.unwrap() {
                return;
            }
        }
    }

    async fn read(mut self, store: &dyn Store) -> Self {
        let rows = store.read_rules(&issuer(), 0).await.unwrap();
        self.user = rows.users[0].clone();
        self.provider = rows.providers[0].clone();
        [self.entitlement, self.other] = both(rows.entitlements);
        self
    }

    /// Redemption of the token with the number `token`.
    pub(super) fn redemption(&self, token: u64) -> Redemption {
        Redemption {
            now: NOW,
            token: TokenKey { issuer: "https://ci.example.com".into(), digest: Sha256::of(&token.to_be_bytes()) },
            single_use: true,
            own: Some(OwnToken {
                jti: self.jti,
                build: self.build.id,
                client: self.client.id.clone(),
                kid: KID.to_owned(),
            }),
            user: Some("octo".into()),
            provider: PROVIDER.into(),
            provider_revision: Some(self.provider.revision),
            entitlement: Some((self.entitlement.id, self.entitlement.revision)),
            also: vec![(self.other.id, self.other.revision)],
            pins: None,
            id_token: NewIdToken {
                id: IdTokenId::new(NOW, &Counter).unwrap(),
                kid: KID.into(),
                header: "{}".into(),
                claims: r#"{"sub":"x"}"#.into(),
                expires_at: after(300),
            },
            credential: NewCredential {
                id: CredentialId::new(NOW, &Counter).unwrap(),
                kind: CredentialKind::Key,
                digest: digest(),
                flow: "grant".to_owned(),
                name: "policy".into(),
                subject: "exchange:self:x".into(),
                owner: Some("acme".into()),
                scopes: vec!["read".into()],
                packages: vec!["*".into()],
                audience: "https://artefacts.example.com".into(),
                outlives_build: false,
                signed_by: Some(SIGNER.into()),
                expires_at: after(1_800),
            },
            event: event(),
        }
    }

    pub(super) async fn revoke(&self, store: &dyn Store, cause: Cause) {
        let why = Some(cause.reason());
        let mut world = self.clone();
        match cause {
            Cause::BuildEnd => {
                store.finish_build(&issuer(), self.build.id, &self.client.id, Finish::Success, NOW).await.unwrap();
            }
            Cause::ClientDisabled => {
                store.disable_client(&issuer(), &self.client.name, NOW).await.unwrap().unwrap();
            }
            Cause::ClientUndeclared => {
                let changes = store.apply_clients(&issuer(), &[], NOW, false).await.unwrap().unwrap();
                assert_eq!(changes.len(), 1);
            }
            Cause::SigningKeyRevoked => {
                let version = store.read_keys(&issuer()).await.unwrap().version;
                let change = rows(vec![key(KID, Some(NOW)), key(SIGNER, None)]);
                assert!(store.advance_keys(&issuer(), version, &change, &at_once()).await.unwrap());
            }
            Cause::SignerRevoked => {
                let version = store.read_keys(&issuer()).await.unwrap().version;
                let change = rows(vec![key(KID, None), key(SIGNER, Some(NOW))]);
                assert!(store.advance_keys(&issuer(), version, &change, &at_once()).await.unwrap());
            }
            Cause::IdTokenRevoked => {
                let key = self.redemption(0).token;
                store.revoke_id_token(&issuer(), &key, Some(self.jti), after(600), &event(), NOW).await.unwrap();
            }
            Cause::UserDisabled => {
                world.user.disabled_at = Some(NOW);
                world.only(store, 0, why).await;
            }
            Cause::UserRemoved => {
                world.user.removed_at = Some(NOW);
                world.only(store, 0, why).await;
            }
            Cause::ProviderChanged => {
                world.provider.spec = r#"{"provider":"github"}"#.into();
                world.only(store, 1, why).await;
            }
            Cause::ProviderRemoved => {
                world.provider.removed_at = Some(NOW);
                world.only(store, 1, why).await;
            }
            Cause::EntitlementChanged => {
                world.entitlement.spec = r#"{"scopes":[]}"#.into();
                world.only(store, 2, why).await;
            }
            Cause::EntitlementRemoved => {
                world.entitlement.removed_at = Some(NOW);
                world.only(store, 2, why).await;
            }
            Cause::OtherEntitlementRemoved => {
                world.other.removed_at = Some(NOW);
                world.only(store, 3, why).await;
            }
        }
    }

    /// Writes one of the rules.
    async fn only(&self, store: &dyn Store, which: usize, revokes: Option<RevocationReason>) {
        let mut change = RuleChange::default();
        match which {
            0 => change.users.push(Write { row: self.user.clone(), revokes }),
            1 => change.providers.push(Write { row: self.provider.clone(), revokes }),
            2 => change.entitlements.push(Write { row: self.entitlement.clone(), revokes }),
            _ => change.entitlements.push(Write { row: self.other.clone(), revokes }),
        }
        loop {
            let revision = store.rules_revision(&issuer()).await.unwrap();
            if store.change_rules(&issuer(), revision, &change, NOW).await.unwrap() {
                return;
            }
        }
    }
}

pub(super) async fn all(store: &dyn Store) -> Vec<StoredCredential> {
    store.list_credentials(&issuer(), &CredentialFilter::default()).await.unwrap()
}

pub(super) async fn living(store: &dyn Store) -> usize {
    let filter = CredentialFilter { active_at: Some(NOW), ..Default::default() };
    store.list_credentials(&issuer(), &filter).await.unwrap().len()
}

async fn a_token_is_claimed_once_and_what_was_refused_claims_nothing(store: &dyn Store) {
    let world = World::new(store).await;
    let mut refused = world.redemption(1);
    refused.user = Some("nobody".into());
    assert_eq!(store.redeem(&issuer(), &refused).await.unwrap(), Err(RedemptionRefusal::UserDisabled));
    assert!(!store.is_used(&issuer(), &refused.token).await.unwrap());
    assert!(all(store).await.is_empty());
    let good = world.redemption(1);
    store.redeem(&issuer(), &good).await.unwrap().unwrap();
    assert!(store.is_used(&issuer(), &good.token).await.unwrap());
    assert_eq!(store.redeem(&issuer(), &world.redemption(1)).await.unwrap(), Err(RedemptionRefusal::Used));
    // Another issuer's token of the same digest is another token.
    let mut other = world.redemption(1);
    other.token.issuer = "https://other.example".into();
    store.redeem(&issuer(), &other).await.unwrap().unwrap();

    let found = store.find_credential(&issuer(), good.credential.digest).await.unwrap().unwrap();
    assert_eq!((found.id, found.audience.as_str()), (good.credential.id, "https://artefacts.example.com"));
    assert_eq!((found.user.as_deref(), found.owner.as_deref()), (Some("octo"), Some("acme")));
    assert_eq!((found.build, found.entitlement), (Some(world.build.id), Some(world.entitlement.id)));
    assert!(found.is_active(after(1_799)) && !found.is_active(after(1_800)));
    let kept = store.find_id_token(&issuer(), found.id_token).await.unwrap().unwrap();
    assert_eq!((kept.provider.as_str(), kept.claims.as_str()), (PROVIDER, r#"{"sub":"x"}"#));
    assert_eq!(store.list_id_tokens(&issuer(), "octo").await.unwrap().len(), 2);
    assert_eq!(store.list_id_tokens(&issuer(), "other").await.unwrap(), []);
    assert_eq!(store.list_events(&issuer(), NOW, None, 10).await.unwrap().len(), 2);
    let record = store.find_issued(&issuer(), world.jti).await.unwrap().unwrap();
    assert_eq!((record.kid.as_str(), record.build.id, record.client), (KID, world.build.id, world.client));
    let unknown = Jti::new(NOW, &Counter).unwrap();
    assert_eq!(store.find_issued(&issuer(), unknown).await.unwrap(), None);
}

async fn a_token_that_may_be_redeemed_again_is_so_until_it_is_used_up_or_revoked(store: &dyn Store) {
    let world = World::new(store).await;
    let often = |token: u64| Redemption { single_use: false, ..world.redemption(token) };
    for _ in 0..3 {
        store.redeem(&issuer(), &often(1)).await.unwrap().unwrap();
    }
    let tokens: std::collections::BTreeSet<_> = all(store).await.iter().map(|one| one.id_token).collect();
    assert_eq!(tokens.len(), 1, "one token is kept once");
    let mut namesake = often(1);
    namesake.id_token.claims = r#"{"sub":"y"}"#.into();
    store.redeem(&issuer(), &namesake).await.unwrap().unwrap();
    let given = store.find_credential(&issuer(), namesake.credential.digest).await.unwrap().unwrap();
    let kept = store.find_id_token(&issuer(), given.id_token).await.unwrap().unwrap();
    assert_eq!(kept.claims, r#"{"sub":"y"}"#, "another token of the same id is kept for itself");
    assert!(!store.is_used(&issuer(), &often(1).token).await.unwrap());
    store.redeem(&issuer(), &world.redemption(1)).await.unwrap().unwrap();
    assert_eq!(store.redeem(&issuer(), &often(1)).await.unwrap(), Err(RedemptionRefusal::Used));
    store.redeem(&issuer(), &often(2)).await.unwrap().unwrap();
    let key = often(2).token;
    store.revoke_id_token(&issuer(), &key, None, after(600), &event(), NOW).await.unwrap();
    assert_eq!(store.redeem(&issuer(), &often(2)).await.unwrap(), Err(RedemptionRefusal::Used));
    assert_eq!(living(store).await, 5, "what was given for the other token lives");
    let events = async || store.list_events(&issuer(), NOW, None, 100).await.unwrap().len();
    let recorded = events().await;
    store.revoke_id_token(&issuer(), &key, None, after(600), &event(), NOW).await.unwrap();
    assert_eq!(events().await, recorded, "a second revocation records no event");
}

async fn each_change_of_rules_revokes_what_depends_on_it_and_its_reversal_restores_nothing(store: &dyn Store) {
    for cause in Cause::OF_RULES {
        revoke_and_revert(store, cause).await;
    }
}

/// The database gets one world, which later causes reuse.
async fn revoke_and_revert(store: &dyn Store, cause: Cause) {
    let world = match store.read_rules(&issuer(), 0).await.unwrap().users.first() {
        None => World::new(store).await,
        Some(_) => remembered(store).await,
    };
    let redemption = world.redemption(digest_number());
    store.redeem(&issuer(), &redemption).await.unwrap().unwrap();
    let bystander = Redemption {
        user: None,
        provider_revision: None,
        entitlement: None,
        also: vec![],
        provider: "self".into(),
        ..world.redemption(digest_number())
    };
    store.redeem(&issuer(), &bystander).await.unwrap().unwrap();
    world.revoke(store, cause).await;
    let found = store.show_credential(&issuer(), redemption.credential.id).await.unwrap().unwrap();
    assert_eq!(found.revoked, Some((NOW, cause.reason().to_string())), "{cause:?}");
    let other = store.show_credential(&issuer(), bystander.credential.id).await.unwrap().unwrap();
    assert!(other.is_active(NOW), "{cause:?} revokes only credentials that depend on it");
    let late = store.redeem(&issuer(), &world.redemption(digest_number())).await.unwrap();
    assert!(late.is_err(), "{cause:?}");
    // The rules are reverted; the credential must stay revoked.
    world.change(store, None).await;
    let found = store.show_credential(&issuer(), redemption.credential.id).await.unwrap().unwrap();
    assert!(!found.is_active(NOW), "{cause:?}");
    let fresh = remembered(store).await;
    store.redeem(&issuer(), &fresh.redemption(digest_number())).await.unwrap().unwrap();
}

fn digest_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1_000_000);
    NEXT.fetch_add(1, Ordering::SeqCst)
}

/// The two entitlements, in the order of their places.
fn both(mut rows: Vec<EntitlementRow>) -> [EntitlementRow; 2] {
    rows.sort_by_key(|row| row.place);
    rows.try_into().unwrap()
}

/// The world that stands in the database.
async fn remembered(store: &dyn Store) -> World {
    let audit = super::sample::recorded(store).await;
    let found = store.find_issued(&issuer(), audit[0].jti).await.unwrap().unwrap();
    let build = NewBuild { id: found.build.id, ..super::sample::registration(found.build.build.clone()) };
    let rows = store.read_rules(&issuer(), 0).await.unwrap();
    let [entitlement, other] = both(rows.entitlements);
    World {
        client: found.client,
        build,
        user: rows.users[0].clone(),
        provider: rows.providers[0].clone(),
        entitlement,
        other,
        jti: audit[0].jti,
    }
}

async fn what_was_evaluated_by_an_old_rule_is_evaluated_again(store: &dyn Store) {
    let world = World::new(store).await;
    world.change(store, None).await;
    let stale = world.redemption(1);
    assert_eq!(store.redeem(&issuer(), &stale).await.unwrap(), Err(RedemptionRefusal::RulesChanged));
    let fresh = world.read(store).await;
    store.redeem(&issuer(), &fresh.redemption(1)).await.unwrap().unwrap();
}

async fn ids_are_pinned_once_and_only_by_a_redemption_that_commits(store: &dyn Store) {
    let world = World::new(store).await;
    let pins = |owner: &str| Some(Pins { owner_id: Some(owner.into()), repository_id: Some("7".into()) });
    let read = async || store.read_rules(&issuer(), 0).await.unwrap();
    let before = read().await.revision;
    let refused = Redemption { pins: pins("evil"), user: Some("nobody".into()), ..world.redemption(1) };
    assert_eq!(store.redeem(&issuer(), &refused).await.unwrap(), Err(RedemptionRefusal::UserDisabled));
    assert_eq!((read().await.revision, both(read().await.entitlements)[0].pins.clone()), (before, Pins::default()));
    store.redeem(&issuer(), &Redemption { pins: pins("42"), ..world.redemption(1) }).await.unwrap().unwrap();
    let after = read().await;
    let [learner, _] = both(after.entitlements);
    assert_eq!(Some(learner.pins), pins("42"));
    assert!(after.revision > before && learner.revision == after.revision, "every server will read it");
    let second = Redemption { pins: pins("666"), ..world.redemption(2) };
    assert_eq!(store.redeem(&issuer(), &second).await.unwrap(), Err(RedemptionRefusal::RulesChanged));
}

async fn what_outlives_its_build_is_revoked_with_its_client(store: &dyn Store) {
    let world = World::new(store).await;
    let mut outliving = world.redemption(1);
    outliving.credential.outlives_build = true;
    store.redeem(&issuer(), &outliving).await.unwrap().unwrap();
    store.redeem(&issuer(), &world.redemption(2)).await.unwrap().unwrap();
    world.revoke(store, Cause::BuildEnd).await;
    assert_eq!(living(store).await, 1);
    assert_eq!(store.redeem(&issuer(), &world.redemption(3)).await.unwrap(), Err(RedemptionRefusal::BuildFinished));
    world.revoke(store, Cause::ClientDisabled).await;
    assert_eq!(living(store).await, 0);
    assert_eq!(store.redeem(&issuer(), &world.redemption(4)).await.unwrap(), Err(RedemptionRefusal::ClientDisabled));
}

async fn a_used_token_is_deleted_when_its_time_is_over(store: &dyn Store) {
    let world = World::new(store).await;
    let redemption = world.redemption(1);
    store.redeem(&issuer(), &redemption).await.unwrap().unwrap();
    assert_eq!(redemption.kept_until(), after(600), "300 s after its exp, as long as any tolerance");
    assert_eq!(store.delete_used_tokens(&issuer(), after(600)).await.unwrap(), 0);
    assert!(store.is_used(&issuer(), &redemption.token).await.unwrap());
    assert_eq!(store.delete_used_tokens(&issuer(), after(601)).await.unwrap(), 1);
    assert!(!store.is_used(&issuer(), &redemption.token).await.unwrap());
}

async fn rules_are_read_by_what_changed(store: &dyn Store) {
    assert_eq!(store.rules_revision(&issuer()).await.unwrap(), 0);
    let world = World::new(store).await;
    let first = store.read_rules(&issuer(), 0).await.unwrap();
    assert_eq!((first.revision, first.users.len(), first.providers.len(), first.entitlements.len()), (1, 1, 1, 2));
    world.revoke(store, Cause::UserDisabled).await;
    let second = store.read_rules(&issuer(), 1).await.unwrap();
    assert_eq!((second.revision, second.users.len(), second.providers.len(), second.entitlements.len()), (2, 1, 0, 0));
    assert_eq!(second.users[0].disabled_at, Some(NOW));
    let documents = buildpass::store::FetchedDocuments {
        configuration: Some("{}".into()),
        jwks: r#"{"keys":[]}"#.into(),
        refreshed_at: after(5),
    };
    store.keep_documents(&issuer(), (PROVIDER, 2), &documents).await.unwrap();
    assert_eq!(store.read_rules(&issuer(), 0).await.unwrap().providers[0].fetched, None, "it was of another one");
    store.keep_documents(&issuer(), (PROVIDER, 1), &documents).await.unwrap();
    assert_eq!(store.rules_revision(&issuer()).await.unwrap(), 2, "what was fetched is no change");
    assert_eq!(store.read_rules(&issuer(), 0).await.unwrap().providers[0].fetched, Some(documents));
}

async fn current_rules_are_listed_by_section_and_found_by_name_or_id(store: &dyn Store) {
    let world = World::new(store).await;
    for name in [None, Some("octo")] {
        assert_eq!(store.list_users(&issuer(), name).await.unwrap(), std::slice::from_ref(&world.user));
    }
    for name in [None, Some(PROVIDER)] {
        assert_eq!(store.list_providers(&issuer(), name).await.unwrap(), std::slice::from_ref(&world.provider));
    }
    assert_eq!(store.list_users(&issuer(), Some("nobody")).await.unwrap(), []);
    assert_eq!(store.list_providers(&issuer(), Some("nobody")).await.unwrap(), []);
    let all = EntitlementFilter::all(EntitlementKind::TrustPolicy);
    let of = async |filter: EntitlementFilter<'_>| store.list_entitlements(&issuer(), &filter).await.unwrap();
    let (first, second) = (world.entitlement.clone(), world.other.clone());
    assert_eq!(of(all).await, [first.clone(), second.clone()]);
    assert_eq!(of(EntitlementFilter::all(EntitlementKind::Role)).await, []);
    assert_eq!(of(EntitlementFilter { id: Some(second.id), ..all }).await, std::slice::from_ref(&second));
    assert_eq!(of(EntitlementFilter { id: Some(second.id), kind: EntitlementKind::Role, ..all }).await, []);
    assert_eq!(of(EntitlementFilter { name: Some("policy"), ..all }).await, std::slice::from_ref(&first));
    assert_eq!(of(EntitlementFilter { name: Some("policy"), user: Some("octo"), ..all }).await, [first]);
    assert_eq!(of(EntitlementFilter { name: Some("policy"), user: Some("nobody"), ..all }).await, []);

    world.revoke(store, Cause::UserRemoved).await;
    world.revoke(store, Cause::ProviderRemoved).await;
    world.revoke(store, Cause::EntitlementRemoved).await;
    assert_eq!(store.list_users(&issuer(), None).await.unwrap(), []);
    assert_eq!(store.list_providers(&issuer(), Some(PROVIDER)).await.unwrap(), []);
    let names: Vec<_> = of(all).await.into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["the other"], "a deleted entitlement is not listed");
}

async fn a_change_of_rules_that_saw_an_old_number_changes_nothing(store: &dyn Store) {
    let world = World::new(store).await;
    let change = RuleChange {
        users: vec![Write {
            row: UserRow { disabled_at: Some(NOW), ..world.user.clone() },
            revokes: Some(RevocationReason::UserDisabled),
        }],
        ..RuleChange::default()
    };
    assert!(!store.change_rules(&issuer(), 0, &change, NOW).await.unwrap());
    assert_eq!(store.read_rules(&issuer(), 0).await.unwrap().users[0].disabled_at, None);
    assert!(store.change_rules(&issuer(), 1, &change, NOW).await.unwrap());
}
