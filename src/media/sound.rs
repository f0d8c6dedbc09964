//! Sounds to be played: made once, shared by every leg that plays them, kept in each wire codec.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::RATE;
use super::codec::g711::{self, Law};

const HALF_AMPLITUDE: f64 = 12_000.0;
const MILLIS: u64 = 1_000;

/// A cell that is filled once, now or later: a player that reaches an empty cell is silent until it is filled.
#[derive(Debug, Default)]
pub struct Sound(OnceLock<Result<Audio, String>>);

impl Sound {
    /// A sound that will be filled later.
    #[must_use]
    pub fn pending() -> Arc<Sound> {
        Arc::new(Sound::default())
    }

    /// A sound that is there.
    #[must_use]
    pub fn ready(audio: Audio) -> Arc<Sound> {
        Arc::new(Sound(OnceLock::from(Ok(audio))))
    }

    /// Fills the cell; the text of a failure says what could not be had. The first filling stays: false when there was one.
    pub fn fill(&self, outcome: Result<Audio, String>) -> bool {
        self.0.set(outcome).is_ok()
    }

    /// The sound, or why there is none; `None` while it is being made.
    #[must_use]
    pub fn outcome(&self) -> Option<Result<&Audio, &str>> {
        self.0.get().map(|outcome| outcome.as_ref().map_err(String::as_str))
    }
}

/// Mono sound at 8 kHz: linear for mixing, and encoded once in each G.711 law so that playing costs no transcoding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audio {
    linear: Box<[i16]>,
    pcmu: Box<[u8]>,
    pcma: Box<[u8]>,
}

impl Audio {
    /// Takes linear samples at 8 kHz.
    #[must_use]
    pub fn new(linear: Vec<i16>) -> Audio {
        let encode = |law| linear.iter().map(|sample| g711::encode(law, *sample)).collect();
        Audio { pcmu: encode(Law::Mu), pcma: encode(Law::A), linear: linear.into() }
    }

    /// A sine of `hertz` for `ms` milliseconds at −9 dBFS.
    #[must_use]
    pub fn tone(hertz: u16, ms: u32) -> Audio {
        let step = std::f64::consts::TAU * f64::from(hertz) / f64::from(RATE);
        Audio::new((0..samples(ms)).map(|at| ((step * at as f64).sin() * HALF_AMPLITUDE) as i16).collect())
    }

    /// Silence of `ms` milliseconds.
    #[must_use]
    pub fn silence(ms: u32) -> Audio {
        Audio::new(vec![0; samples(ms)])
    }

    /// The samples at 8 kHz.
    #[must_use]
    pub fn linear(&self) -> &[i16] {
        &self.linear
    }

    /// The sound in a law of G.711, one byte a sample.
    #[must_use]
    pub fn wire(&self, law: Law) -> &[u8] {
        match law {
            Law::Mu => &self.pcmu,
            Law::A => &self.pcma,
        }
    }

    /// How long it lasts.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.linear.len() as u64 * (MILLIS * MILLIS) / u64::from(RATE))
    }
}

fn samples(ms: u32) -> usize {
    usize::try_from(u64::from(ms) * u64::from(RATE) / MILLIS).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_filling_of_a_sound_stays() {
        let sound = Sound::pending();
        assert!(sound.outcome().is_none());
        assert!(sound.fill(Ok(Audio::silence(40))));
        assert!(!sound.fill(Err("too late".to_owned())));
        assert_eq!(sound.outcome().and_then(Result::ok).map(Audio::duration), Some(Duration::from_millis(40)));
    }

    #[test]
    fn a_sound_is_as_long_in_every_codec() {
        let audio = Audio::tone(440, 30);
        assert_eq!(audio.linear().len(), 240);
        assert_eq!(audio.wire(Law::Mu).len(), 240);
        assert_eq!(audio.wire(Law::A).len(), 240);
    }
}
