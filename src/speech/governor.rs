//! How much recognizers and media threads can still take: measured once a second, never guessed.
//!
//! A recognizer thread that is busy nearly all the time has no time for after-call work beside it; one whose line grows gives its words too
//! late; a media thread that wakes too late has no time to share. The worst thread counts, over [`SPAN`] looks, so that one long utterance
//! is no shortage.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::control::words::pressure::Pressure;

/// How often is looked.
pub const EVERY: Duration = Duration::from_secs(1);
/// Looks that one judgement rests on.
const SPAN: usize = 3;
/// Calmer looks in a row before the pressure eases by a step.
const CALMER: u32 = 4;
/// Share of its time that a recognizer thread works, from which on it is tight. Never short: as long as nothing waits, words come in time.
const BUSY: f64 = 0.80;
/// How many seconds what is put into a recognizer's line now would wait, from which on it is tight, and short.
const WAIT: (f64, f64) = (0.150, 0.500);
/// Share of media ticks that came 20 ms or more too late, from which on it is tight, and short.
const LATE: (f64, f64) = (0.005, 0.03);

/// What a recognizer thread counts while it works.
#[derive(Debug, Default)]
pub struct Gauge {
    /// Microseconds it worked.
    pub busy_us: AtomicU64,
    /// Microseconds of sound it heard.
    pub heard_us: AtomicU64,
    /// Jobs it did.
    pub jobs: AtomicU64,
}

impl Gauge {
    /// A job was done.
    pub fn did(&self, took: Duration, heard: Duration) {
        let us = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        self.busy_us.fetch_add(us(took), Ordering::Relaxed);
        self.heard_us.fetch_add(us(heard), Ordering::Relaxed);
        self.jobs.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a recognizer thread had done when it was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Worked {
    /// Since its start.
    pub busy: Duration,
    /// Since its start.
    pub jobs: u64,
    /// What stands in its line.
    pub waiting: usize,
}

impl Worked {
    /// What a thread's gauge shows, and how much stands in its line.
    #[must_use]
    pub fn of(gauge: &Gauge, waiting: usize) -> Worked {
        let busy = Duration::from_micros(gauge.busy_us.load(Ordering::Relaxed));
        Worked { busy, jobs: gauge.jobs.load(Ordering::Relaxed), waiting }
    }
}

/// One look at all threads.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Look {
    /// When, on any clock that does not go back.
    pub at: Duration,
    /// Recognizer threads, always in the same order.
    pub threads: Vec<Worked>,
    /// Media ticks done, and how many came too late.
    pub ticks: (u64, u64),
}

/// Judges by the latest looks.
#[derive(Debug, Default)]
pub struct Governor {
    looks: VecDeque<Look>,
    level: Pressure,
    calmer: u32,
}

impl Governor {
    /// Takes a look; the new level when it changed. It rises at once, and falls a step at a time.
    pub fn look(&mut self, look: Look) -> Option<Pressure> {
        self.looks.push_back(look);
        if self.looks.len() <= SPAN {
            return None;
        }
        let judged = self.judge();
        self.looks.pop_front();
        let before = self.level;
        if judged >= self.level {
            self.calmer = 0;
            self.level = judged;
        } else {
            self.calmer += 1;
            if self.calmer >= CALMER {
                self.calmer = 0;
                self.level = self.level.eased();
            }
        }
        (self.level != before).then_some(self.level)
    }

    fn judge(&self) -> Pressure {
        let (Some(first), Some(last)) = (self.looks.front(), self.looks.back()) else { return Pressure::Calm };
        let wall = last.at.saturating_sub(first.at);
        let mut works = first.threads.iter().zip(&last.threads).map(|(then, now)| share(now.busy.saturating_sub(then.busy), wall));
        let by_busy = if works.any(|share| share >= BUSY) { Pressure::Tight } else { Pressure::Calm };
        let by_wait = above(self.longest_wait(first, last), WAIT);
        let (ticks, late) = (last.ticks.0.saturating_sub(first.ticks.0), last.ticks.1.saturating_sub(first.ticks.1));
        #[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
        let by_late = above(late as f64 / (ticks + late).max(1) as f64, LATE);
        by_busy.max(by_wait).max(by_late)
    }

    /// Seconds that the longest line stands for: its jobs (the mean of the looks) times what a job took lately.
    fn longest_wait(&self, first: &Look, last: &Look) -> f64 {
        let wait = |(at, (then, now)): (usize, (&Worked, &Worked))| {
            let lines = self.looks.iter().skip(1).filter_map(|look| look.threads.get(at)).map(|thread| thread.waiting);
            #[expect(clippy::cast_precision_loss, reason = "lines are bounded")]
            let line = lines.sum::<usize>() as f64 / SPAN as f64;
            #[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
            let jobs = now.jobs.saturating_sub(then.jobs).max(1) as f64;
            line * now.busy.saturating_sub(then.busy).as_secs_f64() / jobs
        };
        first.threads.iter().zip(&last.threads).enumerate().map(wait).fold(0.0, f64::max)
    }
}

fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}

fn above(value: f64, (tight, short): (f64, f64)) -> Pressure {
    if value >= short {
        Pressure::Short
    } else if value >= tight {
        Pressure::Tight
    } else {
        Pressure::Calm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with one recognizer thread and one media worker.
    #[derive(Default)]
    struct Machine {
        governor: Governor,
        at: u64,
        worked: Worked,
        ticks: (u64, u64),
    }

    impl Machine {
        /// A second in which the thread was busy so long over so many jobs, with so many left, and so many ticks were late.
        fn second(&mut self, busy_ms: u64, jobs: u64, waiting: usize, late: u64) -> Option<Pressure> {
            self.at += 1;
            self.worked = Worked { busy: self.worked.busy + Duration::from_millis(busy_ms), jobs: self.worked.jobs + jobs, waiting };
            self.ticks = (self.ticks.0 + 50 - late, self.ticks.1 + late);
            let look = Look { at: Duration::from_secs(self.at), threads: vec![Worked::default(), self.worked], ticks: self.ticks };
            self.governor.look(look)
        }
    }

    #[test]
    fn s36_a_thread_that_always_works_is_tight_and_one_long_utterance_is_not() {
        let mut machine = Machine::default();
        let changes = [100, 950, 100, 100, 100].map(|busy| machine.second(busy, 50, 0, 0));
        assert_eq!(changes, [None; 5], "one busy second");
        let changes = [980, 990, 1_000].map(|busy| machine.second(busy, 50, 0, 0));
        assert_eq!(changes[2], Some(Pressure::Tight), "three of them, and nothing waits: {changes:?}");
    }

    #[test]
    fn a_line_that_grows_is_short_however_little_the_thread_gets_done() {
        let mut machine = Machine::default();
        for _ in 0..4 {
            machine.second(300, 30, 0, 0);
        }
        let level = (0..3).filter_map(|_| machine.second(300, 30, 60, 0)).last();
        assert_eq!(level, Some(Pressure::Short), "60 jobs of 10 ms are 600 ms");
    }

    #[test]
    fn sound_that_comes_late_sheds_recognition_though_no_recognizer_is_busy() {
        let mut machine = Machine::default();
        let level = (0..5).filter_map(|_| machine.second(0, 0, 0, 2)).last();
        assert_eq!(level, Some(Pressure::Short));
    }

    #[test]
    fn pressure_falls_a_step_at_a_time_and_only_when_it_stays_calmer() {
        let mut machine = Machine::default();
        (0..5).for_each(|_| _ = machine.second(990, 50, 60, 0));
        assert_eq!(machine.governor.level, Pressure::Short);
        let changes: Vec<_> = (0..20).filter_map(|_| machine.second(100, 50, 0, 0)).collect();
        assert_eq!(changes, [Pressure::Tight, Pressure::Calm]);
        (0..5).for_each(|_| _ = machine.second(990, 50, 60, 0));
        for turn in 0..40 {
            let line = if turn % 2 == 0 { 60 } else { 30 };
            assert_eq!(machine.second(990, 50, line, 0), None, "it does not flutter");
        }
    }
}
