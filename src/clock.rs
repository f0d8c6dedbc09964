//! The wall clock and the chance of the edges. The rules get both as arguments.

use std::time::SystemTime;

use crate::control::random::Random;
use crate::control::time::Time;

/// The wall clock.
#[must_use]
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// Chance for ids made at the edges, seeded by the operating system.
#[must_use]
pub fn chance() -> Random {
    Random::new(getrandom::u64().expect("the operating system gives random bytes"))
}
