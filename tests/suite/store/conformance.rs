//! Clients, builds, request tokens and keys: what every store must do.

use buildpass::base::{BuildId, ClientId, Seconds, Sha256};
use buildpass::jose::Algorithm;
use buildpass::policy::ClientIdentity;
use buildpass::policy::Scope;
use buildpass::store::{
    AdoptedRow, BuildRegistration, ClientChange, ClientChangeKind, ClientExists, ClientSecret, DeclaredClient,
    Disabled, Finish, Issuance, IssuanceRefusal, KeyChange, KeyRow, KeyRows, KeyTimes, NameTaken, NewBuild,
    REPEAT_WITHIN, RegistrationRefusal, SealedText, ServerSettings, Still, Store, StoreError, StoredBuild, TimeNote,
    TokenBearer, TokenKind, TokenNotCreated,
};

use super::sample::{
    NOW, acme, after, at_once, build, client, digest, issuance, issuer, limited, registration, rows, running, token,
    token_id,
};

on_every_backend! {
    a_client_is_found_as_it_was_created
    a_clients_name_and_id_are_taken_once
    a_client_without_a_secret_is_known_by_one_identity_that_is_taken_once
    a_scope_is_found_only_among_enabled_clients
    exactly_the_declared_clients_exist_beside_those_created_by_command
    a_former_secret_is_kept_until_its_moment_and_only_the_last_one
    disabling_a_client_ends_its_running_builds_and_no_others
    a_build_is_found_as_it_was_registered
    a_client_that_was_disabled_meanwhile_registers_nothing
    a_key_is_a_clients_own_and_is_taken_once
    a_registration_asked_for_again_gets_fresh_tokens_and_its_steps_keep_theirs
    a_registration_is_repeated_only_soon_and_alike_and_while_it_runs
    a_build_is_finished_once_and_by_its_own_client
    a_build_past_its_deadline_can_not_be_finished
    a_bearer_is_found_as_it_was_stored
    a_token_expires_no_later_than_its_build
    no_token_is_made_for_a_build_that_does_not_run
    only_a_steps_token_can_be_revoked
    a_bearer_is_cached_until_something_revokes_it
    keys_are_written_only_at_the_version_that_was_read
    keys_that_were_decided_too_long_ago_are_not_written
    settings_are_renewed_by_their_server_and_by_no_other
    the_largest_time_seen_never_shrinks_but_by_an_operator
    a_closed_store_says_so
}

pub(super) async fn bearer(store: &dyn Store, digest: Sha256) -> TokenBearer {
    store.find_bearer(&issuer(), digest).await.unwrap().unwrap()
}

async fn is_active(store: &dyn Store, digest: Sha256) -> bool {
    bearer(store, digest).await.is_active(after(1))
}

async fn found(store: &dyn Store, id: BuildId) -> StoredBuild {
    store.find_build(&issuer(), id).await.unwrap().unwrap()
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

async fn a_build_is_found_as_it_was_registered(store: &dyn Store) {
    let (client, new) = running(store).await;
    let expected = StoredBuild {
        id: new.id,
        client: client.id.clone(),
        build: new.build.clone(),
        audiences: new.audiences.clone(),
        registered_at: NOW,
        deadline: after(3_600),
        finished: None,
        tokens_issued: 0,
    };
    assert_eq!(found(store, new.id).await, expected);
    assert_eq!(store.find_build(&issuer(), registration(acme(1)).id).await.unwrap(), None);

    let none = NewBuild { audiences: None, ..registration(acme(u64::MAX)) };
    store.register_build(&issuer(), &client, &none).await.unwrap().unwrap();
    let stored = found(store, none.id).await;
    assert_eq!((stored.audiences, stored.build.number), (None, u64::MAX));
    let empty = NewBuild { audiences: Some(vec![]), ..registration(acme(2)) };
    store.register_build(&issuer(), &client, &empty).await.unwrap().unwrap();
    assert_eq!(found(store, empty.id).await.audiences, Some(vec![]));
}

async fn a_client_that_was_disabled_meanwhile_registers_nothing(store: &dyn Store) {
    let (client, _) = running(store).await;
    store.disable_client(&issuer(), "ci", NOW).await.unwrap();
    let new = registration(acme(18));
    let refused = store.register_build(&issuer(), &client, &new).await.unwrap();
    assert_eq!(refused, Err(RegistrationRefusal::ClientDisabled));
    assert_eq!(store.find_build(&issuer(), new.id).await.unwrap(), None);
}

async fn a_key_is_a_clients_own_and_is_taken_once(store: &dyn Store) {
    let (one, new) = running(store).await;
    let again = NewBuild { body: digest(), ..registration(acme(17)) };
    let exists = Err(RegistrationRefusal::BuildExists(new.id));
    assert_eq!(store.register_build(&issuer(), &one, &again).await.unwrap(), exists);
    store.finish_build(&issuer(), new.id, &one.id, Finish::Success, NOW).await.unwrap();
    assert_eq!(store.register_build(&issuer(), &one, &again).await.unwrap(), exists);
    assert_eq!(store.find_bearer(&issuer(), again.tokens[0].digest).await.unwrap(), None);

    let other = client("other");
    store.create_client(&issuer(), &other, digest()).await.unwrap().unwrap();
    assert!(store.register_build(&issuer(), &other, &again).await.unwrap().is_ok());
}

async fn a_registration_asked_for_again_gets_fresh_tokens_and_its_steps_keep_theirs(store: &dyn Store) {
    let (client, first) = running(store).await;
    let step = token(TokenKind::Step);
    store.create_request_token(&issuer(), first.id, &step, None, NOW).await.unwrap().unwrap();
    let now = NOW + REPEAT_WITHIN;
    let again = NewBuild { registered_at: now, deadline: now + Seconds::new(3_600), ..registration(acme(17)) };
    let registered = store.register_build(&issuer(), &client, &again).await.unwrap().unwrap();

    assert_eq!(registered, BuildRegistration::Repeated(Box::new(found(store, first.id).await)));
    assert_eq!(store.find_build(&issuer(), again.id).await.unwrap(), None);
    for revoked in &first.tokens {
        assert_eq!(bearer(store, revoked.digest).await.token.ended_at, Some(now));
    }
    assert!(is_active(store, step.digest).await);
    for fresh in &again.tokens {
        let bearer = bearer(store, fresh.digest).await;
        assert_eq!((bearer.build.id, bearer.token.expires_at), (first.id, after(3_600)));
        assert!(bearer.is_active(now));
    }
}

async fn a_registration_is_repeated_only_soon_and_alike_and_while_it_runs(store: &dyn Store) {
    let (client, first) = running(store).await;
    let exists = Err(RegistrationRefusal::BuildExists(first.id));
    let late = NewBuild { registered_at: NOW + REPEAT_WITHIN + Seconds::new(1), ..registration(acme(17)) };
    let unlike = NewBuild { body: digest(), ..registration(acme(17)) };
    for new in [late, unlike] {
        assert_eq!(store.register_build(&issuer(), &client, &new).await.unwrap(), exists);
    }
    assert!(is_active(store, first.tokens[0].digest).await);
    store.finish_build(&issuer(), first.id, &client.id, Finish::Success, NOW).await.unwrap();
    assert_eq!(store.register_build(&issuer(), &client, &registration(acme(17))).await.unwrap(), exists);
}

async fn a_build_is_finished_once_and_by_its_own_client(store: &dyn Store) {
    let (one, new) = running(store).await;
    let other = client("other");
    store.create_client(&issuer(), &other, digest()).await.unwrap().unwrap();
    assert!(!store.finish_build(&issuer(), new.id, &other.id, Finish::Failure, NOW).await.unwrap());
    assert!(is_active(store, new.tokens[0].digest).await);
    assert!(store.finish_build(&issuer(), new.id, &one.id, Finish::Success, after(5)).await.unwrap());
    assert!(store.finish_build(&issuer(), new.id, &one.id, Finish::Failure, after(6)).await.unwrap());
    assert_eq!(found(store, new.id).await.finished, Some((after(5), Finish::Success)));
    for token in &new.tokens {
        assert!(!is_active(store, token.digest).await);
    }
    assert!(!store.finish_build(&issuer(), registration(acme(1)).id, &one.id, Finish::Success, NOW).await.unwrap());
}

async fn a_build_past_its_deadline_can_not_be_finished(store: &dyn Store) {
    let (client, new) = running(store).await;
    assert!(store.finish_build(&issuer(), new.id, &client.id, Finish::Success, after(3_600)).await.unwrap());
    assert_eq!(found(store, new.id).await.finished, None);
}

async fn a_bearer_is_found_as_it_was_stored(store: &dyn Store) {
    let (client, new) = running(store).await;
    let mut step = token(TokenKind::Step);
    step.audiences = Some(vec![]);
    step.max_uses = Some(5);
    step.expires_at = after(60);
    let details = step.step.as_mut().unwrap();
    details.image = Some("registry.example:5000/a/b:1.2".to_owned().try_into().unwrap());
    details.commands = Some(true);
    details.environment = Some("production".to_owned());
    store.create_request_token(&issuer(), new.id, &step, None, NOW).await.unwrap().unwrap();

    let bearer = bearer(store, step.digest).await;
    assert_eq!(*bearer.client, client);
    assert_eq!(*bearer.build, found(store, new.id).await);
    let stored = bearer.token;
    assert_eq!((stored.id, stored.kind, stored.step), (step.id, TokenKind::Step, step.step));
    assert_eq!((stored.audiences, stored.max_uses, stored.uses), (Some(vec![]), Some(5), 0));
    assert_eq!((stored.expires_at, stored.ended_at), (after(60), None));
    assert_eq!(store.find_bearer(&issuer(), digest()).await.unwrap(), None);
}

async fn a_token_expires_no_later_than_its_build(store: &dyn Store) {
    let (_, new) = running(store).await;
    let mut step = token(TokenKind::Step);
    step.expires_at = after(1_000_000);
    store.create_request_token(&issuer(), new.id, &step, None, NOW).await.unwrap().unwrap();
    assert_eq!(bearer(store, step.digest).await.token.expires_at, new.deadline);
}

async fn no_token_is_made_for_a_build_that_does_not_run(store: &dyn Store) {
    let (client, new) = running(store).await;
    let make =
        async |build, now| store.create_request_token(&issuer(), build, &token(TokenKind::Step), None, now).await;
    assert_eq!(make(registration(acme(1)).id, NOW).await.unwrap(), Err(TokenNotCreated::BuildNotRunning));
    assert_eq!(make(new.id, new.deadline).await.unwrap(), Err(TokenNotCreated::BuildNotRunning));
    assert_eq!(make(new.id, after(3_599)).await.unwrap(), Ok(()));
    store.finish_build(&issuer(), new.id, &client.id, Finish::Success, NOW).await.unwrap();
    assert_eq!(make(new.id, NOW).await.unwrap(), Err(TokenNotCreated::BuildNotRunning));

    let next = registration(acme(18));
    store.register_build(&issuer(), &client, &next).await.unwrap().unwrap();
    store.disable_client(&issuer(), "ci", NOW).await.unwrap();
    assert_eq!(make(next.id, NOW).await.unwrap(), Err(TokenNotCreated::BuildNotRunning));
}

async fn only_a_steps_token_can_be_revoked(store: &dyn Store) {
    let (client, new) = running(store).await;
    let other = registration(build(("acme", Some("42")), ("lib", Some("1002")), 1));
    store.register_build(&issuer(), &client, &other).await.unwrap().unwrap();
    let step = token(TokenKind::Step);
    store.create_request_token(&issuer(), new.id, &step, None, NOW).await.unwrap().unwrap();

    let end = async |build, token, now| store.end_request_token(&issuer(), build, token, now).await.unwrap();
    assert!(!end(other.id, step.id, NOW).await);
    assert!(!end(new.id, token_id(), NOW).await);
    for token in &new.tokens {
        assert!(!end(new.id, token.id, NOW).await);
        assert!(is_active(store, token.digest).await);
    }
    assert!(is_active(store, step.digest).await);
    assert!(end(new.id, step.id, after(7)).await);
    assert!(end(new.id, step.id, after(8)).await);
    assert_eq!(bearer(store, step.digest).await.token.ended_at, Some(after(7)));
}

async fn a_bearer_is_cached_until_something_revokes_it(store: &dyn Store) {
    let (client, new) = running(store).await;
    let recalled = |digest| store.cached_bearer(&issuer(), digest).map(|bearer| bearer.token.id);
    let wide = &new.tokens[1];
    assert_eq!(recalled(wide.digest), None);
    bearer(store, wide.digest).await;
    assert_eq!(recalled(wide.digest), Some(wide.id));

    let step = token(TokenKind::Step);
    store.create_request_token(&issuer(), new.id, &step, None, NOW).await.unwrap().unwrap();
    bearer(store, step.digest).await;
    store.end_request_token(&issuer(), new.id, step.id, NOW).await.unwrap();
    assert_eq!((recalled(step.digest), recalled(wide.digest)), (None, Some(wide.id)));

    let mut late = issuance(&client, &new);
    late.now = new.deadline;
    assert!(store.record(&issuer(), late).await.unwrap().is_err());
    assert_eq!(recalled(wide.digest), None);

    bearer(store, wide.digest).await;
    store.finish_build(&issuer(), new.id, &client.id, Finish::Success, NOW).await.unwrap();
    assert_eq!(recalled(wide.digest), None);
    bearer(store, wide.digest).await;
    assert_eq!(recalled(wide.digest), None);

    let next = registration(acme(18));
    store.register_build(&issuer(), &client, &next).await.unwrap().unwrap();
    bearer(store, next.tokens[1].digest).await;
    store.register_build(&issuer(), &client, &registration(acme(18))).await.unwrap().unwrap();
    assert_eq!(recalled(next.tokens[1].digest), None);

    let step = token(TokenKind::Step);
    store.create_request_token(&issuer(), next.id, &step, None, NOW).await.unwrap().unwrap();
    bearer(store, step.digest).await;
    assert_eq!(recalled(step.digest), Some(step.id));
    store.disable_client(&issuer(), "ci", NOW).await.unwrap();
    assert_eq!(recalled(step.digest), None);
}

async fn keys_are_written_only_at_the_version_that_was_read(store: &dyn Store) {
    let read = async || store.read_keys(&issuer()).await.unwrap();
    assert_eq!((read().await.version, read().await.rows), (0, vec![]));
    let key = |kid: &str, at| KeyRow {
        kid: kid.to_owned(),
        alg: Algorithm::Rs256,
        sealed: Some(vec![0, 255, 7]),
        kek: Some("k1".to_owned()),
        times: Some(KeyTimes { announced_at: after(at), signs_from: after(at + 100) }),
        ends_at: None,
        revoked_at: None,
        revoked_reason: None,
        jwks_max_age: Seconds::new(300),
        max_lifetime: Seconds::new(86_395),
    };
    let (a, b) = (key("a", 2), key("b", 1));
    assert!(!store.advance_keys(&issuer(), 1, &rows(vec![a.clone()]), &at_once()).await.unwrap());
    assert_eq!(read().await.version, 0);
    let first = KeyChange { algorithms: Some(vec![Algorithm::Rs256]), ..rows(vec![b.clone(), a.clone()]) };
    assert!(store.advance_keys(&issuer(), 0, &first, &at_once()).await.unwrap());
    let expected = KeyRows {
        version: 1,
        algorithms: vec![Algorithm::Rs256],
        rows: vec![a.clone(), b.clone()],
        ..KeyRows::default()
    };
    assert_eq!(read().await, expected);

    assert!(!store.advance_keys(&issuer(), 0, &rows(vec![key("c", 3)]), &at_once()).await.unwrap());
    assert_eq!(read().await, expected);
    let forgotten = KeyRow {
        sealed: None,
        kek: None,
        times: None,
        ends_at: Some(after(7)),
        revoked_at: Some(after(9)),
        revoked_reason: Some("leaked".to_owned()),
        ..a
    };
    let sealed = SealedText { sealed: vec![1, 2], kek: "k2".to_owned() };
    let adopted = AdoptedRow {
        kid: "theirs".to_owned(),
        sealed: vec![3],
        kek: "k1".to_owned(),
        revoked_at: None,
        revoked_reason: None,
    };
    let change = KeyChange {
        algorithms: Some(vec![Algorithm::Es256, Algorithm::Rs256]),
        takeover: Some(sealed.clone()),
        adopted: vec![adopted.clone()],
        ..rows(vec![forgotten.clone()])
    };
    assert!(store.advance_keys(&issuer(), 1, &change, &at_once()).await.unwrap());
    let revoked = AdoptedRow { revoked_at: Some(after(1)), revoked_reason: Some("gone".to_owned()), ..adopted };
    let change = KeyChange { adopted: vec![revoked.clone()], ..KeyChange::default() };
    assert!(store.advance_keys(&issuer(), 2, &change, &at_once()).await.unwrap());
    let expected = KeyRows {
        version: 3,
        algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
        latest_seen: None,
        server_settings: vec![],
        takeover: Some(sealed),
        rows: vec![forgotten, b],
        adopted: vec![revoked],
    };
    assert_eq!(read().await, expected);
}

async fn keys_that_were_decided_too_long_ago_are_not_written(store: &dyn Store) {
    let too_late: Still = std::sync::Arc::new(|| false);
    let change = KeyChange { algorithms: Some(vec![Algorithm::Rs256]), ..KeyChange::default() };
    assert!(!store.advance_keys(&issuer(), 0, &change, &too_late).await.unwrap());
    assert_eq!(store.read_keys(&issuer()).await.unwrap(), KeyRows::default());
    assert_eq!(store.key_poll(&issuer()).await.unwrap().version, 0);
}

async fn settings_are_renewed_by_their_server_and_by_no_other(store: &dyn Store) {
    let server_settings = ServerSettings {
        server: "a".to_owned(),
        announce_for: Seconds::new(1_235),
        jwks_max_age: Seconds::new(300),
        max_lifetime: Seconds::new(3_600),
        stored_at: after(1),
    };
    let change = KeyChange { server_settings: Some(server_settings.clone()), ..KeyChange::default() };
    store.advance_keys(&issuer(), 0, &change, &at_once()).await.unwrap();
    let stands = async || store.read_keys(&issuer()).await.unwrap().server_settings;
    for (at, server, expected) in [(5, "a", 5), (3, "a", 5), (9, "b", 5), (11, "a", 11)] {
        let note = TimeNote { server: server.to_owned(), now: after(at), erasable_before: None };
        store.note_time(&issuer(), note).await.unwrap();
        assert_eq!(stands().await, [ServerSettings { stored_at: after(expected), ..server_settings.clone() }]);
    }
    let other = ServerSettings { server: "b".to_owned(), stored_at: after(100_000), ..server_settings.clone() };
    let change = KeyChange { server_settings: Some(other.clone()), ..KeyChange::default() };
    store.advance_keys(&issuer(), 1, &change, &at_once()).await.unwrap();
    assert_eq!(stands().await.len(), 2);
    let long_gone = after(11 + 1_235 + 86_400 + 1);
    let note = TimeNote { server: "b".to_owned(), now: after(1), erasable_before: Some(long_gone) };
    store.note_time(&issuer(), note).await.unwrap();
    assert_eq!(stands().await, [other]);
}

async fn the_largest_time_seen_never_shrinks_but_by_an_operator(store: &dyn Store) {
    let latest = async || store.key_poll(&issuer()).await.unwrap().latest_seen;
    let note = |now| TimeNote { server: "a".to_owned(), now, erasable_before: Some(NOW) };
    store.note_time(&issuer(), note(after(5))).await.unwrap();
    assert_eq!(latest().await, None, "there is no key set to remember it with");
    store.advance_keys(&issuer(), 0, &KeyChange::default(), &at_once()).await.unwrap();
    for (seen, expected) in [(after(5), after(5)), (after(3), after(5)), (after(9), after(9))] {
        store.note_time(&issuer(), note(seen)).await.unwrap();
        assert_eq!(latest().await, Some(expected));
    }
    let change = KeyChange { latest_seen: Some(after(2)), ..KeyChange::default() };
    store.advance_keys(&issuer(), 1, &change, &at_once()).await.unwrap();
    let pulse = store.key_poll(&issuer()).await.unwrap();
    assert_eq!((pulse.version, pulse.latest_seen), (2, Some(after(2))));
}

async fn a_closed_store_says_so(store: &dyn Store) {
    let (client, new) = running(store).await;
    store.check().await.unwrap();
    store.close().await;
    let gone = [
        store.check().await.err(),
        store.find_build(&issuer(), new.id).await.err(),
        store.record(&issuer(), issuance(&client, &new)).await.err(),
        store.finish_build(&issuer(), new.id, &client.id, Finish::Success, NOW).await.err(),
    ];
    for error in gone {
        assert!(matches!(error, Some(StoreError::Unavailable(_))), "{error:?}");
    }
    store.close().await;
}
