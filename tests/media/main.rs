//! The sound as a whole: rooms in virtual time, real sockets, and what a tick allocates.

#![allow(clippy::result_large_err, reason = "what finds the inbox full comes back whole, as from every channel")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod company;
mod counting;
mod hearing;
mod networks;
mod recordings;
mod reports;
mod rooms;
mod secure;
mod sockets;
mod stage;
