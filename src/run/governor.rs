//! Looks every second at how much recognizers and media threads work, and tells the rules and the after-call worker what there is time for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::Sender;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::control::surface::Input;
use crate::control::words::pressure::Pressure;
use crate::control::words::speech::Job;
use crate::control_handle::ControlHandle;
use crate::media::worker::Counts;
use crate::speech::governor::{EVERY, Gauge, Governor, Look, Worked};

/// What is looked at.
pub struct Watched {
    /// Recognizer threads: what they count, and their lines.
    pub recognizers: Vec<(Arc<Gauge>, Sender<Job>)>,
    /// Media workers.
    pub media: Vec<Arc<Counts>>,
}

impl Watched {
    fn look(&self, began: Instant) -> Look {
        let threads = self.recognizers.iter().map(|(gauge, line)| Worked::of(gauge, line.len())).collect();
        let sum = |of: fn(&Counts) -> u64| self.media.iter().map(|counts| of(counts)).sum();
        let ticks = (sum(|counts| counts.ticks.load(Ordering::Relaxed)), sum(|counts| counts.late_ticks.load(Ordering::Relaxed)));
        Look { at: began.elapsed(), threads, ticks }
    }
}

/// Governs until the rules are gone.
pub async fn run(watched: Watched, door: ControlHandle, told: watch::Sender<Pressure>) {
    let (began, mut governor) = (Instant::now(), Governor::default());
    let mut clock = tokio::time::interval(EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        if let Some(level) = governor.look(watched.look(began)) {
            told.send_replace(level);
            if door.send(Input::Pressure(level)).is_err() {
                return;
            }
        }
    }
}
