//! Whole centers in virtual time: a seeded world of callers, agents' phones, a lossy network, a store that answers late or
//! never. All invariants are checked after each step. `SEED=457 cargo test --test sim` replays one seed with a trace.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod center;
mod chats;
#[path = "../media/counting.rs"]
mod counting;
mod edges;
mod flat;
mod ledger;
mod network;
mod phones;
mod versions;
mod world;

use std::time::Instant;

use world::{Scale, World};

/// Seeds of a full run, shared out over this many tests so that both cores work.
const SEEDS: u64 = 200;
const SHARES: u64 = 4;
/// Calls of one seed.
const CALLS: usize = 300;

fn scale() -> Scale {
    Scale { calls: CALLS, chats: CALLS / 10 }
}

fn share(number: u64) {
    if let Ok(seed) = std::env::var("SEED") {
        if number == 0 {
            let seed = seed.parse().expect("SEED is a number");
            println!("{}", World::run(seed, scale(), world::Show::Trace));
        }
        return;
    }
    let seeds = std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let began = Instant::now();
    let mut sum = world::Tally::default();
    for seed in (0..seeds).filter(|seed| seed % SHARES == number) {
        sum.add(&World::run(seed, scale(), world::Show::Nothing));
    }
    println!("share {number}: {sum} in {:.1} s", began.elapsed().as_secs_f32());
}

#[test]
fn centers_keep_their_invariants_first_share() {
    share(0);
}

#[test]
fn centers_keep_their_invariants_second_share() {
    share(1);
}

#[test]
fn centers_keep_their_invariants_third_share() {
    share(2);
}

#[test]
fn centers_keep_their_invariants_fourth_share() {
    share(3);
}

#[test]
fn the_same_seed_gives_the_same_digest_and_another_seed_another() {
    let small = Scale { calls: 60, chats: 6 };
    let digest = |seed| World::run(seed, small, world::Show::Digest).digest;
    for seed in 0..3 {
        assert_eq!(digest(seed), digest(seed), "seed {seed}");
    }
    assert_ne!(digest(1), digest(2));
}
