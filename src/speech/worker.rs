//! A speech thread: takes jobs of many callers, runs their utterances at low priority, answers with events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::RATE;
use super::engines::{Bench, Engines, Purpose};
use super::recognizer::{Hearing, Reading, Terms};
use crate::control::words::speech::{Event, Heard, Job, Listening, Nothing};
use crate::control::words::{Lang, LegId, TurnId};

/// Speech gives way to signalling and sound.
const NICE: i32 = 10;

/// A running speech thread. It ends when all senders are gone.
#[derive(Debug)]
pub struct Handle {
    /// Where media workers put their jobs; all jobs of a leg go to the same thread. Full = overloaded.
    pub jobs: Sender<Job>,
    /// To be joined after the senders are dropped.
    pub thread: JoinHandle<()>,
}

/// Starts the thread `speech-<number>`.
///
/// # Errors
/// When the system gives no thread.
pub fn start(engines: &Arc<Engines>, number: usize, events: impl Fn(Event) + Send + 'static) -> std::io::Result<Handle> {
    let (jobs, waiting) = bounded(engines.config().queue);
    let engines = engines.clone();
    let thread = std::thread::Builder::new().name(format!("speech-{number}")).spawn(move || {
        if let Err(why) = rustix::process::nice(NICE) {
            tracing::warn!("speech-{number} keeps normal priority: {why}");
        }
        let limit = engines.config().utterances;
        let mut bench = Bench::new(engines, Purpose::Live);
        bench.warm();
        Worker { bench, limit, open: BTreeMap::new(), events }.run(&waiting);
    })?;
    Ok(Handle { jobs, thread })
}

struct Worker<E> {
    bench: Bench,
    limit: usize,
    open: BTreeMap<(LegId, TurnId), Utterance>,
    events: E,
}

/// An utterance under way.
struct Utterance {
    hearing: Box<dyn Hearing>,
    engine: Arc<str>,
    lang: Lang,
    offset: Duration,
    samples: usize,
}

impl<E: Fn(Event)> Worker<E> {
    fn run(mut self, jobs: &Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Begin { leg, listening, offset } => self.begin(leg, &listening, offset),
                Job::Frames { leg, turn, pcm } => self.frames(leg, turn, &pcm),
                Job::Finish { leg, turn } => self.finish(leg, turn),
                Job::Cancel { leg, turn } => drop(self.open.remove(&(leg, turn))),
            }
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
        let recognizer = self.bench.choose(terms)?;
        let hearing = recognizer.hear(terms)?;
        Ok(Utterance { hearing, engine: recognizer.name().clone(), lang: terms.lang.clone(), offset, samples: 0 })
    }

    fn frames(&mut self, leg: LegId, turn: TurnId, pcm: &[i16]) {
        let Some(utterance) = self.open.get_mut(&(leg, turn)) else { return };
        utterance.samples += pcm.len();
        if let Some(text) = utterance.hearing.push(pcm) {
            (self.events)(Event::Partial { leg, turn, text });
        }
    }

    fn finish(&mut self, leg: LegId, turn: TurnId) {
        let Some(utterance) = self.open.remove(&(leg, turn)) else { return };
        let ended = Instant::now();
        let Utterance { hearing, engine, lang, offset, samples } = utterance;
        match hearing.finish() {
            Ok(reading) => {
                let duration = Duration::from_micros(samples as u64 * 1_000_000 / u64::from(RATE));
                let heard = heard(reading, engine, lang, [offset, duration, ended.elapsed()]);
                (self.events)(Event::Heard { leg, turn, heard });
            }
            Err(why) => (self.events)(Event::Nothing { leg, turn, why }),
        }
    }
}

fn heard(reading: Reading, engine: Arc<str>, lang: Lang, [offset, duration, latency]: [Duration; 3]) -> Heard {
    let Reading { text, alternatives, confidence, pinyin } = reading;
    Heard { text, alternatives, confidence, lang, pinyin, engine, offset, duration, latency }
}
