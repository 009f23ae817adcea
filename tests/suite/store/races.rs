//! Many at once, in two stores on one database: what the counts, the constraints and the locks must withstand.

use std::future::Future;
use std::sync::Arc;

use buildpass::policy::Client;
use buildpass::store::{
    BuildRegistration, Disabled, Finish, Issuance, IssuanceRefusal, KeyRow, KeyTimes, NewBuild, RegistrationRefusal,
    Store, TokenKind,
};
use futures_util::future::join_all;

use super::sample::{
    NOW, acme, at_once, build, client, digest, issuance, issuer, recorded, registration, rows, running, token,
};

on_every_backend! { pair:
    of_sixty_four_racers_exactly_the_builds_quota_leaves
    of_sixty_four_racers_exactly_the_rules_quota_leaves
    of_sixty_four_racers_exactly_the_tokens_uses_leave
    no_token_leaves_after_its_build_was_finished
    no_token_leaves_after_its_client_was_disabled
    one_registration_sent_twenty_times_at_once_makes_one_build
    twenty_registrations_under_one_key_at_once_make_one_build
    one_of_twenty_ids_gets_a_name_that_all_want_at_once
    one_of_twenty_takes_a_clients_name_and_one_a_key_version
}

/// Two stores of two processes, as it were, on one database.
pub(crate) struct Pair {
    pub(crate) stores: [Arc<dyn Store>; 2],
    /// What is gone with the pair.
    pub(crate) _place: Box<dyn std::any::Any + Send + Sync>,
}

impl Pair {
    /// Runs `act` this often at once, half of it in each store, and gives back all answers.
    async fn race<F, T>(&self, racers: usize, act: impl Fn(Arc<dyn Store>, usize) -> F) -> Vec<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let tasks = (0..racers).map(|racer| tokio::spawn(act(Arc::clone(&self.stores[racer % 2]), racer)));
        join_all(tasks.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).collect()
    }

    fn one(&self) -> &dyn Store {
        self.stores[0].as_ref()
    }

    /// Sixty-four at once; how many were let through, and that all others were refused for this reason.
    async fn issue(&self, wish: impl Fn() -> Issuance, reason: IssuanceRefusal) -> usize {
        let answers = self
            .race(64, |store, _| {
                let wish = wish();
                async move { store.record(&issuer(), wish).await.unwrap() }
            })
            .await;
        let refused = answers.iter().filter(|answer| **answer == Err(reason)).count();
        let left = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(left + refused, 64);
        left
    }
}

async fn of_sixty_four_racers_exactly_the_builds_quota_leaves(pair: &Pair) {
    let (client, new) = running(pair.one()).await;
    let wish = || Issuance { tokens_per_build: Some(20), ..issuance(&client, &new) };
    assert_eq!(pair.issue(wish, IssuanceRefusal::BuildQuota).await, 20);
    assert_eq!(recorded(pair.one()).await.len(), 20);
    let build = pair.one().find_build(&issuer(), new.id).await.unwrap().unwrap();
    assert_eq!(build.tokens_issued, 20);
}

async fn of_sixty_four_racers_exactly_the_rules_quota_leaves(pair: &Pair) {
    let (client, new) = running(pair.one()).await;
    let wish = || {
        let mut wish = Issuance { tokens_by_rule: Some(20), ..issuance(&client, &new) };
        wish.row.rule = Some("deploys".to_owned());
        wish
    };
    assert_eq!(pair.issue(wish, IssuanceRefusal::RuleQuota).await, 20);
    assert_eq!(recorded(pair.one()).await.len(), 20);
}

async fn of_sixty_four_racers_exactly_the_tokens_uses_leave(pair: &Pair) {
    let (client, new) = running(pair.one()).await;
    let mut step = token(TokenKind::Step);
    step.max_uses = Some(20);
    pair.one().create_request_token(&issuer(), new.id, &step, None, NOW).await.unwrap().unwrap();
    let wish = || {
        let mut wish = issuance(&client, &new);
        wish.row.request_token_id = Some(step.id);
        wish
    };
    assert_eq!(pair.issue(wish, IssuanceRefusal::TokenUses).await, 20);
    assert_eq!(recorded(pair.one()).await.len(), 20);
}

/// Tokens leave from both stores while `end` runs in one of them: none leaves after it, and none is counted twice.
async fn none_leaves_after<F>(pair: &Pair, client: &Client, new: &NewBuild, end: impl Fn(Arc<dyn Store>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (started, mut ready) = tokio::sync::mpsc::channel(1);
    let racers = pair.race(8, |store, _| {
        let (client, new, started) = (client.clone(), new.clone(), started.clone());
        async move {
            let mut left = 0;
            while store.record(&issuer(), issuance(&client, &new)).await.unwrap().is_ok() {
                left += 1;
                let _full = started.try_send(());
            }
            left
        }
    });
    let ending = async {
        ready.recv().await.unwrap();
        end(Arc::clone(&pair.stores[1])).await;
        recorded(pair.one()).await.len()
    };
    let (left, at_the_end) = tokio::join!(racers, ending);
    let left: usize = left.into_iter().sum();
    assert_eq!((left, recorded(pair.one()).await.len()), (at_the_end, at_the_end));
    let build = pair.one().find_build(&issuer(), new.id).await.unwrap().unwrap();
    assert_eq!(usize::try_from(build.tokens_issued).unwrap(), at_the_end);
}

async fn no_token_leaves_after_its_build_was_finished(pair: &Pair) {
    let (client, new) = running(pair.one()).await;
    none_leaves_after(pair, &client, &new, |store| {
        let (build, client) = (new.id, client.id.clone());
        async move { assert!(store.finish_build(&issuer(), build, &client, Finish::Success, NOW).await.unwrap()) }
    })
    .await;
}

async fn no_token_leaves_after_its_client_was_disabled(pair: &Pair) {
    let (client, new) = running(pair.one()).await;
    none_leaves_after(pair, &client, &new, |store| async move {
        let disabled = store.disable_client(&issuer(), "ci", NOW).await.unwrap();
        assert_eq!(disabled, Some(Disabled { builds_ended: 1 }));
    })
    .await;
}

/// Twenty registrations with one key at once; how many were new, and the answers to the others.
async fn register_at_once(
    pair: &Pair,
    bodies_differ: bool,
) -> (usize, Vec<Result<BuildRegistration, RegistrationRefusal>>) {
    let client = client("ci");
    pair.one().create_client(&issuer(), &client, digest()).await.unwrap().unwrap();
    let answers = pair
        .race(20, |store, _| {
            let client = client.clone();
            let mut new = registration(acme(17));
            if bodies_differ {
                new.body = digest();
            }
            async move { store.register_build(&issuer(), &client, &new).await.unwrap() }
        })
        .await;
    let (new, others): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| matches!(answer, Ok(BuildRegistration::New { .. })));
    (new.len(), others)
}

async fn one_registration_sent_twenty_times_at_once_makes_one_build(pair: &Pair) {
    let (new, others) = register_at_once(pair, false).await;
    assert_eq!(new, 1);
    let builds: Vec<_> = others
        .iter()
        .map(|answer| match answer {
            Ok(BuildRegistration::Repeated(build)) => build.id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(builds.iter().all(|build| *build == builds[0]));
}

async fn twenty_registrations_under_one_key_at_once_make_one_build(pair: &Pair) {
    let (new, others) = register_at_once(pair, true).await;
    assert_eq!(new, 1);
    assert!(others.iter().all(|answer| matches!(answer, Err(RegistrationRefusal::BuildExists(_)))));
    assert!(others.iter().all(|answer| *answer == others[0]));
}

async fn one_of_twenty_ids_gets_a_name_that_all_want_at_once(pair: &Pair) {
    let client = client("ci");
    pair.one().create_client(&issuer(), &client, digest()).await.unwrap().unwrap();
    let answers = pair
        .race(20, |store, racer| {
            let client = client.clone();
            async move {
                let id = format!("{racer}");
                let new = registration(build(("acme", Some(&id)), ("app", Some(&id)), u64::try_from(racer).unwrap()));
                store.register_build(&issuer(), &client, &new).await.unwrap()
            }
        })
        .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let bound = |answer: &&Result<_, _>| matches!(answer, Err(RegistrationRefusal::NameBound { .. }));
    assert_eq!(answers.iter().filter(bound).count(), 19);
}

async fn one_of_twenty_takes_a_clients_name_and_one_a_key_version(pair: &Pair) {
    let made =
        pair.race(20, |store, _| async move {
            store.create_client(&issuer(), &client("ci"), digest()).await.unwrap().is_ok()
        })
        .await;
    assert_eq!(made.into_iter().filter(|made| *made).count(), 1);

    let advanced = pair
        .race(20, |store, racer| async move {
            let key = KeyRow {
                kid: format!("{racer}"),
                alg: buildpass::jose::Algorithm::Es256,
                sealed: Some(vec![1]),
                kek: Some("k1".to_owned()),
                times: Some(KeyTimes { announced_at: NOW, signs_from: NOW }),
                ends_at: None,
                revoked_at: None,
                revoked_reason: None,
                jwks_max_age: buildpass::base::Seconds::new(1),
                max_lifetime: buildpass::base::Seconds::new(1),
            };
            store.advance_keys(&issuer(), 0, &rows(vec![key]), &at_once()).await.unwrap()
        })
        .await;
    assert_eq!(advanced.into_iter().filter(|advanced| *advanced).count(), 1);
    let keys = pair.one().read_keys(&issuer()).await.unwrap();
    assert_eq!((keys.version, keys.rows.len()), (1, 1));
}
