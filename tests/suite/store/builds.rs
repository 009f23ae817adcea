//! Builds: registered once, repeated only soon and alike, finished once; and what a closed store answers.

use buildpass::base::Seconds;
use buildpass::store::{
    BuildRegistration, Finish, NewBuild, REPEAT_WITHIN, RegistrationRefusal, Store, StoreError, StoredBuild, TokenKind,
};

use super::sample::{
    NOW, acme, after, bearer, client, digest, found, is_active, issuance, issuer, registration, running, token,
};

on_every_backend! {
    a_build_is_found_as_it_was_registered
    a_client_that_was_disabled_meanwhile_registers_nothing
    a_key_is_a_clients_own_and_is_taken_once
    a_registration_asked_for_again_gets_fresh_tokens_and_its_steps_keep_theirs
    a_registration_is_repeated_only_soon_and_alike_and_while_it_runs
    a_build_is_finished_once_and_by_its_own_client
    a_build_past_its_deadline_can_not_be_finished
    a_closed_store_says_so
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
