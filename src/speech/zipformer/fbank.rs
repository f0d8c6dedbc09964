//! Kaldi's log-mel filter bank as the models were trained with it: 80 bands, 25 ms every 10 ms, povey window, no dither.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Bands of one frame.
pub const BANDS: usize = 80;
const WINDOW: usize = 400;
const SHIFT: usize = 160;
const FFT: usize = 512;
const RATE: f32 = 16_000.0;
const LOWEST: f32 = 20.0;
const HIGHEST: f32 = 7_600.0;
const EMPHASIS: f32 = 0.97;
/// The first frame begins this far before the first sample (`snip_edges=false`); what is missing is mirrored.
const LEAD: usize = (WINDOW - SHIFT) / 2;

/// Turns a stream of samples into frames.
pub struct Fbank {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    bands: Vec<(usize, Vec<f32>)>,
}

impl Fbank {
    /// Prepares tables; shared by all streams of a thread.
    pub fn new() -> Fbank {
        let window = (0..WINDOW)
            .map(|at| {
                let hann = 0.5 - 0.5 * (std::f32::consts::TAU * at as f32 / (WINDOW - 1) as f32).cos();
                hann.powf(0.85)
            })
            .collect();
        Fbank { fft: RealFftPlanner::new().plan_fft_forward(FFT), window, bands: bands() }
    }

    /// Takes all whole frames out of `stream` and appends them to `frames`.
    pub fn run(&self, stream: &mut Stream, frames: &mut Vec<[f32; BANDS]>) {
        while stream.samples.len() >= stream.begin() + WINDOW {
            let from = stream.begin();
            frames.push(self.frame(&stream.samples[from..from + WINDOW]));
            stream.at += SHIFT;
        }
        stream.forget();
    }

    fn frame(&self, samples: &[f32]) -> [f32; BANDS] {
        let mean = samples.iter().sum::<f32>() / WINDOW as f32;
        let mut input = [0.0f32; FFT];
        let mut before = samples[0] - mean;
        for (at, sample) in samples.iter().enumerate() {
            let sample = sample - mean;
            input[at] = (sample - EMPHASIS * before) * self.window[at];
            before = sample;
        }
        let mut spectrum = vec![Complex::new(0.0f32, 0.0); FFT / 2 + 1];
        // Lengths fit by construction, which is the only thing it can complain about.
        if self.fft.process(&mut input, &mut spectrum).is_err() {
            return [0.0; BANDS];
        }
        let power: Vec<f32> = spectrum.iter().map(Complex::norm_sqr).collect();
        std::array::from_fn(|band| {
            let (first, weights) = &self.bands[band];
            let energy: f32 = weights.iter().zip(&power[*first..]).map(|(weight, power)| weight * power).sum();
            energy.max(f32::EPSILON).ln()
        })
    }
}

/// Samples that still belong to a frame to come.
#[derive(Default)]
pub struct Stream {
    samples: Vec<f32>,
    at: usize,
    is_mirrored: bool,
}

impl Stream {
    /// More sound.
    pub fn push(&mut self, pcm: &[i16]) {
        self.samples.extend(pcm.iter().map(|sample| f32::from(*sample) / 32_768.0));
        if !self.is_mirrored && self.samples.len() >= WINDOW {
            let lead: Vec<f32> = self.samples[..LEAD].iter().rev().copied().collect();
            self.samples.splice(0..0, lead);
            self.is_mirrored = true;
        }
    }

    fn begin(&self) -> usize {
        if self.is_mirrored { self.at } else { usize::MAX - WINDOW }
    }

    fn forget(&mut self) {
        if self.is_mirrored {
            self.samples.drain(..self.at.min(self.samples.len()));
            self.at = 0;
        }
    }
}

fn mel(hertz: f32) -> f32 {
    1127.0 * (1.0 + hertz / 700.0).ln()
}

/// For each band its first bin and the weights from there on.
fn bands() -> Vec<(usize, Vec<f32>)> {
    let (low, high) = (mel(LOWEST), mel(HIGHEST));
    let step = (high - low) / (BANDS + 1) as f32;
    (0..BANDS)
        .map(|band| {
            let (left, center, right) = (low + band as f32 * step, low + (band + 1) as f32 * step, low + (band + 2) as f32 * step);
            let weight = |bin: usize| {
                let at = mel(bin as f32 * RATE / FFT as f32);
                if at <= left || at >= right {
                    0.0
                } else if at <= center {
                    (at - left) / (center - left)
                } else {
                    (right - at) / (right - center)
                }
            };
            let bins: Vec<usize> = (0..FFT / 2).filter(|bin| weight(*bin) > 0.0).collect();
            let first = bins.first().copied().unwrap_or(0);
            (first, bins.iter().map(|bin| weight(*bin)).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_lights_its_band_and_chunks_do_not_matter() {
        let pcm: Vec<i16> = (0..16_000).map(|at| ((at as f32 * 0.4).sin() * 8_000.0) as i16).collect();
        let fbank = Fbank::new();
        let mut whole = Vec::new();
        let mut stream = Stream::default();
        stream.push(&pcm);
        fbank.run(&mut stream, &mut whole);
        let mut parts = Vec::new();
        let mut stream = Stream::default();
        for part in pcm.chunks(317) {
            stream.push(part);
            fbank.run(&mut stream, &mut parts);
        }
        assert_eq!(whole, parts);
        // 16,000 samples behind a mirrored lead of 120: the last whole window begins at 15,560.
        assert_eq!(whole.len(), 99);
        let loudest = (0..BANDS).max_by(|a, b| whole[50][*a].total_cmp(&whole[50][*b])).unwrap();
        // 0.4 radians a sample are 1,019 Hz: mel 1,013 of 32 … 2,788 in 81 steps.
        assert!((27..=30).contains(&loudest), "band {loudest}");
    }
}
