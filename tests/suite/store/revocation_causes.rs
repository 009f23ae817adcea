//! The causes that revoke a credential, each as the act that brings it about. Holds no case.

use buildpass::store::{Finish, RevocationReason, RevokedToken, RuleChange, Store, Write};

use super::redeemable::{KID, SIGNER, World, event, key};
use super::sample::{NOW, after, at_once, issuer, rows};

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
    pub(super) const OF_RULES: [Self; 7] = [
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

impl World {
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
                let revoked = RevokedToken { key, own: Some(self.jti), kept_until: after(600) };
                store.revoke_id_token(&issuer(), &revoked, &event(), NOW).await.unwrap();
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
