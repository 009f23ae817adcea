//! Rows of signing keys, settings of servers, and the largest time seen: written only at the version that was read.

use buildpass::base::Seconds;
use buildpass::jose::Algorithm;
use buildpass::store::{
    AdoptedRow, KeyChange, KeyRow, KeyRows, KeyTimes, SealedText, ServerSettings, Still, Store, TimeNote,
};

use super::sample::{NOW, after, at_once, issuer, rows};

on_every_backend! {
    keys_are_written_only_at_the_version_that_was_read
    keys_that_were_decided_too_long_ago_are_not_written
    settings_are_renewed_by_their_server_and_by_no_other
    the_largest_time_seen_never_shrinks_but_by_an_operator
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
