//! Simulates ten years of rotations, in which no unexpired token may fail with any cache.

use buildpass::keyring::plan;

use super::world::World;
use super::{defaults, without_announcement};

const TEN_YEARS: i64 = 3_653;

#[test]
fn in_ten_years_of_rotations_no_unexpired_token_fails_with_any_cache() {
    for (seed, replicas) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 3), (6, 3)] {
        let mut world = World::new(seed, replicas, &defaults(), plan);
        if let Err(failure) = world.live(TEN_YEARS) {
            panic!("seed {seed}: {failure}");
        }
        let tally = &world.tally;
        assert!(tally.keys > 900, "two algorithms, at least once a week: {tally:?}");
        assert!(tally.signed > 10_000 && tally.served > 10_000, "{tally:?}");
        assert!(tally.stops > 100 && tally.clock_steps > 100 && tally.reconfigured > 50, "{tally:?}");
        assert!(tally.rotated > 10 && tally.algorithm_changes > 10, "{tally:?}");
        assert!(replicas == 1 || tally.lost_swaps > 10, "{tally:?}");
    }
}

#[test]
fn without_the_announce_rule_the_simulation_fails_at_once() {
    for seed in 0..20 {
        let mut world = World::new(seed, 3, &defaults(), without_announcement);
        let failure = world.live(60).expect_err("a key that nobody knows signs");
        assert!(failure.contains("signs at"), "{failure}");
    }
}
