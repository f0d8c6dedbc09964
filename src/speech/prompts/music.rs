//! The built-in hold music: a slow round of plucked chords, made from sines here, so that nobody's rights are touched.

use std::f64::consts::TAU;

const RATE: f64 = 8_000.0;
/// Seconds of one plucked note's step.
const STEP: f64 = 0.42;
/// Loudness of one note: soft enough to talk over.
const LEVEL: f64 = 1_900.0;
/// Seconds in which a note falls to a third.
const FADE: f64 = 1.1;
/// A note sounds this long at most, in steps.
const RING: usize = 6;
/// Harmonics and their shares.
const HARMONICS: [(f64, f64); 4] = [(1.0, 1.0), (2.0, 0.38), (3.0, 0.14), (4.0, 0.05)];

/// Chords as MIDI notes from low to high: C – Am7 – Fmaj7 – G6, then C – Em7 – Dm7 – G.
const CHORDS: [[u8; 4]; 8] = [
    [48, 60, 64, 67],
    [45, 57, 64, 67],
    [41, 57, 60, 64],
    [43, 59, 62, 64],
    [48, 60, 64, 67],
    [40, 59, 62, 67],
    [50, 57, 60, 65],
    [43, 59, 62, 67],
];
/// The order in which a chord's notes are plucked.
const PATTERN: [usize; 8] = [0, 1, 2, 3, 2, 1, 3, 2];

/// About 27 seconds that run into their own beginning without a seam, 8 kHz.
#[must_use]
pub fn hold_music() -> Vec<i16> {
    let step = (STEP * RATE) as usize;
    let length = step * PATTERN.len() * CHORDS.len();
    let mut mix = vec![0.0f64; length];
    for (bar, chord) in CHORDS.iter().enumerate() {
        for (place, note) in PATTERN.iter().enumerate() {
            pluck(&mut mix, (bar * PATTERN.len() + place) * step, chord[*note], RING * step);
        }
    }
    mix.iter().map(|sample| sample.clamp(-30_000.0, 30_000.0) as i16).collect()
}

/// Adds one note; what rings beyond the end is heard at the beginning, so that the round closes.
fn pluck(mix: &mut [f64], at: usize, note: u8, samples: usize) {
    let hertz = 440.0 * 2f64.powf((f64::from(note) - 69.0) / 12.0);
    let length = mix.len();
    for sample in 0..samples {
        let time = sample as f64 / RATE;
        let attack = (time / 0.012).min(1.0);
        let release = 1.0 - (sample as f64 / samples as f64).powi(4);
        let envelope = attack * release * (-time / FADE).exp() * LEVEL;
        let tone: f64 = HARMONICS.iter().map(|(times, share)| share * (TAU * hertz * times * time).sin()).sum();
        mix[(at + sample) % length] += envelope * tone;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_music_is_neither_silent_nor_clipped_and_its_seam_is_not_heard() {
        let music = hold_music();
        let peak = music.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((4_000..29_000).contains(&peak), "peak {peak}");
        assert!(music.chunks(8_000).all(|second| second.iter().any(|sample| sample.unsigned_abs() > 800)));
        let seam = i32::from(music[0]) - i32::from(music[music.len() - 1]);
        assert!(seam.abs() < 1_500, "a jump of {seam}");
    }
}
