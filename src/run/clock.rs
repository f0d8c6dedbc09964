//! The one clock: wall time at start plus monotonic time since, so that it never steps back.

use std::time::Instant;

use crate::control::time::Time;

/// Reads the time for the rules and tells threads how long to wait.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
    epoch: Time,
}

impl Clock {
    /// A clock that agrees with the wall clock now.
    #[must_use]
    pub fn start() -> Clock {
        Clock { began: Instant::now(), epoch: crate::clock::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.epoch + self.began.elapsed()
    }

    /// The instant at which `at` comes, for waiting.
    #[must_use]
    pub fn instant(&self, at: Time) -> Instant {
        self.began + at.since(self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_steps_back_and_agrees_with_itself() {
        let clock = Clock::start();
        let first = clock.now();
        assert!(clock.now() >= first);
        assert!(clock.instant(first) <= Instant::now());
    }
}
