//! Each cause of a revocation, raced against redemptions in two stores on one database.

use std::sync::Arc;

use buildpass::store::{Redemption, RedemptionRefusal};
use futures_util::future::join_all;

use super::races::Pair;
use super::redeemable::{World, all, living};
use super::revocation_causes::Cause;
use super::sample::issuer;

mod raced {
    use super::{Cause, of_sixty_four_racers_one_gets_the_token, redemptions_raced_by};

    macro_rules! raced {
        ($($case:ident: $cause:expr)*) => {
            on_every_backend! { pair: of_sixty_four_racers_at_one_token_one_wins $($case)* }
            $(
                async fn $case(pair: &super::Pair) {
                    redemptions_raced_by(pair, $cause).await;
                }
            )*
        };
    }

    async fn of_sixty_four_racers_at_one_token_one_wins(pair: &super::Pair) {
        of_sixty_four_racers_one_gets_the_token(pair).await;
    }

    raced! {
        the_end_of_the_build_leaves_no_living_credential: Cause::BuildEnd
        a_disabled_client_leaves_no_living_credential: Cause::ClientDisabled
        a_client_that_is_declared_no_more_leaves_no_living_credential: Cause::ClientUndeclared
        a_disabled_user_leaves_no_living_credential: Cause::UserDisabled
        a_removed_user_leaves_no_living_credential: Cause::UserRemoved
        a_changed_provider_leaves_no_living_credential: Cause::ProviderChanged
        a_removed_provider_leaves_no_living_credential: Cause::ProviderRemoved
        a_changed_entitlement_leaves_no_living_credential: Cause::EntitlementChanged
        a_removed_entitlement_leaves_no_living_credential: Cause::EntitlementRemoved
        a_revoked_id_token_leaves_no_living_credential: Cause::IdTokenRevoked
        a_revoked_signing_key_leaves_no_living_credential: Cause::SigningKeyRevoked
        another_removed_entitlement_leaves_no_living_credential: Cause::OtherEntitlementRemoved
        a_revoked_key_leaves_nothing_living_that_it_signed: Cause::SignerRevoked
    }
}

async fn of_sixty_four_racers_one_gets_the_token(pair: &Pair) {
    let world = World::new(pair.stores[0].as_ref()).await;
    let racers = (0..64).map(|racer| {
        let (store, redemption) = (Arc::clone(&pair.stores[racer % 2]), world.redemption(1));
        tokio::spawn(async move { store.redeem(&issuer(), &redemption).await.unwrap() })
    });
    let mut won = 0;
    for answer in join_all(racers.collect::<Vec<_>>()).await {
        match answer.unwrap() {
            Ok(()) => won += 1,
            Err(refused) => assert_eq!(refused, RedemptionRefusal::Used),
        }
    }
    assert_eq!((won, living(pair.stores[0].as_ref()).await), (1, 1));
}

/// Both stores redeem tokens while one of them revokes: after that no credential is active.
async fn redemptions_raced_by(pair: &Pair, cause: Cause) {
    let store = pair.stores[0].as_ref();
    let world = if cause == Cause::ClientUndeclared { World::declared(store).await } else { World::new(store).await };
    // A token revocation concerns one token, so that case redeems the same token again and again.
    let again = cause == Cause::IdTokenRevoked;
    let (started, mut ready) = tokio::sync::mpsc::channel(1);
    let racers = (0..8_u64).map(|racer| {
        let (store, world) = (Arc::clone(&pair.stores[usize::try_from(racer).unwrap() % 2]), world.clone());
        let started = started.clone();
        tokio::spawn(async move {
            for turn in 0.. {
                let token = if again { 0 } else { racer * 1_000_000 + turn };
                let redemption = Redemption { single_use: !again, ..world.redemption(token) };
                if store.redeem(&issuer(), &redemption).await.unwrap().is_err() {
                    return;
                }
                let _full = started.try_send(());
            }
        })
    });
    let racers: Vec<_> = racers.collect();
    ready.recv().await.unwrap();
    world.revoke(pair.stores[1].as_ref(), cause).await;
    assert_eq!(living(pair.stores[0].as_ref()).await, 0, "no credential escapes {cause:?}");
    for racer in racers {
        racer.await.unwrap();
    }
    assert_eq!(living(pair.stores[0].as_ref()).await, 0, "nor comes after it");
    let revoked = all(pair.stores[0].as_ref()).await;
    assert!(!revoked.is_empty());
    for credential in revoked {
        assert_eq!(credential.revoked.unwrap().1, cause.reason().to_string(), "{cause:?}");
    }
}
