//! Clients: created, declared and disabled, and how long their secrets are accepted.

use buildpass::base::ClientId;
use buildpass::policy::{ClientIdentity, Scope};
use buildpass::store::{
    ClientChange, ClientChangeKind, ClientExists, ClientSecret, DeclaredClient, Disabled, Finish, Issuance,
    IssuanceRefusal, NameTaken, NewBuild, Store,
};

use super::sample::{
    NOW, acme, after, bearer, client, digest, found, is_active, issuance, issuer, limited, registration, running,
};

on_every_backend! {
    a_client_is_found_as_it_was_created
    a_clients_name_and_id_are_taken_once
    a_client_without_a_secret_is_known_by_one_identity_that_is_taken_once
    a_scope_is_found_only_among_enabled_clients
    exactly_the_declared_clients_exist_beside_those_created_by_command
    a_former_secret_is_kept_until_its_moment_and_only_the_last_one
    disabling_a_client_ends_its_running_builds_and_no_others
}

async fn a_client_is_found_as_it_was_created(store: &dyn Store) {
    let mut one = limited("zeta", &["acme", "group/*"]);
    one.audiences = vec!["https://*.example.com".parse().unwrap()];
    one.ids = Some("forge".to_owned());
    let two = client("alpha");
    let secret = digest();
    store.create_client(&issuer(), &one, secret).await.unwrap().unwrap();
    store.create_client(&issuer(), &two, digest()).await.unwrap().unwrap();

    let stored = store.find_client(&issuer(), &one.id).await.unwrap().unwrap();
    assert_eq!(stored.client, one);
    assert_eq!(stored.secret, ClientSecret { current: secret, previous: None });
    assert_eq!(store.list_clients(&issuer()).await.unwrap(), [two, one]);
    assert_eq!(store.find_client(&issuer(), &client("x").id).await.unwrap(), None);
}

async fn a_clients_name_and_id_are_taken_once(store: &dyn Store) {
    let one = client("ci");
    store.create_client(&issuer(), &one, digest()).await.unwrap().unwrap();
    let same_name = client("ci");
    let mut same_id = client("other");
    same_id.id = one.id.clone();
    for taken in [same_name, same_id] {
        assert_eq!(store.create_client(&issuer(), &taken, digest()).await.unwrap(), Err(ClientExists));
    }
    assert_eq!(store.list_clients(&issuer()).await.unwrap(), [one]);
}

async fn a_client_without_a_secret_is_known_by_one_identity_that_is_taken_once(store: &dyn Store) {
    let identity =
        |provider: &str, subject: &str| ClientIdentity { provider: provider.to_owned(), subject: subject.to_owned() };
    let known = |name: &str, identity: &ClientIdentity| {
        let mut known = client(name);
        known.identity = Some(identity.clone());
        known
    };
    let vela = identity("k8s", "system:serviceaccount:ci:vela");
    let one = known("vela", &vela);
    store.create_client(&issuer(), &one, digest()).await.unwrap().unwrap();
    assert_eq!(store.create_client(&issuer(), &known("twin", &vela), digest()).await.unwrap(), Err(ClientExists));
    let elsewhere = known("elsewhere", &identity("other", &vela.subject));
    store.create_client(&issuer(), &elsewhere, digest()).await.unwrap().unwrap();
    // Those that have secrets have no identity, however many they are.
    for name in ["a", "b"] {
        store.create_client(&issuer(), &client(name), digest()).await.unwrap().unwrap();
    }
    assert_eq!(store.identify_client(&issuer(), &vela).await.unwrap(), Some(one.clone()));
    assert_eq!(store.find_client(&issuer(), &one.id).await.unwrap().unwrap().client, one);
    for stranger in [identity("k8s", "SYSTEM:serviceaccount:ci:vela"), identity("K8s", &vela.subject)] {
        assert_eq!(store.identify_client(&issuer(), &stranger).await.unwrap(), None);
    }
    assert!(!store.rotate_client_secret(&issuer(), "vela", digest(), NOW, NOW).await.unwrap(), "it gets no secret");
    store.disable_client(&issuer(), "vela", NOW).await.unwrap().unwrap();
    let disabled = store.identify_client(&issuer(), &vela).await.unwrap().unwrap();
    assert_eq!(disabled.disabled_at, Some(NOW));
}

async fn a_scope_is_found_only_among_enabled_clients(store: &dyn Store) {
    let any_admin = async || store.any_client_has(&issuer(), Scope::Admin).await.unwrap();
    let mut other = client("other");
    other.scopes = Scope::ALL.into_iter().filter(|scope| *scope != Scope::Admin).collect();
    store.create_client(&issuer(), &other, digest()).await.unwrap().unwrap();
    assert!(!any_admin().await);
    assert!(store.any_client_has(&issuer(), Scope::BuildsWrite).await.unwrap());
    let mut admin = client("admin");
    admin.scopes = vec![Scope::BuildsWrite, Scope::Admin];
    store.create_client(&issuer(), &admin, digest()).await.unwrap().unwrap();
    assert!(any_admin().await);
    store.disable_client(&issuer(), "admin", NOW).await.unwrap().unwrap();
    assert!(!any_admin().await, "a disabled client may not administer");
}

async fn exactly_the_declared_clients_exist_beside_those_created_by_command(store: &dyn Store) {
    let declared = |name: &str, secrets| DeclaredClient {
        name: name.to_owned(),
        scopes: Scope::CI_SERVER.to_vec(),
        organizations: vec![],
        audiences: vec![],
        ids: None,
        secrets,
    };
    let by_command = client("made");
    store.create_client(&issuer(), &by_command, digest()).await.unwrap().unwrap();
    let apply = async |clients: &[DeclaredClient], dry_run| {
        store.apply_clients(&issuer(), clients, NOW, dry_run).await.unwrap()
    };
    let change = |name: &str, change| ClientChange { name: name.to_owned(), change };
    let (one, two) = (declared("one", (digest(), None)), declared("two", (digest(), Some(digest()))));
    let both = [one.clone(), two.clone()];
    let added = vec![change("one", ClientChangeKind::Added), change("two", ClientChangeKind::Added)];
    assert_eq!(apply(&both, true).await, Ok(added.clone()));
    assert_eq!(
        store.list_clients(&issuer()).await.unwrap(),
        std::slice::from_ref(&by_command),
        "a dry run writes nothing"
    );
    assert_eq!(apply(&both, false).await, Ok(added));
    assert_eq!(apply(&both, false).await, Ok(vec![]), "twice is once");
    let stored = store.find_client(&issuer(), &ClientId::from_text("two")).await.unwrap().unwrap();
    assert_eq!(Some(stored.secret.current), Some(two.secrets.0));
    assert_eq!(stored.secret.previous.map(|(secret, _)| secret), two.secrets.1);
    assert!(!store.rotate_client_secret(&issuer(), "two", digest(), NOW, NOW).await.unwrap());
    assert_eq!(store.disable_client(&issuer(), "two", NOW).await.unwrap(), None);

    let new = registration(acme(30));
    store.register_build(&issuer(), &stored.client, &new).await.unwrap().unwrap();
    bearer(store, new.tokens[1].digest).await;
    let narrowed = DeclaredClient { audiences: vec!["only.example.com".parse().unwrap()], ..two.clone() };
    let changed = apply(&[one.clone(), narrowed], false).await;
    assert_eq!(changed, Ok(vec![change("two", ClientChangeKind::Changed)]));
    assert_eq!(store.cached_bearer(&issuer(), new.tokens[1].digest), None);
    let decided_before = Issuance { client_revision: 0, ..issuance(&stored.client, &new) };
    assert_eq!(store.record(&issuer(), decided_before).await.unwrap(), Err(IssuanceRefusal::NotActive));
    let decided_now = Issuance { client_revision: 1, ..issuance(&stored.client, &new) };
    assert_eq!(store.record(&issuer(), decided_now).await.unwrap(), Ok(()));

    assert_eq!(apply(std::slice::from_ref(&one), false).await, Ok(vec![change("two", ClientChangeKind::Disabled)]));
    assert!(found(store, new.id).await.finished.is_some(), "its builds ended");
    assert_eq!(apply(&[declared("made", (digest(), None))], false).await, Err(NameTaken("made".to_owned())));
    assert_eq!(apply(&both, false).await, Ok(vec![change("two", ClientChangeKind::Changed)]), "declared again");
    let names: Vec<_> = store.list_clients(&issuer()).await.unwrap().into_iter().map(|client| client.name).collect();
    assert_eq!(names, ["made", "one", "two"]);
}

async fn a_former_secret_is_kept_until_its_moment_and_only_the_last_one(store: &dyn Store) {
    let client = client("ci");
    let secrets = [digest(), digest(), digest(), digest()];
    store.create_client(&issuer(), &client, secrets[0]).await.unwrap().unwrap();
    let mut seen = Vec::new();
    for (secret, until) in [(secrets[1], after(60)), (secrets[2], after(90)), (secrets[3], NOW)] {
        assert!(store.rotate_client_secret(&issuer(), "ci", secret, until, NOW).await.unwrap());
        seen.push(store.find_client(&issuer(), &client.id).await.unwrap().unwrap().secret);
    }
    assert_eq!(
        seen,
        [
            ClientSecret { current: secrets[1], previous: Some((secrets[0], after(60))) },
            ClientSecret { current: secrets[2], previous: Some((secrets[1], after(90))) },
            ClientSecret { current: secrets[3], previous: None },
        ]
    );
    assert!(!store.rotate_client_secret(&issuer(), "other", digest(), NOW, NOW).await.unwrap());
    store.disable_client(&issuer(), "ci", NOW).await.unwrap();
    assert!(!store.rotate_client_secret(&issuer(), "ci", digest(), NOW, NOW).await.unwrap());
}

async fn disabling_a_client_ends_its_running_builds_and_no_others(store: &dyn Store) {
    let (one, running) = running(store).await;
    let finished = registration(acme(18));
    store.register_build(&issuer(), &one, &finished).await.unwrap().unwrap();
    store.finish_build(&issuer(), finished.id, &one.id, Finish::Failure, NOW).await.unwrap();
    let expired = NewBuild { deadline: after(5), ..registration(acme(19)) };
    store.register_build(&issuer(), &one, &expired).await.unwrap().unwrap();
    let other = client("other");
    store.create_client(&issuer(), &other, digest()).await.unwrap().unwrap();
    let theirs = registration(acme(20));
    store.register_build(&issuer(), &other, &theirs).await.unwrap().unwrap();

    let disabled = store.disable_client(&issuer(), "ci", after(10)).await.unwrap();
    assert_eq!(disabled, Some(Disabled { builds_ended: 1 }));
    assert_eq!(found(store, running.id).await.finished, Some((after(10), Finish::Canceled)));
    assert_eq!(found(store, finished.id).await.finished, Some((NOW, Finish::Failure)));
    assert_eq!(found(store, expired.id).await.finished, None);
    assert_eq!(found(store, theirs.id).await.finished, None);
    assert!(!is_active(store, running.tokens[1].digest).await);
    assert!(is_active(store, theirs.tokens[1].digest).await);

    let again = store.disable_client(&issuer(), "ci", after(20)).await.unwrap();
    assert_eq!(again, Some(Disabled { builds_ended: 0 }));
    let stored = store.find_client(&issuer(), &one.id).await.unwrap().unwrap();
    assert_eq!(stored.client.disabled_at, Some(after(10)));
    assert_eq!(store.disable_client(&issuer(), "nobody", NOW).await.unwrap(), None);
}
