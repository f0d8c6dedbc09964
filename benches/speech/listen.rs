//! One utterance through an engine, with its costs.

use std::sync::Arc;
use std::time::Duration;

use hotline::control::words::Lang;
use hotline::control::words::speech::{Expect, Hints, Nothing};
use hotline::speech::engines::{Bench, Engine, Purpose};
use hotline::speech::tones::only_voices;
use hotline::speech::{Engines, Reading, Terms};
use nix::time::{ClockId, clock_gettime};

/// Samples pushed at a time: 20 ms.
const FRAME: usize = 320;

/// A thread's recognizers and what they have cost so far.
pub struct Meter {
    bench: Bench,
    engine: Engine,
    pub audio: Duration,
    pub cpu: Duration,
    pub ends: Vec<Duration>,
}

/// Terms for a language with phrases or a grammar.
pub fn terms(lang: &str, expect: Expect, phrases: &[String], grammar: Option<String>) -> Terms {
    let key = phrases.iter().flat_map(|phrase| phrase.bytes()).fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let hints = Hints { key, phrases: phrases.to_vec(), grammar };
    Terms { lang: Lang::new(lang), expect, hints: Arc::new(hints), budget: Duration::from_secs(60) }
}

impl Meter {
    pub fn new(engines: &Arc<Engines>, engine: Engine) -> Meter {
        let bench = Bench::new(engines.clone(), Purpose::Live);
        Meter { bench, engine, audio: Duration::ZERO, cpu: Duration::ZERO, ends: Vec::new() }
    }

    pub fn is_there(&mut self, lang: &str) -> bool {
        self.bench.recognizer(self.engine, &Lang::new(lang)).is_ok()
    }

    /// What is heard in a sound.
    pub fn hear(&mut self, pcm: &[i16], terms: &Terms) -> Result<Reading, Nothing> {
        let begun = cpu();
        let mut hearing = only_voices(self.bench.recognizer(self.engine, &terms.lang)?.hear(terms)?);
        for frame in pcm.chunks(FRAME) {
            hearing.push(frame);
        }
        let ended = cpu();
        let result = hearing.finish();
        let now = cpu();
        self.audio += Duration::from_micros(pcm.len() as u64 * 1_000 / 16);
        self.cpu += now - begun;
        self.ends.push(now - ended);
        result
    }

    /// CPU seconds a second of sound, and the 95th percentile from the last frame to the text.
    pub fn costs(&mut self) -> (f64, Duration) {
        self.ends.sort();
        let at = (self.ends.len() * 95 / 100).min(self.ends.len().saturating_sub(1));
        let end = self.ends.get(at).copied().unwrap_or_default();
        (self.cpu.as_secs_f64() / self.audio.as_secs_f64().max(1e-9), end)
    }
}

/// CPU time of this process: engines may use threads of their own.
pub fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the system has this clock").into()
}
