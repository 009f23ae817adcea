//! Rules of the exchange: read by what changed, listed by section, and never changed by who saw an old revision.

use buildpass::store::{EntitlementFilter, EntitlementKind, RevocationReason, RuleChange, Store, UserRow, Write};

use super::redeemable::{PROVIDER, World};
use super::revocation_causes::Cause;
use super::sample::{NOW, after, issuer};

on_every_backend! {
    rules_are_read_by_what_changed
    current_rules_are_listed_by_section_and_found_by_name_or_id
    a_change_of_rules_that_saw_an_old_number_changes_nothing
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
