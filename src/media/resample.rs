//! Between 8 and 16 kHz, as the sound flows: half-band polyphase filters with a pass band to 3.4 kHz. Delay 17 samples of 8 kHz (2.1 ms).

use std::sync::LazyLock;

use super::{FRAME, Pcm};

/// Samples of 20 ms at 16 kHz.
pub const WIDE: usize = 2 * FRAME;

/// Taps that are not zero, beside the middle one: offsets −33, −31 … 33 at 16 kHz.
const TAPS: usize = 34;
const KEPT: usize = TAPS - 1;
const MIDDLE: usize = TAPS / 2 - 1;
/// Kaiser window of about −80 dB.
const BETA: f64 = 8.0;

static ODD_TAPS: LazyLock<[f32; TAPS]> = LazyLock::new(|| {
    let reach = TAPS as f64;
    std::array::from_fn(|at| {
        let offset = (TAPS - 1) as f64 - 2.0 * at as f64;
        let angle = std::f64::consts::FRAC_PI_2 * offset;
        let window = bessel(BETA * (1.0 - (offset / reach).powi(2)).sqrt()) / bessel(BETA);
        (angle.sin() / angle * window) as f32
    })
});

/// 8 kHz to 16 kHz.
#[derive(Clone, Debug)]
pub struct Up {
    past: [f32; KEPT + FRAME],
}

impl Default for Up {
    fn default() -> Up {
        Up { past: [0.0; KEPT + FRAME] }
    }
}

impl Up {
    /// Takes 20 ms and gives 20 ms.
    pub fn process(&mut self, narrow: &Pcm, wide: &mut [i16; WIDE]) {
        let taps = &*ODD_TAPS;
        self.past[KEPT..].iter_mut().zip(narrow).for_each(|(slot, sample)| *slot = f32::from(*sample));
        for (at, pair) in wide.chunks_exact_mut(2).enumerate() {
            let window = &self.past[at..at + TAPS];
            pair[0] = rounded(window[MIDDLE]);
            pair[1] = rounded(dot(taps, window));
        }
        self.past.copy_within(FRAME.., 0);
    }
}

/// 16 kHz to 8 kHz.
#[derive(Clone, Debug)]
pub struct Down {
    even: [f32; KEPT + FRAME],
    odd: [f32; KEPT + FRAME],
}

impl Default for Down {
    fn default() -> Down {
        Down { even: [0.0; KEPT + FRAME], odd: [0.0; KEPT + FRAME] }
    }
}

impl Down {
    /// Takes 20 ms and gives 20 ms.
    pub fn process(&mut self, wide: &[i16; WIDE], narrow: &mut Pcm) {
        let taps = &*ODD_TAPS;
        for (at, pair) in wide.chunks_exact(2).enumerate() {
            self.even[KEPT + at] = f32::from(pair[0]);
            self.odd[KEPT + at] = f32::from(pair[1]);
        }
        for (at, sample) in narrow.iter_mut().enumerate() {
            // The odd samples lie half a narrow sample behind the even ones: the middle even one has 17 odd ones on each side.
            let around = dot(taps, &self.odd[at..at + TAPS]);
            *sample = rounded(0.5 * (self.even[at + MIDDLE + 1] + around));
        }
        self.even.copy_within(FRAME.., 0);
        self.odd.copy_within(FRAME.., 0);
    }
}

fn dot(taps: &[f32; TAPS], window: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0f32; LANES];
    let whole = TAPS / LANES * LANES;
    for (taps, samples) in taps[..whole].chunks_exact(LANES).zip(window[..whole].chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += taps[lane] * samples[lane];
        }
    }
    let rest: f32 = taps[whole..].iter().zip(&window[whole..]).map(|(tap, sample)| tap * sample).sum();
    sums.iter().sum::<f32>() + rest
}

/// To the nearest whole number, saturating.
fn rounded(value: f32) -> i16 {
    (value + 0.5f32.copysign(value)) as i16
}

/// The modified Bessel function of order zero.
fn bessel(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..40 {
        term *= quarter / f64::from(n * n);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tone::{rms, share};

    const SECOND: usize = 50;

    fn sine(hertz: f64, rate: f64, count: usize) -> Vec<i16> {
        (0..count).map(|at| ((std::f64::consts::TAU * hertz / rate * at as f64).sin() * 16_000.0).round() as i16).collect()
    }

    fn up(samples: &[i16]) -> Vec<i16> {
        let mut up = Up::default();
        let mut wide = [0; WIDE];
        samples
            .as_chunks::<FRAME>()
            .0
            .iter()
            .flat_map(|frame| {
                up.process(frame, &mut wide);
                wide
            })
            .collect()
    }

    fn down(samples: &[i16]) -> Vec<i16> {
        let mut down = Down::default();
        let mut narrow = [0; FRAME];
        samples
            .as_chunks::<WIDE>()
            .0
            .iter()
            .flat_map(|frame| {
                down.process(frame, &mut narrow);
                narrow
            })
            .collect()
    }

    #[test]
    fn images_of_the_voice_band_stay_below_60_db() {
        for hertz in [300.0, 1_000.0, 2_000.0, 3_000.0, 3_400.0] {
            let wide = up(&sine(hertz, 8_000.0, SECOND * FRAME));
            let steady = &wide[WIDE..WIDE * 41];
            assert!((rms(steady) / (16_000.0 / 2f64.sqrt()) - 1.0).abs() < 0.01, "{hertz} Hz keeps its level");
            let image = share(steady, 16_000, 8_000.0 - hertz);
            assert!(image < 1e-6, "{hertz} Hz: image {image:e}");
        }
    }

    #[test]
    fn what_lies_above_the_narrow_band_folds_below_60_db() {
        for hertz in [4_600.0, 5_000.0, 6_000.0, 7_500.0] {
            let narrow = down(&sine(hertz, 16_000.0, SECOND * WIDE));
            let alias = rms(&narrow[FRAME..]) / (16_000.0 / 2f64.sqrt());
            assert!(alias < 1e-3, "{hertz} Hz: alias {alias:e}");
        }
        let kept = down(&sine(3_000.0, 16_000.0, SECOND * WIDE));
        assert!((rms(&kept[FRAME..]) / (16_000.0 / 2f64.sqrt()) - 1.0).abs() < 0.01);
    }

    #[test]
    fn up_and_down_again_is_the_same_sound_a_little_later() {
        let sound = sine(1_234.0, 8_000.0, SECOND * FRAME);
        let back = down(&up(&sound));
        let worst = (FRAME..back.len()).map(|at| (i32::from(back[at]) - i32::from(sound[at - 33])).abs()).max();
        let other = (FRAME..back.len()).map(|at| (i32::from(back[at]) - i32::from(sound[at - 34])).abs()).max();
        assert!(worst.min(other) < Some(30), "{worst:?} {other:?}");
    }
}
