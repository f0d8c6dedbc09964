//! Resampling of whole sounds between any two rates: windowed-sinc, polyphase, no delay. Streams of live calls are resampled in `media`.

/// Zero crossings of the sinc on each side.
const CROSSINGS: usize = 10;
/// The Kaiser window's shape: −60 dB of alias. With ten crossings this is what most speech models were trained behind.
const BETA: f64 = 5.0;

/// Gives `pcm` of `from` samples a second as `to` samples a second.
#[must_use]
pub fn resample(pcm: &[i16], from: u32, to: u32) -> Vec<i16> {
    if from == to || pcm.is_empty() {
        return pcm.to_vec();
    }
    let divisor = gcd(from, to);
    let (up, down) = ((to / divisor) as usize, (from / divisor) as usize);
    let kernel = Kernel::new(up, down);
    let length = (pcm.len() * up).div_ceil(down);
    (0..length).map(|at| kernel.sample(pcm, at * down / up, at * down % up)).collect()
}

/// One row of weights for each fractional position.
struct Kernel {
    half: usize,
    rows: Vec<Vec<f32>>,
}

impl Kernel {
    fn new(up: usize, down: usize) -> Kernel {
        let cutoff = (up as f64 / down as f64).min(1.0);
        let half = (CROSSINGS as f64 / cutoff).ceil() as usize;
        let rows = (0..up).map(|phase| row(phase as f64 / up as f64, half, cutoff)).collect();
        Kernel { half, rows }
    }

    fn sample(&self, pcm: &[i16], center: usize, phase: usize) -> i16 {
        let row = &self.rows[phase];
        let first = center as isize + 1 - self.half as isize;
        let sum: f32 = row
            .iter()
            .enumerate()
            .map(|(at, weight)| {
                let index = first + at as isize;
                usize::try_from(index).ok().and_then(|index| pcm.get(index)).map_or(0.0, |sample| weight * f32::from(*sample))
            })
            .sum();
        sum.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
    }
}

fn row(fraction: f64, half: usize, cutoff: f64) -> Vec<f32> {
    let weights: Vec<f64> = (0..2 * half)
        .map(|at| {
            let distance = at as f64 + 1.0 - half as f64 - fraction;
            let angle = std::f64::consts::PI * distance * cutoff;
            let sinc = if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle };
            let place = distance / half as f64;
            let window = if place.abs() >= 1.0 { 0.0 } else { bessel(BETA * (1.0 - place * place).sqrt()) };
            sinc * window
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| (weight / sum) as f32).collect()
}

/// The modified Bessel function of order zero, by its series.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    (1..)
        .map_while(|k| {
            term *= (x / (2.0 * f64::from(k))).powi(2);
            (term > 1e-12).then_some(term)
        })
        .sum::<f64>()
        + 1.0
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hertz: f64, rate: u32, samples: usize) -> Vec<i16> {
        (0..samples).map(|at| ((at as f64 * hertz / f64::from(rate) * std::f64::consts::TAU).sin() * 10_000.0) as i16).collect()
    }

    fn level(pcm: &[i16]) -> f64 {
        let middle = &pcm[pcm.len() / 4..pcm.len() * 3 / 4];
        (middle.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / middle.len() as f64).sqrt()
    }

    #[test]
    fn a_tone_keeps_its_level_and_its_length() {
        for (from, to) in [(22_050, 8_000), (8_000, 16_000), (44_100, 8_000), (16_000, 8_000)] {
            let out = resample(&sine(1_000.0, from, from as usize), from, to);
            assert_eq!(out.len(), to as usize, "{from} to {to}");
            let wanted = level(&sine(1_000.0, to, to as usize));
            assert!((level(&out) / wanted - 1.0).abs() < 0.01, "{from} to {to}");
        }
    }

    #[test]
    fn what_is_above_the_new_nyquist_frequency_is_gone() {
        let out = resample(&sine(6_000.0, 22_050, 22_050), 22_050, 8_000);
        assert!(level(&out) < 10.0, "alias of {}", level(&out));
    }
}
