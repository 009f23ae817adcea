//! What keys pushed, and what operators read of it.

use buildpass::base::{ClientId, CredentialId, EventId, Moment};
use buildpass::store::{Ecosystem, EventRow, Publication, PublicationRefusal, Store};

use super::redeemable::{World, event};
use super::revocation_causes::Cause;
use super::sample::{NOW, after, issuer};

on_every_backend! {
    a_version_is_recorded_once_in_each_registry
    a_revoked_key_records_nothing
    a_package_is_found_by_its_ecosystems_own_rule_of_case
    events_are_read_from_a_moment_on_and_a_page_at_a_time
}

pub(super) fn version(credential: CredentialId, package: &str, version: &str) -> Publication {
    Publication {
        audience: "https://artefacts.example.com".into(),
        ecosystem: Ecosystem::Rubygems,
        package: package.into(),
        version: version.into(),
        digest: format!("sha256:{}", "0".repeat(64)),
        credential,
        client: ClientId::from_text("registry"),
        published_at: NOW,
    }
}

async fn key(store: &dyn Store, world: &World) -> CredentialId {
    let redemption = world.redemption(1);
    store.redeem(&issuer(), &redemption).await.unwrap().unwrap();
    redemption.credential.id
}

async fn record(store: &dyn Store, publication: &Publication) -> Result<(), PublicationRefusal> {
    store.record_publication(&issuer(), publication, &event()).await.unwrap()
}

async fn a_version_is_recorded_once_in_each_registry(store: &dyn Store) {
    let key = key(store, &World::new(store).await).await;
    let first = version(key, "app", "1.0");
    assert_eq!(record(store, &first).await, Ok(()));
    assert_eq!(record(store, &first).await, Err(PublicationRefusal::Exists));
    let other_bytes = Publication { digest: format!("sha256:{}", "1".repeat(64)), ..first.clone() };
    assert_eq!(record(store, &other_bytes).await, Err(PublicationRefusal::Exists));
    let elsewhere = Publication { audience: "https://other.example.com".into(), ..first.clone() };
    assert_eq!(record(store, &elsewhere).await, Ok(()));
    assert_eq!(record(store, &version(key, "app", "1.1")).await, Ok(()));
    let found = store.find_publications(&issuer(), "app", "1.0", None).await.unwrap();
    assert_eq!(found, [first, elsewhere]);
    let events = store.list_events(&issuer(), NOW, None, 100).await.unwrap();
    assert_eq!(events.len(), 1 + 3, "the key's event and one for each version: what was refused has none");
}

async fn a_revoked_key_records_nothing(store: &dyn Store) {
    let world = World::new(store).await;
    let key = key(store, &world).await;
    let late = Publication { published_at: after(1_800), ..version(key, "app", "1.0") };
    assert_eq!(record(store, &late).await, Err(PublicationRefusal::KeyNotActive));
    world.revoke(store, Cause::BuildEnd).await;
    assert_eq!(record(store, &version(key, "app", "1.0")).await, Err(PublicationRefusal::KeyNotActive));
    assert_eq!(store.find_publications(&issuer(), "app", "1.0", None).await.unwrap(), []);
}

async fn a_package_is_found_by_its_ecosystems_own_rule_of_case(store: &dyn Store) {
    let key = key(store, &World::new(store).await).await;
    let gem = version(key, "App", "1.0");
    let nuget = Publication { ecosystem: Ecosystem::Nuget, ..gem.clone() };
    for publication in [&gem, &nuget] {
        assert_eq!(record(store, publication).await, Ok(()));
    }
    let again = Publication { package: "aPP".into(), ..nuget.clone() };
    assert_eq!(record(store, &again).await, Err(PublicationRefusal::Exists));
    let found = async |package: &'static str, ecosystem| {
        store.find_publications(&issuer(), package, "1.0", ecosystem).await.unwrap()
    };
    assert_eq!(found("App", None).await, [nuget.clone(), gem.clone()]);
    assert_eq!(found("app", None).await, std::slice::from_ref(&nuget));
    assert_eq!(found("App", Some(Ecosystem::Rubygems)).await, [gem]);
    assert_eq!(found("APP", Some(Ecosystem::Rubygems)).await, []);
}

async fn events_are_read_from_a_moment_on_and_a_page_at_a_time(store: &dyn Store) {
    let at = |moment: Moment, number: u32| EventRow {
        id: EventId::new(moment, &super::sample::Counter).unwrap(),
        at: moment,
        detail: format!("{{\"number\":{number}}}"),
        ..event()
    };
    let all: Vec<EventRow> = (0..5).map(|number| at(after(number), number as u32)).collect();
    for one in &all {
        store.record_event(&issuer(), one).await.unwrap();
    }
    let mut read = Vec::new();
    loop {
        let last = read.last().map(|row: &EventRow| row.id);
        let page = store.list_events(&issuer(), after(1), last, 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        read.extend(page);
    }
    assert_eq!(read, all[1..]);
}
