//! Tests of the budget of memory for request bodies.

use super::*;

const LARGEST: usize = 100;

fn budget(all: usize) -> Arc<BodyBudget> {
    Arc::new(BodyBudget::new(all, LARGEST))
}

fn stranger(text: &str) -> Sender {
    Sender::Stranger(text.parse().unwrap())
}

async fn holding(budget: &Arc<BodyBudget>, sender: Sender, bytes: usize) -> Result<Reservation, NoRoom> {
    let mut reservation = budget.reserve(sender);
    reservation.grow_to(bytes).await.map(|()| reservation)
}

#[tokio::test]
async fn what_a_body_holds_is_counted_until_it_is_dropped() {
    let budget = budget(10_000);
    let mut known = holding(&budget, Sender::Known, 60).await.unwrap();
    let other = holding(&budget, stranger("192.0.2.1"), 40).await.unwrap();
    assert_eq!(budget.held(), (100, 40));
    known.grow_to(90).await.unwrap();
    known.grow_to(10).await.unwrap();
    assert_eq!(budget.held(), (130, 40), "a reservation grows and never shrinks");
    drop((known, other));
    assert_eq!(budget.held(), (0, 0));
    assert!(budget.lock().networks.is_empty(), "no address is remembered");
}

#[tokio::test]
async fn strangers_cannot_take_what_known_callers_need() {
    let budget = budget(10_000);
    let mut all = Vec::new();
    for number in 0..250 {
        all.extend(holding(&budget, stranger(&format!("192.0.2.{number}")), 100).await);
    }
    assert_eq!(budget.held(), (2_500, 2_500), "a quarter");
    assert_eq!(holding(&budget, stranger("198.51.100.1"), 1).await.err(), Some(NoRoom::Full));
    let mut known = Vec::new();
    for _ in 0..75 {
        known.push(holding(&budget, Sender::Known, 100).await.unwrap());
    }
    assert_eq!(holding(&budget, Sender::Known, 1).await.err(), Some(NoRoom::Full), "the whole is bounded too");
    drop(known);
    assert!(holding(&budget, Sender::Known, 100).await.is_ok());
}

#[tokio::test]
async fn one_address_leaves_half_of_the_strangers_part_to_others() {
    let budget = budget(10_000);
    let mut greedy = Vec::new();
    while let Ok(body) = holding(&budget, stranger("192.0.2.1"), 50).await {
        greedy.push(body);
    }
    assert_eq!(budget.held().1, 1_250, "one address alone may hold half");
    let mut others = Vec::new();
    for last in 1..=4 {
        others.push(holding(&budget, stranger(&format!("198.51.100.{last}")), 300).await.unwrap());
    }
    assert_eq!(
        holding(&budget, stranger("198.51.100.1"), 13).await.err(),
        Some(NoRoom::Share),
        "an eighth for each from then on"
    );
    drop((greedy, others));
    assert_eq!(budget.held(), (0, 0));
}

#[tokio::test]
async fn a_refused_growth_changes_nothing() {
    let budget = budget(400);
    let mut body = holding(&budget, stranger("192.0.2.1"), 80).await.unwrap();
    assert_eq!(body.grow_to(101).await, Err(NoRoom::Share));
    assert_eq!(budget.held(), (80, 80));
    body.grow_to(100).await.unwrap();
    assert_eq!(budget.held(), (100, 100));
}

#[tokio::test]
async fn the_smallest_budget_still_has_room_for_one_body() {
    let budget = budget(0);
    assert!(holding(&budget, Sender::Known, LARGEST).await.is_ok());
    assert!(holding(&budget, stranger("192.0.2.1"), LARGEST).await.is_ok());
}

/// Starts a body of `sender` that stops arriving. Returns the task that holds the body until the server ends it.
async fn stalls(budget: &Arc<BodyBudget>, sender: Sender, bytes: usize) -> tokio::task::JoinHandle<()> {
    let body = holding(budget, sender, bytes).await.unwrap();
    tokio::spawn(async move { body.end().notified().await })
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_whole_after_a_second_ends_for_a_new_one() {
    let budget = budget(400);
    let slow = stalls(&budget, stranger("192.0.2.1"), 100).await;
    let new = stranger("198.51.100.1");
    let began = Instant::now();
    assert_eq!(holding(&budget, new, 100).await.err(), Some(NoRoom::Full));
    assert_eq!(began.elapsed(), Duration::ZERO, "nobody is waited for while every body is young");
    tokio::time::advance(SAFE_FOR).await;
    let whole = holding(&budget, new, 100).await.unwrap();
    slow.await.unwrap();
    whole.arrived();
    tokio::time::advance(SAFE_FOR).await;
    let began = Instant::now();
    assert_eq!(holding(&budget, stranger("192.0.2.1"), 100).await.err(), Some(NoRoom::Full));
    assert_eq!(began.elapsed(), Duration::ZERO, "a whole body never ends");
}

#[tokio::test(start_paused = true)]
async fn the_oldest_body_of_the_network_that_holds_the_most_ends_first() {
    let budget = budget(2_000);
    let modest = stalls(&budget, stranger("192.0.2.1"), 50).await;
    let mut greedy = Vec::new();
    for last in [2, 2, 3, 3, 4, 5, 6, 7, 8] {
        greedy.push(stalls(&budget, stranger(&format!("192.0.2.{last}")), 50).await);
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    tokio::time::advance(SAFE_FOR).await;
    let _new = holding(&budget, stranger("198.51.100.1"), 50).await.unwrap();
    let ended: Vec<_> = greedy.iter().map(tokio::task::JoinHandle::is_finished).collect();
    assert!(ended[0] && !ended[1..].contains(&true), "{ended:?}");
    assert!(!modest.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_stranger_ends_no_body_of_a_known_caller_and_a_known_caller_ends_any() {
    let budget = budget(400);
    let mut known = Vec::new();
    for _ in 0..4 {
        known.push(stalls(&budget, Sender::Known, 100).await);
    }
    tokio::time::advance(SAFE_FOR).await;
    assert_eq!(holding(&budget, stranger("192.0.2.1"), 10).await.err(), Some(NoRoom::Full));
    assert!(!known.iter().any(tokio::task::JoinHandle::is_finished));
    let _new = holding(&budget, Sender::Known, 10).await.unwrap();
    assert_eq!(known.iter().filter(|body| body.is_finished()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_never_ends_for_itself() {
    let budget = budget(400);
    let mut growing = holding(&budget, stranger("192.0.2.1"), 60).await.unwrap();
    tokio::time::advance(SAFE_FOR).await;
    assert_eq!(growing.grow_to(101).await, Err(NoRoom::Share));
    assert!(tokio::time::timeout(SAFE_FOR, growing.end().notified()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn bodies_that_wait_for_the_same_memory_end_one_body() {
    let budget = budget(800);
    let large = stalls(&budget, stranger("192.0.2.1"), 100).await;
    let small = stalls(&budget, stranger("192.0.2.2"), 100).await;
    tokio::time::advance(SAFE_FOR).await;
    let new = |last: u8| stranger(&format!("198.51.100.{last}"));
    let all: Vec<_> = (0..10).map(|last| (Arc::clone(&budget), new(last))).collect();
    let waiting = all.iter().map(|(budget, sender)| holding(budget, *sender, 10));
    let held = futures_util::future::join_all(waiting).await;
    assert!(held.iter().all(Result::is_ok));
    assert_eq!([large, small].iter().filter(|body| body.is_finished()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_in_time_leaves_no_room() {
    let budget = budget(400);
    let stuck = holding(&budget, stranger("192.0.2.1"), 100).await.unwrap();
    tokio::time::advance(SAFE_FOR).await;
    let began = Instant::now();
    assert_eq!(holding(&budget, stranger("192.0.2.2"), 100).await.err(), Some(NoRoom::Full));
    assert_eq!(began.elapsed(), FREED_WITHIN);
    drop(stuck);
}
