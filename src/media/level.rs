//! Levels brought together (automatic gain control): who speaks low is heard as well as who speaks loud, slowly and without a click.

use super::tone::power;
use super::{FRAME, Pcm};

/// The loudness of speech that is aimed at: −22 dBFS (RMS of 32,768 × 10^(−22/20)), what telephones send (ITU-T P.56 levels of −20 to −26).
const WANTED: f32 = 2_600.0;
/// Frames below this are background and say nothing of a voice: −48 dBFS.
const QUIET: f32 = 130.0;
/// The most that is added: 12 dB.
const MOST: f32 = 4.0;
/// The most that is taken away: 9 dB.
const LEAST: f32 = 0.355;
/// A voice that becomes louder is believed at once, one that becomes lower after a second or so.
const RISE: f32 = 0.3;
const FALL: f32 = 0.02;
/// A tick raises the gain by at most 0.12 dB (6 dB a second) and lowers it by at most 1 dB.
const RAISE: f32 = 1.014;
const LOWER: f32 = 0.891;
/// No sample may become louder than this.
const FULL: f32 = 32_000.0;

/// The gain of one mouth.
#[derive(Clone, Copy, Debug)]
pub struct Leveller {
    /// How loud its speech is, as an RMS of samples; nothing is known before it spoke.
    voice: Option<f32>,
    /// The gain at the beginning and at the end of this tick.
    from: f32,
    to: f32,
}

impl Default for Leveller {
    fn default() -> Leveller {
        Leveller { voice: None, from: 1.0, to: 1.0 }
    }
}

impl Leveller {
    /// Hears what is said in this tick.
    pub fn hear(&mut self, spoken: &Pcm) {
        let loudness = power(spoken).sqrt();
        if loudness > QUIET {
            let before = self.voice.unwrap_or(loudness);
            self.voice = Some(before + (loudness - before) * if loudness > before { RISE } else { FALL });
        }
        self.from = self.to;
        let wanted = self.voice.map_or(1.0, |voice| (WANTED / voice).clamp(LEAST, MOST));
        self.to = wanted.clamp(self.from * LOWER, self.from * RAISE);
        let peak = spoken.iter().map(|sample| f32::from(*sample).abs()).fold(0.0, f32::max);
        self.to = self.to.min(FULL / peak.max(1.0)).max(LEAST);
    }

    /// The gain of a sample of this tick.
    #[must_use]
    pub fn at(&self, sample: usize) -> f32 {
        self.from + (self.to - self.from) * sample as f32 / FRAME as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of a sine after it was heard for `seconds`: its loudness and its largest step.
    fn heard(leveller: &mut Leveller, peak: f32, seconds: usize) -> (f32, f32) {
        let (mut last, mut step, mut sum) = (0.0f32, 0.0f32, 0.0f32);
        for tick in 0..(seconds + 1) * 50 {
            let mut pcm = [0; FRAME];
            for (at, sample) in pcm.iter_mut().enumerate() {
                *sample = (peak * ((tick * FRAME + at) as f32 * 0.157).sin()) as i16;
            }
            leveller.hear(&pcm);
            for (at, sample) in pcm.iter().enumerate() {
                let louder = f32::from(*sample) * leveller.at(at);
                step = step.max((louder - last).abs());
                last = louder;
                if tick >= seconds * 50 {
                    sum += louder * louder;
                }
            }
        }
        ((sum / 8_000.0).sqrt(), step / last.abs().max(peak))
    }

    #[test]
    fn a_low_voice_and_a_loud_one_come_together_and_nothing_clicks() {
        for peak in [1_000.0, 3_700.0, 10_000.0] {
            let (loudness, step) = heard(&mut Leveller::default(), peak, 4);
            assert!((WANTED * 0.9..WANTED * 1.1).contains(&loudness), "{peak}: {loudness}");
            assert!(step < 0.6, "{peak}: a step of {step} of its peak");
        }
    }

    #[test]
    fn a_whisper_is_raised_by_no_more_than_12_db_and_the_background_not_at_all() {
        let (loudness, _) = heard(&mut Leveller::default(), 250.0, 6);
        assert!((loudness / (250.0 / std::f32::consts::SQRT_2) - MOST).abs() < 0.1, "{loudness}");
        let mut quiet = Leveller::default();
        heard(&mut quiet, 100.0, 6);
        assert!((quiet.at(0) - 1.0).abs() < 0.001);
    }

    #[test]
    fn a_shout_after_a_whisper_is_never_cut_off() {
        let mut leveller = Leveller::default();
        heard(&mut leveller, 300.0, 6);
        let mut shout = [30_000; FRAME];
        shout.iter_mut().step_by(2).for_each(|sample| *sample = -30_000);
        leveller.hear(&shout);
        leveller.hear(&shout);
        assert!(30_000.0 * leveller.at(0).max(leveller.at(FRAME)) <= FULL + 1.0);
    }
}
