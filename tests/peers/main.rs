//! Real peers against the real binary: SIPp, baresip, Kamailio, raw sockets, and our own phone. Each test starts `hotline serve` in a
//! temporary folder on free ports. A peer that is not installed is SKIPPED.

mod baresip;
mod channels;
#[path = "../../benches/speech/clips.rs"]
mod clips;
mod coffee;
mod crash;
mod kamailio;
mod malformed;
mod names;
mod phones;
mod registrations;
mod secrets;
mod sipp;
mod spoken;
mod stage;
mod transports;
mod trunks;
