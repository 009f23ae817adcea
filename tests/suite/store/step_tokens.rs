//! Step tokens: how many of a build may live, and what is erased when they end.

use buildpass::store::{Finish, NewRequestToken, Store, TokenKind, TokenNotCreated};

use super::sample::{NOW, acme, after, bearer, issuer, registration, running, token};

on_every_backend! {
    a_build_has_a_bounded_number_of_living_step_tokens
    the_audiences_of_a_step_are_erased_when_it_or_its_build_ends
}

async fn a_build_has_a_bounded_number_of_living_step_tokens(store: &dyn Store) {
    let (client, new) = running(store).await;
    let make = async |build, step: &NewRequestToken, now| {
        store.create_request_token(&issuer(), build, step, Some(2), now).await.unwrap()
    };
    let (one, mut short, third) = (token(TokenKind::Step), token(TokenKind::Step), token(TokenKind::Step));
    short.expires_at = after(60);
    assert_eq!(make(new.id, &one, NOW).await, Ok(()));
    assert_eq!(make(new.id, &short, NOW).await, Ok(()));
    assert_eq!(make(new.id, &third, after(59)).await, Err(TokenNotCreated::TooMany));
    assert_eq!(store.find_bearer(&issuer(), third.digest).await.unwrap(), None);
    assert_eq!(make(new.id, &third, after(60)).await, Ok(()), "an expired one leaves its place");

    let fourth = token(TokenKind::Step);
    assert_eq!(make(new.id, &fourth, after(60)).await, Err(TokenNotCreated::TooMany));
    assert!(store.end_request_token(&issuer(), new.id, one.id, after(60)).await.unwrap());
    assert_eq!(make(new.id, &fourth, after(60)).await, Ok(()), "so does a revoked one");

    let next = registration(acme(18));
    store.register_build(&issuer(), &client, &next).await.unwrap().unwrap();
    assert_eq!(make(next.id, &token(TokenKind::Step), NOW).await, Ok(()), "each build has its own");
}

async fn the_audiences_of_a_step_are_erased_when_it_or_its_build_ends(store: &dyn Store) {
    let (client, new) = running(store).await;
    let audiences = Some(vec!["https://*.example.com".parse().unwrap()]);
    let steps = [(); 3].map(|()| NewRequestToken { audiences: audiences.clone(), ..token(TokenKind::Step) });
    let free = token(TokenKind::Step);
    for step in steps.iter().chain([&free]) {
        store.create_request_token(&issuer(), new.id, step, None, NOW).await.unwrap().unwrap();
    }
    let stored = async |step: &NewRequestToken| bearer(store, step.digest).await.token;

    store.end_request_token(&issuer(), new.id, steps[0].id, NOW).await.unwrap();
    assert_eq!(
        (stored(&steps[0]).await.audiences, stored(&steps[1]).await.audiences),
        (Some(vec![]), audiences.clone())
    );
    store.finish_build(&issuer(), new.id, &client.id, Finish::Success, NOW).await.unwrap();
    for step in &steps {
        assert_eq!(stored(step).await.audiences, Some(vec![]), "an empty list allows nothing");
        assert_eq!(stored(step).await.step, step.step, "the audit reads the step");
    }
    assert_eq!(stored(&free).await.audiences, free.audiences);

    let next = registration(acme(18));
    store.register_build(&issuer(), &client, &next).await.unwrap().unwrap();
    let step = NewRequestToken { audiences, ..token(TokenKind::Step) };
    store.create_request_token(&issuer(), next.id, &step, None, NOW).await.unwrap().unwrap();
    store.disable_client(&issuer(), "ci", NOW).await.unwrap();
    assert_eq!(stored(&step).await.audiences, Some(vec![]));
}
