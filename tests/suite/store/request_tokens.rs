//! Request tokens: found with their build and client, revoked, and cached until something revokes them.

use buildpass::store::{Finish, Store, TokenKind, TokenNotCreated};

use super::sample::{
    NOW, acme, after, bearer, build, digest, found, is_active, issuance, issuer, registration, running, token, token_id,
};

on_every_backend! {
    a_bearer_is_found_as_it_was_stored
    a_token_expires_no_later_than_its_build
    no_token_is_made_for_a_build_that_does_not_run
    only_a_steps_token_can_be_revoked
    a_bearer_is_cached_until_something_revokes_it
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
