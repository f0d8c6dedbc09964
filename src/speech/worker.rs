//! A speech thread: takes jobs of many callers, runs their utterances at low priority, answers with events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::RATE;
use super::engines::{Bench, Engines, Purpose};
use super::governor::Gauge;
use super::recognizer::{Errand, Hearing, Reading, Terms};
use crate::clock;
use crate::control::time::Time;
use crate::control::words::speech::{Event, Heard, Job, Listening, Nothing};
use crate::control::words::{Lang, LegId, TurnId};
use crate::nlu::Meanings;

/// Speech gives way to signalling and sound.
const NICE: i32 = 10;

/// The sound of one [`Job::Frames`].
const FRAME: Duration = Duration::from_millis(20);
/// Threads that wait for other machines, for one speech thread; each waits for one utterance.
const WAITERS: usize = 4;
/// Utterances that may stand in line for them; above: overloaded.
const ERRANDS: usize = 32;

/// A running speech thread. It ends when all senders are gone.
#[derive(Debug)]
pub struct Handle {
    /// Where media workers put their jobs; all jobs of a leg go to the same thread. Full = overloaded.
    pub jobs: Sender<Job>,
    /// How much it works.
    pub gauge: Arc<Gauge>,
    /// To be joined after the senders are dropped.
    pub thread: JoinHandle<()>,
}

/// Starts the thread `speech-<number>`.
///
/// # Errors
/// When the system gives no thread.
pub fn start(engines: &Arc<Engines>, number: usize, events: impl Fn(Event) + Send + Sync + 'static) -> std::io::Result<Handle> {
    let (jobs, waiting) = bounded(engines.config().queue);
    let engines = engines.clone();
    let events: Tell = Arc::new(events);
    let gauge = Arc::new(Gauge::default());
    let kept = Arc::clone(&gauge);
    let errands = if engines.asks_others() { Some(Errands::start(number, &events)?) } else { None };
    let thread = std::thread::Builder::new().name(format!("speech-{number}")).spawn(move || {
        if let Err(why) = rustix::process::nice(NICE) {
            tracing::warn!("speech-{number} keeps normal priority: {why}");
        }
        let limit = engines.config().utterances;
        let mut bench = Bench::new(engines, Purpose::Live);
        bench.warm();
        Worker { bench, limit, open: BTreeMap::new(), errands, events }.run(&waiting, &kept);
    })?;
    Ok(Handle { jobs, gauge, thread })
}

/// Where results go.
type Tell = Arc<dyn Fn(Event) + Send + Sync>;

struct Worker {
    bench: Bench,
    limit: usize,
    open: BTreeMap<(LegId, TurnId), Utterance>,
    errands: Option<Errands>,
    events: Tell,
}

/// What is known of an utterance besides its sound.
struct Circumstances {
    leg: LegId,
    turn: TurnId,
    engine: Arc<str>,
    lang: Lang,
    offset: Duration,
    samples: usize,
    ended: Time,
}

impl Circumstances {
    fn event(self, result: Result<Reading, Nothing>) -> Event {
        let Circumstances { leg, turn, engine, lang, offset, samples, ended } = self;
        let Reading { text, alternatives, confidence, pinyin } = match result {
            Ok(reading) => reading,
            Err(why) => return Event::Nothing { leg, turn, why },
        };
        let duration = Duration::from_micros(samples as u64 * 1_000_000 / u64::from(RATE));
        let latency = clock::now().since(ended);
        let meanings = Meanings::default();
        let heard = Heard { text, alternatives, confidence, lang, pinyin, meanings, engine, offset, duration, latency };
        Event::Heard { leg, turn, heard }
    }
}

/// Threads that wait for other machines, so that the speech thread need not.
struct Errands {
    line: Option<Sender<(Circumstances, Errand)>>,
    threads: Vec<JoinHandle<()>>,
}

impl Errands {
    fn start(number: usize, events: &Tell) -> std::io::Result<Errands> {
        let (line, waiting) = bounded::<(Circumstances, Errand)>(ERRANDS);
        let start = |nth| {
            let (waiting, events) = (waiting.clone(), events.clone());
            let run = move || waiting.into_iter().for_each(|(circumstances, errand)| events(circumstances.event(errand())));
            std::thread::Builder::new().name(format!("speech-{number}-far-{nth}")).spawn(run)
        };
        let threads = (0..WAITERS).map(start).collect::<std::io::Result<_>>()?;
        Ok(Errands { line: Some(line), threads })
    }

    #[expect(clippy::result_large_err, reason = "the event is told at once, and is rare")]
    fn take(&self, circumstances: Circumstances, errand: Errand) -> Result<(), Event> {
        let full = |circumstances: Circumstances| circumstances.event(Err(Nothing::Overloaded));
        match &self.line {
            Some(line) => line.try_send((circumstances, errand)).map_err(|error| full(error.into_inner().0)),
            None => Err(full(circumstances)),
        }
    }
}

impl Drop for Errands {
    fn drop(&mut self) {
        self.line = None;
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

/// An utterance under way.
struct Utterance {
    hearing: Box<dyn Hearing>,
    engine: Arc<str>,
    lang: Lang,
    offset: Duration,
    samples: usize,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>, gauge: &Gauge) {
        for job in jobs {
            let began = Instant::now();
            let heard = if matches!(job, Job::Frames { .. }) { FRAME } else { Duration::ZERO };
            match job {
                Job::Begin { leg, listening, offset } => self.begin(leg, &listening, offset),
                Job::Frames { leg, turn, pcm } => self.frames(leg, turn, &pcm),
                Job::Finish { leg, turn, at } => self.finish(leg, turn, at),
                Job::Cancel { leg, turn } => drop(self.open.remove(&(leg, turn))),
            }
            gauge.did(began.elapsed(), heard);
        }
    }

    fn begin(&mut self, leg: LegId, listening: &Listening, offset: Duration) {
        let turn = listening.turn;
        self.open.remove(&(leg, turn));
        if self.open.len() >= self.limit {
            return (self.events)(Event::Nothing { leg, turn, why: Nothing::Overloaded });
        }
        match self.open_ear(&Terms::from(listening), offset) {
            Ok(utterance) => drop(self.open.insert((leg, turn), utterance)),
            Err(why) => (self.events)(Event::Nothing { leg, turn, why }),
        }
    }

    fn open_ear(&mut self, terms: &Terms, offset: Duration) -> Result<Utterance, Nothing> {
        let (hearing, engine) = self.bench.listen(terms)?;
        Ok(Utterance { hearing, engine, lang: terms.lang.clone(), offset, samples: 0 })
    }

    fn frames(&mut self, leg: LegId, turn: TurnId, pcm: &[i16]) {
        let Some(utterance) = self.open.get_mut(&(leg, turn)) else { return };
        utterance.samples += pcm.len();
        if let Some(text) = utterance.hearing.push(pcm) {
            (self.events)(Event::Partial { leg, turn, text });
        }
    }

    fn finish(&mut self, leg: LegId, turn: TurnId, ended: Time) {
        let Some(utterance) = self.open.remove(&(leg, turn)) else { return };
        let Utterance { mut hearing, engine, lang, offset, samples } = utterance;
        let circumstances = Circumstances { leg, turn, engine, lang, offset, samples, ended };
        match (hearing.errand(), &self.errands) {
            (Some(errand), Some(errands)) => {
                if let Err(refused) = errands.take(circumstances, errand) {
                    (self.events)(refused);
                }
            }
            (Some(errand), None) => (self.events)(circumstances.event(errand())),
            (None, _) => (self.events)(circumstances.event(hearing.finish())),
        }
    }
}

#[cfg(test)]
mod tests;
