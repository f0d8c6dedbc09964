//! Concealment of lost sound: the last pitch period goes on and fades out within 60 ms (after ITU-T G.711 Appendix I), then quiet
//! noise as loud as the background was, so that a pause sounds like a pause. Comfort noise (RFC 3389) is that noise at the level the
//! peer names.

use super::jitter::HALF;
use super::stretch::PAST;

const KEPT: usize = 400;
const SHORTEST: usize = 40;
const LONGEST: usize = 160;
const COMPARED: usize = 160;
const OVERLAP: usize = 32;
/// Full loudness for 10 ms, silence after 60 ms.
const HOLD: usize = 80;
const FADED: usize = 480;
const FLOOR_RISE: f32 = 1.02;
/// Noise is never louder than −50 dBFS.
const MOST_FLOOR: f32 = 100.0;
/// A change to comfort noise takes 10 ms.
const COMFORT_FADE: usize = 80;
/// Comfort noise of level 0.
const FULL_SCALE: f32 = 32_768.0;
/// Uniform noise in ±1 has an RMS of 1/√3.
const NOISE_SCALE: f32 = 1.732;

/// Remembers what was heard and goes on with it.
#[derive(Clone, Debug)]
pub struct Conceal {
    past: [i16; KEPT],
    period: [i16; LONGEST],
    lag: usize,
    /// Samples made up since the last real one; zero while sound is real.
    made_up: usize,
    floor: f32,
    noise: u32,
}

impl Default for Conceal {
    fn default() -> Conceal {
        Conceal { past: [0; KEPT], period: [0; LONGEST], lag: SHORTEST, made_up: 0, floor: 0.0, noise: 1 }
    }
}

impl Conceal {
    /// Sound came: joins it smoothly to what was made up and remembers it.
    pub fn heard(&mut self, sound: &mut [i16]) {
        if self.made_up > 0 {
            for (at, sample) in sound.iter_mut().take(OVERLAP).enumerate() {
                let share = (at + 1) as f32 / OVERLAP as f32;
                *sample = (f32::from(*sample) * share + self.next() * (1.0 - share)) as i16;
            }
            self.made_up = 0;
        }
        sound.chunks(HALF).for_each(|half| self.measure(half));
        self.remember(sound);
    }

    /// Sound is missing: makes it up. True once nothing but background noise is left.
    pub fn missed(&mut self, sound: &mut [i16]) -> bool {
        if self.made_up == 0 {
            self.find_period();
        }
        for sample in sound.iter_mut() {
            *sample = self.next() as i16;
        }
        self.remember(sound);
        self.made_up > FADED
    }

    /// The peer is silent, and its background so many decibels below full scale (RFC 3389 §3): makes that noise, faded in from the last
    /// sound.
    pub fn comfort(&mut self, below: u8, sound: &mut [i16]) {
        if self.made_up == 0 {
            self.find_period();
        }
        self.made_up = self.made_up.max(FADED - COMFORT_FADE);
        self.floor = FULL_SCALE * 10f32.powf(-f32::from(below) / 20.0);
        self.missed(sound);
    }

    /// The last sound, real or made up.
    #[must_use]
    pub fn past(&self) -> &[i16; PAST] {
        self.past.last_chunk().expect("more is kept")
    }

    /// Forgets the past (another source).
    pub fn restart(&mut self) {
        *self = Conceal { noise: self.noise, ..Conceal::default() };
    }

    fn next(&mut self) -> f32 {
        let at = self.made_up;
        self.made_up = (at + 1).min(FADED + LONGEST);
        let noise = self.background();
        if at >= FADED {
            return noise;
        }
        let fade = if at < HOLD { 1.0 } else { (FADED - at) as f32 / (FADED - HOLD) as f32 };
        f32::from(self.period[at % self.lag]) * fade + noise * (1.0 - fade)
    }

    fn background(&mut self) -> f32 {
        self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.noise >> 8) as f32 / (1u32 << 23) as f32 * self.floor * NOISE_SCALE - self.floor * NOISE_SCALE
    }

    /// Follows the quietest level: down at once, up slowly.
    fn measure(&mut self, half: &[i16]) {
        let length = half.len() as f32;
        let power: f32 = half.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
        let level = (power / length).sqrt();
        self.floor = if level < self.floor { level } else { (self.floor * FLOOR_RISE + 0.01).min(level) }.min(MOST_FLOOR);
    }

    fn remember(&mut self, sound: &[i16]) {
        let newest = &sound[sound.len().saturating_sub(KEPT)..];
        self.past.copy_within(newest.len().., 0);
        self.past[KEPT - newest.len()..].copy_from_slice(newest);
    }

    /// The lag at which the newest sound is most like the sound before it, and one period of it that can follow itself.
    fn find_period(&mut self) {
        let newest = &self.past[KEPT - COMPARED..];
        let likeness = |lag: usize| {
            let before = &self.past[KEPT - COMPARED - lag..KEPT - lag];
            let cross: f32 = newest.iter().zip(before).map(|(one, other)| f32::from(*one) * f32::from(*other)).sum();
            let power: f32 = before.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
            cross / (power + 1.0).sqrt()
        };
        self.lag = (SHORTEST..=LONGEST).max_by(|one, other| likeness(*one).total_cmp(&likeness(*other))).unwrap_or(LONGEST);
        let lag = self.lag;
        let quarter = lag / 4;
        for at in 0..lag {
            let last = f32::from(self.past[KEPT - lag + at]);
            let before = f32::from(self.past[KEPT - 2 * lag + at]);
            let share = if at + quarter < lag { 0.0 } else { (at + quarter + 1 - lag) as f32 / (quarter + 1) as f32 };
            self.period[at] = (last * (1.0 - share) + before * share) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tone::{rms, share};
    use crate::media::{Audio, RATE};

    #[test]
    fn a_voiced_sound_goes_on_through_a_loss_without_a_step() {
        let tone = Audio::tone(200, 400);
        let mut conceal = Conceal::default();
        let mut out = Vec::new();
        for (at, half) in tone.linear().chunks_exact(HALF).enumerate() {
            let mut half = half.to_vec();
            if at == 20 || at == 21 {
                conceal.missed(&mut half);
            } else {
                conceal.heard(&mut half);
            }
            out.extend(half);
        }
        let step = out[1_000..2_400].windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max();
        assert!(step < Some(3_000), "a sine of 200 Hz moves 1,900 a sample at most, this {step:?}");
        assert!(share(&out[1_600..1_760], RATE, 200.0) > 0.85);
        assert!(rms(&out[1_600..1_760]) > 6_000.0);
    }

    #[test]
    fn a_long_loss_fades_to_the_background() {
        let mut conceal = Conceal::default();
        for half in Audio::tone(300, 200).linear().chunks_exact(HALF) {
            conceal.heard(&mut half.to_vec());
        }
        let mut last = [0; HALF];
        let ended = (0..10).map(|_| conceal.missed(&mut last)).collect::<Vec<_>>();
        assert_eq!(ended.iter().position(|over| *over), Some(6));
        assert!(rms(&last) < 150.0, "{}", rms(&last));
    }

    #[test]
    fn before_any_sound_there_is_silence() {
        let mut half = [7; HALF];
        Conceal::default().missed(&mut half);
        assert_eq!(half, [0; HALF]);
    }

    #[test]
    fn comfort_noise_has_the_level_the_peer_names() {
        let mut conceal = Conceal::default();
        for half in Audio::tone(300, 200).linear().chunks_exact(HALF) {
            conceal.heard(&mut half.to_vec());
        }
        let mut noise = vec![0; 800];
        conceal.comfort(50, &mut noise);
        let level = 20.0 * (rms(&noise[160..]) / 32_768.0).log10();
        assert!((level + 50.0).abs() < 1.0, "{level}");
    }
}
