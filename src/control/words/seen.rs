//! What is seen of the signalling from outside: the messages of a call, and what is counted.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::guard::GuardCounts;
use super::pressure::Pressure;
use super::sip::Transport;
use crate::control::sip::message::Method;
use crate::control::time::Time;

/// Which way a message went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
}

impl Direction {
    /// `in`, `out`
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
        }
    }
}

/// A message as it went over the wire, credentials and what is no session description made unreadable without changing its length.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// When.
    pub at: Time,
    /// Which way.
    pub direction: Direction,
    /// How.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// Its bytes, at most so many as are kept.
    pub bytes: Bytes,
    /// So many bytes it had.
    pub length: usize,
}

/// The messages of a call in the order of their times.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ladder {
    /// The kept ones.
    pub messages: Vec<Seen>,
    /// So many were more than are kept.
    pub left_out: u64,
}

/// What messages are counted by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Kind {
    /// The trunk at the other end; `None` for phones and strangers.
    pub trunk: Option<Arc<str>>,
    /// Which way it went.
    pub direction: Direction,
    /// Its method; of a response the method of the request.
    pub method: Method,
    /// The status of a response, 0 of a request.
    pub status: u16,
}

/// The parts of a turn, from the end of the caller's words to the first sound of the answer.
pub const TURN_PARTS: [&str; 6] = ["endpoint", "recognition", "understanding", "lookup", "synthesis", "total"];
/// Upper bounds of [`Spread`]'s buckets, in milliseconds; what is above is in the last bucket.
pub const TURN_BOUNDS_MS: [f64; 9] = [1.0, 5.0, 20.0, 100.0, 300.0, 700.0, 1_500.0, 3_000.0, 6_000.0];

/// How one part of all turns is spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spread {
    /// Turns by bucket.
    pub buckets: [u64; TURN_BOUNDS_MS.len() + 1],
    /// All of them together, in microseconds.
    pub sum_us: u64,
}

impl Spread {
    /// Counts one.
    pub fn add(&mut self, micros: u64) {
        let bucket = TURN_BOUNDS_MS.iter().position(|bound| micros as f64 / 1_000.0 <= *bound).unwrap_or(TURN_BOUNDS_MS.len());
        self.buckets[bucket] += 1;
        self.sum_us = self.sum_us.saturating_add(micros);
    }
}

/// All that the rules count.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Who was not heard.
    pub guard: GuardCounts,
    /// SIP messages.
    pub messages: Vec<(Kind, u64)>,
    /// Calls to the outside that were refused, by the reason's word.
    pub tolls: Vec<(&'static str, u64)>,
    /// Calls to the outside that were cut, by the reason's word.
    pub cuts: Vec<(&'static str, u64)>,
    /// What is left undone for want of time.
    pub pressure: Pressure,
    /// Calls of each trunk now, both ways, by its name.
    pub trunks: Vec<(String, u32)>,
    /// How long callers waited for an answer, in [`TURN_PARTS`].
    pub turns: [Spread; TURN_PARTS.len()],
}
