//! Tones of the line itself (ringing, busy, a beep, a modem) are no speech. Nearly all power of such a tone stands on one or two
//! frequencies for as long as it sounds; a voice spreads its power over a dozen harmonics that move.

use std::sync::{Arc, LazyLock};

use realfft::{RealFftPlanner, RealToComplex};

use super::recognizer::{Errand, Hearing, Reading};
use crate::control::words::speech::Nothing;

/// Samples of a window: 64 ms at 16 kHz, so that two frequencies of a ringing tone stand apart.
const WINDOW: usize = 1_024;
/// A frequency's power lies within so many bins of its peak.
const LOBE: usize = 3;
/// Frequencies of a tone.
const PEAKS: usize = 2;
/// A window is a tone when so much of its power stands on [`PEAKS`] frequencies.
const TONAL: f32 = 0.95;
/// Windows below this mean power (of full scale 1.0; −50 dB) say nothing.
const LOUD: f32 = 1e-5;
/// So few loud windows say nothing.
const ENOUGH: u32 = 3;
/// An utterance is tones when so much of what is loud is: bursts have two edges each.
const MOSTLY: f32 = 0.6;

static TRANSFORM: LazyLock<Arc<dyn RealToComplex<f32>>> = LazyLock::new(|| RealFftPlanner::new().plan_fft_forward(WINDOW));

/// Looks for tones in an utterance.
#[derive(Debug, Default)]
struct Tones {
    waiting: Vec<f32>,
    loud: u32,
    tonal: u32,
}

impl Tones {
    fn push(&mut self, pcm: &[i16]) {
        for sample in pcm {
            self.waiting.push(f32::from(*sample) / 32_768.0);
            if self.waiting.len() == WINDOW {
                self.look();
                self.waiting.clear();
            }
        }
    }

    fn look(&mut self) {
        if self.waiting.iter().map(|sample| sample * sample).sum::<f32>() < LOUD * WINDOW as f32 {
            return;
        }
        self.loud += 1;
        let turn = std::f32::consts::TAU / WINDOW as f32;
        self.waiting.iter_mut().enumerate().for_each(|(at, sample)| *sample *= 0.5 - 0.5 * (turn * at as f32).cos());
        let mut spectrum = TRANSFORM.make_output_vec();
        // The lengths are those of the transform.
        if TRANSFORM.process(&mut self.waiting, &mut spectrum).is_err() {
            return;
        }
        let mut power: Vec<f32> = spectrum.iter().map(|bin| bin.norm_sqr()).collect();
        let all: f32 = power.iter().sum();
        let on_peaks: f32 = (0..PEAKS).map(|_| take_peak(&mut power)).sum();
        self.tonal += u32::from(on_peaks > TONAL * all);
    }

    fn are_all(&self) -> bool {
        self.loud >= ENOUGH && self.tonal as f32 >= MOSTLY * self.loud as f32
    }
}

/// Takes the strongest frequency out of a spectrum.
fn take_peak(power: &mut [f32]) -> f32 {
    let Some((peak, _)) = power.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1)) else { return 0.0 };
    let to = (peak + LOBE + 1).min(power.len());
    power[peak.saturating_sub(LOBE)..to].iter_mut().map(std::mem::take).sum()
}

/// An ear that believes no words made of tones.
struct Voices {
    ear: Box<dyn Hearing>,
    tones: Tones,
}

/// The same ear, for voices only: an utterance of tones is rejected, whatever an engine makes of it.
#[must_use]
pub fn only_voices(ear: Box<dyn Hearing>) -> Box<dyn Hearing> {
    Box::new(Voices { ear, tones: Tones::default() })
}

impl Hearing for Voices {
    fn push(&mut self, pcm: &[i16]) -> Option<String> {
        self.tones.push(pcm);
        self.ear.push(pcm)
    }

    fn finish(self: Box<Self>) -> Result<Reading, Nothing> {
        if self.tones.are_all() { Err(Nothing::Rejected) } else { self.ear.finish() }
    }

    fn errand(&mut self) -> Option<Errand> {
        if self.tones.are_all() { None } else { self.ear.errand() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(of: impl Fn(f32) -> f32) -> Tones {
        let mut tones = Tones::default();
        // Quantized as on the line.
        let pcm: Vec<i16> = (0..32_000).map(|at| (of(at as f32 / 16_000.0) * 8_000.0) as i16 / 64 * 64).collect();
        pcm.chunks(320).for_each(|frame| tones.push(frame));
        tones
    }

    fn wave(hertz: f32, at: f32) -> f32 {
        (hertz * at * std::f32::consts::TAU).sin()
    }

    #[test]
    fn ringing_busy_and_dial_tones_of_america_europe_and_china_are_tones() {
        assert!(line(|at| wave(440.0, at) + wave(480.0, at)).are_all());
        assert!(line(|at| if at % 0.7 < 0.35 { wave(450.0, at) } else { 0.0 }).are_all(), "busy, 350 ms on and off");
        assert!(line(|at| if at % 1.0 < 0.5 { wave(480.0, at) + wave(620.0, at) } else { 0.0 }).are_all());
        assert!(line(|at| wave(425.0, at)).are_all());
        assert!(line(|at| wave(2_100.0, at)).are_all(), "a modem");
    }

    #[test]
    fn a_voice_is_no_tone_nor_is_silence() {
        let voice = |at: f32| {
            let pitch = 120.0 + 15.0 * (at * 4.0).sin();
            (1..25).map(|n| wave(pitch * n as f32, at) / n as f32).sum::<f32>() / 2.0
        };
        assert!(!line(voice).are_all());
        assert!(!line(|_| 0.0).are_all());
    }

    #[test]
    fn what_people_say_in_the_fixtures_is_no_tone() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mini-whisper/wav");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let clips: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "wav")).collect();
        assert!(clips.len() > 5);
        for path in clips {
            let mut tones = Tones::default();
            tones.push(&crate::speech::wav::Wav::read(&path).unwrap().mono(crate::speech::RATE));
            assert!(!tones.are_all(), "{}", path.display());
        }
    }
}
