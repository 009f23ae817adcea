//! A token with everything that a redemption of it depends on. Holds no case.

use buildpass::base::{CredentialId, EntitlementId, EventId, IdTokenId, Jti, Moment, Sha256};
use buildpass::policy::{Client, Pins};
use buildpass::store::{
    CredentialFilter, CredentialKind, EntitlementKind, EntitlementRow, EventRow, KeyRow, KeyTimes, NewBuild,
    NewCredential, NewIdToken, OwnToken, ProviderRow, Redemption, RevocationReason, RuleChange, Store,
    StoredCredential, TokenKey, UserRow, Write,
};

use super::sample::{Counter, NOW, after, at_once, digest, issuance, issuer, rows, running, running_of_declared};

/// Everything that a credential for a token of the own issuer can depend on.
#[derive(Clone)]
pub(super) struct World {
    pub(super) client: Client,
    pub(super) build: NewBuild,
    pub(super) user: UserRow,
    pub(super) provider: ProviderRow,
    pub(super) entitlement: EntitlementRow,
    /// Second entitlement that the credential depends on.
    pub(super) other: EntitlementRow,
    pub(super) jti: Jti,
}

pub(super) const KID: &str = "signing-key";

/// Key that signs the issued access tokens.
pub(super) const SIGNER: &str = "signer";

/// Provider used instead of the own issuer, so that each cause can revoke a credential.
pub(super) const PROVIDER: &str = "partner";

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

pub(super) fn key(kid: &str, revoked_at: Option<Moment>) -> KeyRow {
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
    pub(super) async fn change(&self, store: &dyn Store, revokes: Option<RevocationReason>) {
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

    pub(super) async fn read(mut self, store: &dyn Store) -> Self {
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
}

pub(super) async fn all(store: &dyn Store) -> Vec<StoredCredential> {
    store.list_credentials(&issuer(), &CredentialFilter::default()).await.unwrap()
}

pub(super) async fn living(store: &dyn Store) -> usize {
    let filter = CredentialFilter { active_at: Some(NOW), ..Default::default() };
    store.list_credentials(&issuer(), &filter).await.unwrap().len()
}

/// The two entitlements, in the order of their places.
pub(super) fn both(mut rows: Vec<EntitlementRow>) -> [EntitlementRow; 2] {
    rows.sort_by_key(|row| row.place);
    rows.try_into().unwrap()
}

/// The world that stands in the database.
pub(super) async fn remembered(store: &dyn Store) -> World {
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
