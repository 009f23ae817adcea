//! Names and ids are bound to each other: what every store must do.

use buildpass::claims::Build;
use buildpass::policy::Client;
use buildpass::store::{BoundName, BuildRegistration, NameKind, RegistrationRefusal, Rename, Store};

use super::sample::{NOW, build, client, digest, issuer, limited, registration};

on_every_backend! {
    names_are_bound_at_first_sight_and_compared_without_case
    a_known_name_with_another_id_is_refused
    a_known_name_without_the_id_it_had_is_refused
    a_name_seen_without_an_id_takes_the_first_that_comes
    a_taken_id_that_belongs_to_another_name_is_a_rename_too
    a_client_that_may_act_for_the_old_name_may_rename
    a_client_that_may_not_act_for_every_old_name_may_not_rename
    coming_back_to_a_former_name_is_a_rename_like_any_other
    a_refused_registration_binds_nothing
    a_released_name_can_be_bound_anew
}

async fn add(store: &dyn Store, client: Client) -> Client {
    store.create_client(&issuer(), &client, digest()).await.unwrap().unwrap();
    client
}

type Answer = Result<BuildRegistration, RegistrationRefusal>;

/// Registers a build with a key of its own.
async fn register(store: &dyn Store, client: &Client, build: Build) -> Answer {
    let mut new = registration(build);
    new.key = new.id.to_string();
    store.register_build(&issuer(), client, &new).await.unwrap()
}

fn plain() -> Answer {
    Ok(BuildRegistration::New { renames: vec![], ids_taken: vec![] })
}

fn renamed(renames: &[(NameKind, &str, &str, &str)]) -> Answer {
    let renames = renames.iter().map(|(kind, id, from, to)| Rename {
        kind: *kind,
        id: (*id).to_owned(),
        from: (*from).to_owned(),
        to: (*to).to_owned(),
    });
    Ok(BuildRegistration::New { renames: renames.collect(), ids_taken: vec![] })
}

fn name_bound(kind: NameKind, name: &str) -> Answer {
    Err(RegistrationRefusal::NameBound { kind, name: name.to_owned() })
}

async fn bound(store: &dyn Store) -> Vec<(NameKind, String, Option<String>, bool)> {
    let names = store.list_names(&issuer()).await.unwrap();
    names.into_iter().map(|name| (name.kind, name.name, name.id, name.current)).collect()
}

fn row(kind: NameKind, name: &str, id: Option<&str>, current: bool) -> (NameKind, String, Option<String>, bool) {
    (kind, name.to_owned(), id.map(str::to_owned), current)
}

async fn names_are_bound_at_first_sight_and_compared_without_case(store: &dyn Store) {
    let ci = add(store, client("ci")).await;
    assert_eq!(register(store, &ci, build(("Straße", Some("1")), ("App", Some("9")), 1)).await, plain());
    assert_eq!(register(store, &ci, build(("STRASSE", Some("1")), ("aPP", Some("9")), 2)).await, plain());
    assert_eq!(
        store.list_names(&issuer()).await.unwrap(),
        [
            BoundName {
                kind: NameKind::Org,
                name: "Straße".to_owned(),
                id: Some("1".to_owned()),
                bound_at: NOW,
                current: true
            },
            BoundName {
                kind: NameKind::Repo,
                name: "Straße/App".to_owned(),
                id: Some("9".to_owned()),
                bound_at: NOW,
                current: true
            },
        ]
    );
}

async fn a_known_name_with_another_id_is_refused(store: &dyn Store) {
    let ci = add(store, client("ci")).await;
    register(store, &ci, build(("acme", Some("42")), ("app", Some("1001")), 1)).await.unwrap();
    let squatter = build(("ACME", Some("43")), ("app", Some("1001")), 2);
    assert_eq!(register(store, &ci, squatter).await, name_bound(NameKind::Org, "ACME"));
    let squatter = build(("acme", Some("42")), ("App", Some("1002")), 2);
    assert_eq!(register(store, &ci, squatter).await, name_bound(NameKind::Repo, "acme/App"));
}

async fn a_known_name_without_the_id_it_had_is_refused(store: &dyn Store) {
    let ci = add(store, client("ci")).await;
    register(store, &ci, build(("acme", Some("42")), ("app", Some("1001")), 1)).await.unwrap();
    let without = build(("acme", None), ("app", Some("1001")), 2);
    assert_eq!(register(store, &ci, without).await, name_bound(NameKind::Org, "acme"));
    let without = build(("acme", Some("42")), ("app", None), 2);
    assert_eq!(register(store, &ci, without).await, name_bound(NameKind::Repo, "acme/app"));
}

async fn a_name_seen_without_an_id_takes_the_first_that_comes(store: &dyn Store) {
    let ci = add(store, client("ci")).await;
    assert_eq!(register(store, &ci, build(("acme", None), ("app", None), 1)).await, plain());
    assert_eq!(register(store, &ci, build(("acme", None), ("app", None), 2)).await, plain());
    let taken = vec![(NameKind::Org, "acme".to_owned()), (NameKind::Repo, "acme/app".to_owned())];
    let with = register(store, &ci, build(("acme", Some("42")), ("app", Some("1001")), 3)).await;
    assert_eq!(with, Ok(BuildRegistration::New { renames: vec![], ids_taken: taken }));
    let without = build(("acme", None), ("app", Some("1001")), 4);
    assert_eq!(register(store, &ci, without).await, name_bound(NameKind::Org, "acme"));
}

async fn a_taken_id_that_belongs_to_another_name_is_a_rename_too(store: &dyn Store) {
    let ci = add(store, client("ci")).await;
    let theirs = add(store, limited("theirs", &["free"])).await;
    register(store, &ci, build(("acme", Some("42")), ("app", Some("1001")), 1)).await.unwrap();
    register(store, &ci, build(("free", None), ("lib", Some("1002")), 2)).await.unwrap();
    let claimed = || build(("free", Some("42")), ("lib", Some("1002")), 3);
    let refused = register(store, &theirs, claimed()).await;
    assert_eq!(refused, Err(RegistrationRefusal::IdBound { kind: NameKind::Org }));

    let Ok(BuildRegistration::New { renames, ids_taken }) = register(store, &ci, claimed()).await else { panic!() };
    assert_eq!(ids_taken, [(NameKind::Org, "free".to_owned())]);
    assert_eq!((renames[0].from.as_str(), renames[0].to.as_str()), ("acme", "free"));
}

async fn a_client_that_may_act_for_the_old_name_may_rename(store: &dyn Store) {
    let ci = add(store, limited("ci", &["acme", "acme-corp"])).await;
    register(store, &ci, build(("acme", Some("42")), ("app", Some("1001")), 1)).await.unwrap();
    let moved = register(store, &ci, build(("acme-corp", Some("42")), ("app", Some("1001")), 2)).await;
    let expected =
        renamed(&[(NameKind::Org, "42", "acme", "acme-corp"), (NameKind::Repo, "1001", "acme/app", "acme-corp/app")]);
    assert_eq!(moved, expected);
    assert_eq!(
        bound(store).await,
        [
            row(NameKind::Org, "acme", Some("42"), false),
            row(NameKind::Org, "acme-corp", Some("42"), true),
            row(NameKind::Repo, "acme-corp/app", Some("1001"), true),
            row(NameKind::Repo, "acme/app", Some("1001"), false),
        ]
    );
    assert_eq!(register(store, &ci, build(("acme-corp", Some("42")), ("app", Some("1001")), 3)).await, plain());
    // The old name stays taken: nobody else's id slips under it.
    let squatter = build(("acme", Some("66")), ("app", Some("6666")), 4);
    assert_eq!(register(store, &ci, squatter).await, name_bound(NameKind::Org, "acme"));
}

async fn a_client_that_may_not_act_for_every_old_name_may_not_rename(store: &dyn Store) {
    let all = add(store, client("all")).await;
    register(store, &all, build(("one", Some("42")), ("app", Some("1001")), 1)).await.unwrap();
    register(store, &all, build(("two", Some("42")), ("app", Some("1001")), 2)).await.unwrap();

    let some = add(store, limited("some", &["two", "three"])).await;
    let moved = register(store, &some, build(("three", Some("42")), ("app", Some("1001")), 3)).await;
    assert_eq!(moved, Err(RegistrationRefusal::IdBound { kind: NameKind::Org }));
    let stolen = register(store, &some, build(("three", Some("43")), ("app", Some("1001")), 4)).await;
    assert_eq!(stolen, Err(RegistrationRefusal::IdBound { kind: NameKind::Repo }));
    let every = add(store, limited("every", &["one", "two", "three"])).await;
    let moved = register(store, &every, build(("three", Some("42")), ("app", Some("1001")), 5)).await;
    let expected = renamed(&[(NameKind::Org, "42", "two", "three"), (NameKind::Repo, "1001", "two/app", "three/app")]);
    assert_eq!(moved, expected);
}

async fn coming_back_to_a_former_name_is_a_rename_like_any_other(store: &dyn Store) {
    let all = add(store, client("all")).await;
    let old = || build(("old", Some("42")), ("app", Some("1001")), 1);
    let new = || build(("new", Some("42")), ("app", Some("1001")), 2);
    register(store, &all, old()).await.unwrap();
    register(store, &all, new()).await.unwrap();

    let owner_of_the_old = add(store, limited("old", &["old"])).await;
    let back = register(store, &owner_of_the_old, old()).await;
    assert_eq!(back, Err(RegistrationRefusal::IdBound { kind: NameKind::Org }));
    let back = register(store, &all, old()).await;
    assert_eq!(back, renamed(&[(NameKind::Org, "42", "new", "old"), (NameKind::Repo, "1001", "new/app", "old/app")]));
    assert_eq!(register(store, &all, old()).await, plain());
    let current: Vec<_> = bound(store).await.into_iter().filter(|name| name.3).map(|name| name.1).collect();
    assert_eq!(current, ["old", "old/app"]);
}

async fn a_refused_registration_binds_nothing(store: &dyn Store) {
    let ci = add(store, client("ci")).await;
    register(store, &ci, build(("acme", Some("42")), ("app", Some("1001")), 1)).await.unwrap();
    let before = bound(store).await;
    let mut refused = registration(build(("fresh", Some("50")), ("app", Some("1001")), 2));
    let limited = add(store, limited("limited", &["fresh"])).await;
    refused.key = "k".to_owned();
    let answer = store.register_build(&issuer(), &limited, &refused).await.unwrap();
    assert_eq!(answer, Err(RegistrationRefusal::IdBound { kind: NameKind::Repo }));
    assert_eq!(bound(store).await, before);
    assert_eq!(store.find_build(&issuer(), refused.id).await.unwrap(), None);
    assert_eq!(store.find_bearer(&issuer(), refused.tokens[0].digest).await.unwrap(), None);
}

async fn a_released_name_can_be_bound_anew(store: &dyn Store) {
    let ci = add(store, client("ci")).await;
    register(store, &ci, build(("acme", Some("42")), ("app", Some("1001")), 1)).await.unwrap();
    assert!(!store.release_name(&issuer(), NameKind::Repo, "acme").await.unwrap());
    assert!(store.release_name(&issuer(), NameKind::Org, "ACME").await.unwrap());
    assert!(!store.release_name(&issuer(), NameKind::Org, "acme").await.unwrap());
    assert!(store.release_name(&issuer(), NameKind::Repo, "acme/APP").await.unwrap());
    assert_eq!(bound(store).await, []);
    assert_eq!(register(store, &ci, build(("acme", Some("7")), ("app", Some("8")), 2)).await, plain());
}
