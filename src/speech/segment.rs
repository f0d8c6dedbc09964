//! Finding speech in whole recordings, and asking whether an utterance holds any voice at all.

use std::ops::Range;

use earshot::Detector;

use super::RATE;

/// Samples the detector looks at in one step: 16 ms.
const STEP: usize = 256;
/// The score from which a step counts as voice.
const VOICE: f32 = 0.5;
/// Speech begins with this many voiced steps in a row (48 ms).
const BEGIN: usize = 3;

/// How speech is cut out of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Silence that ends an utterance, in milliseconds.
    pub silence_ms: u32,
    /// Sound kept before and after, in milliseconds.
    pub margin_ms: u32,
    /// The longest utterance in milliseconds: a longer one is cut at its quietest place.
    pub longest_ms: u32,
}

impl Default for Cut {
    fn default() -> Cut {
        Cut { silence_ms: 600, margin_ms: 240, longest_ms: 24_000 }
    }
}

/// The voice score of each 16 ms of a 16 kHz sound.
fn scores(pcm: &[i16]) -> Vec<f32> {
    let mut detector = Detector::default_boxed();
    pcm.chunks_exact(STEP).map(|step| detector.predict_i16(step)).collect()
}

/// Milliseconds of a 16 kHz sound in which a voice is likely.
#[must_use]
pub fn voiced_ms(pcm: &[i16]) -> u32 {
    let steps = scores(pcm).iter().filter(|score| **score >= VOICE).count();
    millis(steps * STEP)
}

/// The utterances of a 16 kHz sound, as ranges of samples in order, none overlapping.
#[must_use]
pub fn utterances(pcm: &[i16], cut: Cut) -> Vec<Range<usize>> {
    let scores = scores(pcm);
    let margin = samples(cut.margin_ms);
    let mut out: Vec<Range<usize>> = Vec::new();
    for steps in runs(&scores, samples(cut.silence_ms) / STEP) {
        for steps in split(steps, &scores, samples(cut.longest_ms) / STEP) {
            let earliest = out.last().map_or(0, |before| before.end);
            let start = (steps.start * STEP).saturating_sub(margin).max(earliest);
            out.push(start..(steps.end * STEP + margin).min(pcm.len()));
        }
    }
    out
}

/// Runs of voiced steps with less than `silence` steps of quiet between.
fn runs(scores: &[f32], silence: usize) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut voiced = 0;
    for (at, score) in scores.iter().enumerate() {
        voiced = if *score >= VOICE { voiced + 1 } else { 0 };
        match out.last_mut() {
            Some(run) if voiced > 0 && at - run.end < silence => run.end = at + 1,
            _ if voiced >= BEGIN => out.push(at + 1 - voiced..at + 1),
            _ => {}
        }
    }
    out
}

/// Cuts what is too long at its quietest step, never in the first or last quarter of the allowed length.
fn split(steps: Range<usize>, scores: &[f32], longest: usize) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut rest = steps;
    while rest.len() > longest {
        let places = rest.start + longest / 4..rest.start + longest;
        let at = places.min_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap_or(rest.start + longest).max(rest.start + 1);
        out.push(rest.start..at);
        rest.start = at;
    }
    out.push(rest);
    out
}

/// Samples in so many milliseconds at 16 kHz.
pub(super) fn samples(ms: u32) -> usize {
    (ms * (RATE / 1_000)) as usize
}

/// Milliseconds of so many samples at 16 kHz.
pub(super) fn millis(samples: usize) -> u32 {
    u32::try_from(samples / (RATE as usize / 1_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_between_words_does_not_end_an_utterance_but_longer_quiet_does() {
        let mut scores = vec![0.0; 100];
        scores[10..20].fill(0.9);
        scores[30..40].fill(0.9);
        scores[70..75].fill(0.9);
        scores[90..92].fill(0.9);
        assert_eq!(runs(&scores, 20), [10..40, 70..92]);
        assert_eq!(runs(&scores, 10), [10..20, 30..40, 70..75], "two steps alone are no speech");
    }

    #[test]
    fn what_is_too_long_is_cut_at_its_quietest_step() {
        let mut scores = vec![0.9; 50];
        scores[17] = 0.55;
        assert_eq!(split(0..30, &scores, 20), [0..17, 17..30]);
    }

    #[test]
    fn silence_holds_no_voice() {
        assert_eq!(voiced_ms(&vec![0; 16_000]), 0);
        assert!(utterances(&vec![0; 16_000], Cut::default()).is_empty());
    }
}
