//! Redemptions: a token is claimed once, each cause revokes the credentials that depend on it, and no later change makes a
//! revoked credential valid again.

use buildpass::base::Jti;
use buildpass::policy::Pins;
use buildpass::store::{Redemption, RedemptionRefusal, RevokedToken, Store};
use std::sync::atomic::{AtomicU64, Ordering};

use super::redeemable::{KID, PROVIDER, World, all, both, event, living, remembered};
use super::revocation_causes::Cause;
use super::sample::{Counter, NOW, after, issuer};

on_every_backend! {
    a_token_is_claimed_once_and_what_was_refused_claims_nothing
    a_token_that_may_be_redeemed_again_is_so_until_it_is_used_up_or_revoked
    each_change_of_rules_revokes_what_depends_on_it_and_its_reversal_restores_nothing
    what_was_evaluated_by_an_old_rule_is_evaluated_again
    ids_are_pinned_once_and_only_by_a_redemption_that_commits
    what_outlives_its_build_is_revoked_with_its_client
    a_used_token_is_deleted_when_its_time_is_over
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
    let revoked = RevokedToken { key: often(2).token, own: None, kept_until: after(600) };
    store.revoke_id_token(&issuer(), &revoked, &event(), NOW).await.unwrap();
    assert_eq!(store.redeem(&issuer(), &often(2)).await.unwrap(), Err(RedemptionRefusal::Used));
    assert_eq!(living(store).await, 5, "what was given for the other token lives");
    let events = async || store.list_events(&issuer(), NOW, None, 100).await.unwrap().len();
    let recorded = events().await;
    store.revoke_id_token(&issuer(), &revoked, &event(), NOW).await.unwrap();
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
