//! Attacks that need two servers on one database.

use std::sync::Arc;

use crate::harness::postgres::PostgresServer;
use crate::harness::{Auth, START, SettableClock, Start, registration};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn of_sixty_four_racers_at_two_servers_exactly_the_quota_of_twenty_is_served() {
    let (clock, database) = (Arc::new(SettableClock::at(START)), PostgresServer::shared().database().await);
    let toml = "[limits]\ntokens_per_build = 20\nbuild_per_second = 0\n";
    let start = || Start::new(toml).on(&database, &clock).go();
    let servers = [Arc::new(start().await), Arc::new(start().await)];
    let client = servers[0].client().await;
    let build = Arc::new(servers[0].register(&client, &registration()).await);
    let path = build.request_url.strip_prefix(&servers[0].url).unwrap().to_owned();
    let racers = (0..64).map(|racer| {
        let (server, build, path) = (Arc::clone(&servers[racer % 2]), Arc::clone(&build), path.clone());
        tokio::spawn(async move {
            let reply = server.get(&format!("{path}&audience=x"), Auth::Token(&build.request_token)).await;
            if reply.status == 200 { "served".to_owned() } else { reply.code() }
        })
    });
    let mut answers = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        answers.push(racer.await.unwrap());
    }
    let count = |what: &str| answers.iter().filter(|answer| *answer == what).count();
    assert_eq!((count("served"), count("quota_exceeded")), (20, 44), "{answers:?}");
}
