//! The sound as a whole: rooms in virtual time, real sockets, and what a tick allocates.

#![allow(clippy::result_large_err, reason = "what finds the inbox full comes back whole, as from every channel")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod browser;
#[path = "../../benches/speech/clips.rs"]
#[allow(dead_code, reason = "shared with the bench, which prints more of a clip")]
mod clips;
#[path = "../../benches/speech/coffee.rs"]
mod coffee;
mod company;
mod counting;
mod day;
mod hearing;
mod keys;
mod networks;
mod recordings;
mod reports;
mod rooms;
mod secure;
mod sockets;
#[path = "../../benches/speech/sounds.rs"]
mod sounds;
mod stage;
mod turns;
mod words;
