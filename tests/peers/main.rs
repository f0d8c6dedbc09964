//! Real peers against the real binary: SIPp, baresip, Kamailio, raw sockets, and our own phone. Each test starts `hotline serve` in a
//! temporary folder on free ports. A peer that is not installed is SKIPPED.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod baresip;
mod browser;
mod channels;
#[path = "../../benches/speech/clips.rs"]
mod clips;
mod coffee;
mod company;
mod crash;
mod drain;
mod early;
mod guard;
mod kamailio;
mod load;
mod malformed;
mod names;
mod outbound;
mod phones;
mod registrations;
mod secrets;
mod secure;
mod seeing;
mod sipp;
#[path = "../../benches/speech/sounds.rs"]
mod sounds;
mod spoken;
mod stage;
mod transports;
mod trunks;
mod turns;
mod versions;
