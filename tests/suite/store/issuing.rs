//! The record of tokens and the counts that must allow them: what every store must do.

use buildpass::base::{ClientId, Moment};
use buildpass::policy::Client;
use buildpass::store::{
    AuditFilter, AuditRow, Finish, Issuance, IssuanceRefusal, NewBuild, Store, StoreError, TokenKind,
};

use super::sample::{
    NOW, acme, after, client, digest, issuance, issuer, recorded, registration, running, token, token_id,
};

on_every_backend! {
    a_record_is_found_as_it_was_written
    a_token_that_leaves_is_counted
    a_token_of_what_is_not_active_is_not_issued
    a_builds_quota_is_kept
    a_rules_quota_is_kept_apart_from_other_rules_and_builds
    a_request_tokens_uses_are_kept
    what_one_count_refuses_is_taken_from_no_other
    a_repeated_jti_is_refused_and_spoils_no_other
    records_are_listed_by_time_in_pages
    records_are_listed_by_what_they_hold
}

type Answer = Result<(), IssuanceRefusal>;

async fn record(store: &dyn Store, issuance: Issuance) -> Answer {
    store.record(&issuer(), issuance).await.unwrap()
}

/// How many of `times` equal wishes leave, and why the last does not.
async fn leave(store: &dyn Store, times: u64, wish: impl Fn() -> Issuance) -> (u64, Answer) {
    let (mut left, mut last) = (0, Ok(()));
    for _ in 0..times {
        last = record(store, wish()).await;
        left += u64::from(last.is_ok());
    }
    (left, last)
}

async fn a_record_is_found_as_it_was_written(store: &dyn Store) {
    let (client, new) = running(store).await;
    let full = Issuance {
        row: AuditRow {
            rule: Some("deploys".to_owned()),
            step: Some("deploy".to_owned()),
            number: u64::MAX,
            ..issuance(&client, &new).row
        },
        ..issuance(&client, &new)
    };
    let mut direct = issuance(&client, &new);
    direct.row.request_token_id = None;
    direct.row.peer = None;
    for wish in [full, direct] {
        let row = wish.row.clone();
        record(store, wish).await.unwrap();
        assert_eq!(store.find_audit(&issuer(), row.jti).await.unwrap(), Some(row));
    }
    let unknown = issuance(&client, &new).row.jti;
    assert_eq!(store.find_audit(&issuer(), unknown).await.unwrap(), None);
}

async fn a_token_that_leaves_is_counted(store: &dyn Store) {
    let (client, new) = running(store).await;
    assert_eq!(leave(store, 3, || issuance(&client, &new)).await, (3, Ok(())));
    let bearer = store.find_bearer(&issuer(), new.tokens[1].digest).await.unwrap().unwrap();
    assert_eq!((bearer.token.uses, bearer.build.tokens_issued), (3, 3));
}

async fn a_token_of_what_is_not_active_is_not_issued(store: &dyn Store) {
    let (one, new) = running(store).await;
    let wish = || issuance(&one, &new);
    let with_token = |id| {
        let mut wish = wish();
        wish.row.request_token_id = Some(id);
        wish
    };
    let (ended, short) = (token(TokenKind::Step), NewBuild { deadline: after(5), ..registration(acme(18)) });
    let mut brief = token(TokenKind::Step);
    brief.expires_at = after(10);
    for token in [&ended, &brief] {
        store.create_request_token(&issuer(), new.id, token, None, NOW).await.unwrap().unwrap();
    }
    store.end_request_token(&issuer(), new.id, ended.id, NOW).await.unwrap();
    store.register_build(&issuer(), &one, &short).await.unwrap().unwrap();
    let mut strange = wish();
    strange.row.client_id = ClientId::from_text("strange");
    let mut unknown = wish();
    unknown.row.build_id = registration(acme(1)).id;
    let inactive = [
        ("an ended token", with_token(ended.id)),
        ("an expired token", Issuance { now: after(10), ..with_token(brief.id) }),
        ("a worker's token", with_token(new.tokens[0].id)),
        ("another build's token", with_token(short.tokens[1].id)),
        ("an unknown token", with_token(token_id())),
        ("an expired build", Issuance { now: after(5), ..issuance(&one, &short) }),
        ("another client's build", strange),
        ("an unknown build", unknown),
    ];
    for (what, wish) in inactive {
        assert_eq!(record(store, wish).await, Err(IssuanceRefusal::NotActive), "{what}");
    }
    assert_eq!(record(store, Issuance { now: after(9), ..with_token(brief.id) }).await, Ok(()));
    assert_eq!(record(store, wish()).await, Ok(()));

    store.finish_build(&issuer(), new.id, &one.id, Finish::Success, NOW).await.unwrap();
    assert_eq!(record(store, wish()).await, Err(IssuanceRefusal::NotActive));
    store.disable_client(&issuer(), "ci", NOW).await.unwrap();
    assert_eq!(record(store, issuance(&one, &short)).await, Err(IssuanceRefusal::NotActive));
    assert_eq!(recorded(store).await.len(), 2);
}

async fn a_builds_quota_is_kept(store: &dyn Store) {
    let (client, new) = running(store).await;
    let wish = || Issuance { tokens_per_build: Some(3), ..issuance(&client, &new) };
    assert_eq!(leave(store, 5, wish).await, (3, Err(IssuanceRefusal::BuildQuota)));
    assert_eq!(recorded(store).await.len(), 3);
    assert_eq!(record(store, Issuance { tokens_per_build: Some(4), ..wish() }).await, Ok(()));
    assert_eq!(record(store, Issuance { tokens_per_build: None, ..wish() }).await, Ok(()));
    assert_eq!(record(store, Issuance { tokens_per_build: Some(0), ..wish() }).await, Err(IssuanceRefusal::BuildQuota));
}

async fn a_rules_quota_is_kept_apart_from_other_rules_and_builds(store: &dyn Store) {
    let (client, new) = running(store).await;
    let other = registration(acme(18));
    store.register_build(&issuer(), &client, &other).await.unwrap().unwrap();
    let by = |new: &NewBuild, rule: &str| {
        let mut wish = Issuance { tokens_by_rule: Some(2), ..issuance(&client, new) };
        wish.row.rule = Some(rule.to_owned());
        wish
    };
    let refused = Err(IssuanceRefusal::RuleQuota);
    assert_eq!(leave(store, 3, || by(&new, "a")).await, (2, refused));
    assert_eq!(leave(store, 3, || by(&new, "b")).await, (2, refused));
    assert_eq!(leave(store, 3, || by(&other, "a")).await, (2, refused));
    assert_eq!(record(store, issuance(&client, &new)).await, Ok(()));
    // A rule without a limit counts all the same, for the day that it gets one.
    let unlimited = || Issuance { tokens_by_rule: None, ..by(&new, "c") };
    assert_eq!(leave(store, 3, unlimited).await, (3, Ok(())));
    assert_eq!(record(store, by(&new, "c")).await, refused);
}

async fn a_request_tokens_uses_are_kept(store: &dyn Store) {
    let (client, new) = running(store).await;
    let mut step = token(TokenKind::Step);
    step.max_uses = Some(2);
    store.create_request_token(&issuer(), new.id, &step, None, NOW).await.unwrap().unwrap();
    let wish = || {
        let mut wish = issuance(&client, &new);
        wish.row.request_token_id = Some(step.id);
        wish
    };
    assert_eq!(leave(store, 4, wish).await, (2, Err(IssuanceRefusal::TokenUses)));
    let bearer = store.find_bearer(&issuer(), step.digest).await.unwrap().unwrap();
    assert_eq!((bearer.token.uses, bearer.build.tokens_issued), (2, 2));
}

async fn what_one_count_refuses_is_taken_from_no_other(store: &dyn Store) {
    let (client, new) = running(store).await;
    let mut refused = Issuance { tokens_per_build: Some(5), tokens_by_rule: Some(0), ..issuance(&client, &new) };
    refused.row.rule = Some("none".to_owned());
    assert_eq!(leave(store, 9, || fresh(&refused)).await, (0, Err(IssuanceRefusal::RuleQuota)));
    let wish = || Issuance { tokens_per_build: Some(5), ..issuance(&client, &new) };
    assert_eq!(leave(store, 9, wish).await, (5, Err(IssuanceRefusal::BuildQuota)));
    let bearer = store.find_bearer(&issuer(), new.tokens[1].digest).await.unwrap().unwrap();
    assert_eq!(bearer.token.uses, 5);
}

/// The same wish with a `jti` of its own.
fn fresh(wish: &Issuance) -> Issuance {
    let mut wish = wish.clone();
    wish.row.jti = super::sample::jti();
    wish
}

async fn a_repeated_jti_is_refused_and_spoils_no_other(store: &dyn Store) {
    let (client, new) = running(store).await;
    let first = issuance(&client, &new);
    record(store, first.clone()).await.unwrap();
    let wishes = [issuance(&client, &new), first, issuance(&client, &new)];
    let main = issuer();
    let [before, repeated, after] = wishes.map(|wish| store.record(&main, wish));
    let (before, repeated, after) = tokio::join!(before, repeated, after);
    assert_eq!((before, after), (Ok(Ok(())), Ok(Ok(()))));
    assert!(matches!(repeated, Err(StoreError::Unavailable(_))));
    assert_eq!(recorded(store).await.len(), 3);
    let build = store.find_build(&issuer(), new.id).await.unwrap().unwrap();
    assert_eq!(build.tokens_issued, 3);
}

/// Seven records at three moments, in no order.
async fn seven(store: &dyn Store, client: &Client, new: &NewBuild) -> Vec<AuditRow> {
    let mut rows = Vec::new();
    for at in [20, 0, 10, 10, 0, 20, 10] {
        let mut wish = issuance(client, new);
        wish.row.issued_at = after(at);
        rows.push(wish.row.clone());
        record(store, wish).await.unwrap();
    }
    rows.sort_by_key(|row| (row.issued_at, row.jti));
    rows
}

async fn records_are_listed_by_time_in_pages(store: &dyn Store) {
    let (client, new) = running(store).await;
    let rows = seven(store, &client, &new).await;
    for filter in [AuditFilter::default(), AuditFilter { build: Some(new.id), ..AuditFilter::default() }] {
        for size in 1..9 {
            let (mut listed, mut last) = (Vec::new(), None);
            loop {
                let page = store.list_audit(&issuer(), &filter, last, size).await.unwrap();
                assert!(page.len() <= usize::try_from(size).unwrap());
                let Some(end) = page.last() else { break };
                last = Some((end.issued_at, end.jti));
                listed.extend(page);
            }
            assert_eq!(listed, rows, "pages of {size}");
        }
    }
}

async fn records_are_listed_by_what_they_hold(store: &dyn Store) {
    let (one, new) = running(store).await;
    let rows = seven(store, &one, &new).await;
    let two = client("other");
    store.create_client(&issuer(), &two, digest()).await.unwrap().unwrap();
    let other = registration(acme(18));
    store.register_build(&issuer(), &two, &other).await.unwrap().unwrap();
    let mut odd = issuance(&two, &other);
    odd.row.subject = "repo:o'dd\"@%:x".to_owned();
    record(store, odd.clone()).await.unwrap();

    let list = async |build: Option<_>, subject: Option<&str>, since: Option<Moment>, last| {
        let filter = AuditFilter { build, subject: subject.map(str::to_owned), since };
        store.list_audit(&issuer(), &filter, last, 100).await.unwrap()
    };
    assert_eq!(list(Some(other.id), None, None, None).await, [odd.row.clone()]);
    assert_eq!(list(None, Some(&odd.row.subject), None, None).await, [odd.row.clone()]);
    assert_eq!(list(Some(new.id), Some(&odd.row.subject), None, None).await, []);
    assert_eq!(list(Some(new.id), Some(&rows[0].subject), None, None).await, rows);
    assert_eq!(list(None, None, Some(after(10)), None).await, rows[2..]);
    assert_eq!(list(None, Some(&rows[0].subject), Some(after(11)), None).await, rows[5..]);
    let second = Some((rows[1].issued_at, rows[1].jti));
    assert_eq!(list(None, Some(&rows[0].subject), Some(after(20)), second).await, rows[5..]);
    assert_eq!(list(None, None, Some(NOW), Some((rows[6].issued_at, rows[6].jti))).await, []);
}
