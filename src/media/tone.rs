//! Sines made and found: keys in band (ITU-T Q.23), Goertzel for tests and for phones that report what they hear.

use super::{Pcm, RATE};

pub(super) const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
pub(super) const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// −10 dBFS for each of the two sines.
const KEY_AMPLITUDE: f32 = 7_300.0;
/// Where each event code (0–9 * # A–D) stands on the pad: row, column.
pub(super) const PAD: [(usize, usize); 16] =
    [(3, 1), (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0), (3, 2), (0, 3), (1, 3), (2, 3), (3, 3)];

/// Makes the two sines of a key, frame after frame without a break.
#[derive(Clone, Copy, Debug)]
pub struct KeyTone {
    row: f32,
    column: f32,
    at: u32,
}

impl KeyTone {
    /// The tone of an RFC 4733 event code 0–15.
    #[must_use]
    pub fn new(code: u8) -> KeyTone {
        let (row, column) = PAD[usize::from(code & 0x0F)];
        KeyTone { row: ROWS[row], column: COLUMNS[column], at: 0 }
    }

    /// The next 20 ms.
    pub fn fill(&mut self, frame: &mut Pcm) {
        let step = std::f32::consts::TAU / RATE as f32;
        for sample in frame.iter_mut() {
            let at = self.at as f32 * step;
            *sample = (((self.row * at).sin() + (self.column * at).sin()) * KEY_AMPLITUDE) as i16;
            self.at += 1;
        }
    }
}

/// The share of the sound's energy that lies at `hertz`: 0.0 to about 1.0 (a pure sine). Goertzel over the whole slice.
#[must_use]
pub fn share(samples: &[i16], rate: u32, hertz: f64) -> f64 {
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    if energy == 0.0 {
        return 0.0;
    }
    let coefficient = 2.0 * (std::f64::consts::TAU * hertz / f64::from(rate)).cos();
    let (one, two) = samples.iter().fold((0.0, 0.0), |(one, two), sample| (f64::from(*sample) + coefficient * one - two, one));
    let power = one * one + two * two - coefficient * one * two;
    2.0 * power / (energy * samples.len() as f64)
}

/// Root mean square of the samples.
#[must_use]
pub fn rms(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    (samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
}

/// The frequency in `low..high` (steps of 10 Hz) with the largest share, and the share.
#[must_use]
pub fn strongest(samples: &[i16], rate: u32, low: u16, high: u16) -> Option<(u16, f64)> {
    (low..high)
        .step_by(10)
        .map(|hertz| (hertz, share(samples, rate, f64::from(hertz))))
        .filter(|(_, share)| *share > 0.0)
        .max_by(|one, other| one.1.total_cmp(&other.1))
}

/// The mean square of a frame, for comparisons of loudness.
#[must_use]
pub fn power(frame: &[i16]) -> f32 {
    frame.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum::<f32>() / frame.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::rtp::telephone_event::code;
    use crate::media::{Audio, FRAME};

    #[test]
    fn a_sine_is_found_at_its_frequency_only() {
        let tone = Audio::tone(440, 200);
        assert!(share(tone.linear(), RATE, 440.0) > 0.95);
        assert!(share(tone.linear(), RATE, 600.0) < 0.01);
        assert_eq!(strongest(tone.linear(), RATE, 300, 3_400).map(|(hertz, _)| hertz), Some(440));
        assert_eq!(strongest(&[0; 800], RATE, 300, 3_400), None);
    }

    #[test]
    fn a_key_has_its_row_and_its_column() {
        let mut frame = [0; FRAME];
        let mut sound = Vec::new();
        let mut tone = KeyTone::new(code('#').unwrap());
        (0..5).for_each(|_| {
            tone.fill(&mut frame);
            sound.extend_from_slice(&frame);
        });
        assert!(share(&sound, RATE, 941.0) > 0.45 && share(&sound, RATE, 1_477.0) > 0.45);
    }
}
