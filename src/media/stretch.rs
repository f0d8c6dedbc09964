//! Makes sound a little shorter or longer without being heard: by whole periods where it repeats itself, anywhere where it is quiet.

/// Samples that are compared before and behind a cut: 10 ms.
const COMPARED: usize = 80;
/// Samples of the fade from one side of a cut to the other: 5 ms.
const FADE: usize = 40;
/// The shortest and the longest piece that is taken out or put in: 5 and 20 ms.
const SHORTEST: usize = 40;
/// The longest piece.
pub const LONGEST: usize = 160;
/// Past that must be known.
pub const PAST: usize = COMPARED + LONGEST;
/// So much alike (correlation) both sides of a good cut are.
const ALIKE: f32 = 0.9;
/// Sound below −46 dBFS may be cut anywhere.
const QUIET: f32 = 160.0;

/// May a cut be heard?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Care {
    /// Only where it is not.
    Unheard,
    /// It has waited long enough: the best place there is.
    Anywhere,
}

/// Takes a piece of at most `most` samples out of the beginning of `sound`, which follows on `past`. Gives the samples taken out (at the
/// end of the slice nothing is left of them); zero when there is no good place.
pub fn shorten(past: &[i16; PAST], sound: &mut [i16], most: usize, care: Care) -> usize {
    let mut line = [0; PAST + LONGEST];
    let known = sound.len().min(LONGEST);
    line[..PAST].copy_from_slice(past);
    line[PAST..PAST + known].copy_from_slice(&sound[..known]);
    let longest = most.min(known.saturating_sub(FADE));
    let piece = |lag: usize| &line[PAST + lag - COMPARED..PAST + lag];
    let Some(lag) = best(&line[PAST - COMPARED..PAST], longest, care, piece) else { return 0 };
    for at in 0..FADE {
        sound[at] = faded(sound[at], sound[at + lag], at);
    }
    sound.copy_within(FADE + lag.., FADE);
    lag
}

/// Puts a piece of at most `most` samples before the `length` samples of `sound`, which follow on `past`; the slice has room for it
/// behind them. Gives the samples put in; zero when there is no good place.
pub fn lengthen(past: &[i16; PAST], sound: &mut [i16], length: usize, most: usize, care: Care) -> usize {
    let longest = most.min(LONGEST).min(sound.len() - length);
    let piece = |lag: usize| &past[PAST - lag - COMPARED..PAST - lag];
    if length < FADE {
        return 0;
    }
    let Some(lag) = best(&past[PAST - COMPARED..], longest, care, piece) else { return 0 };
    sound.copy_within(..length, lag);
    sound[..lag].copy_from_slice(&past[PAST - lag..]);
    for at in 0..FADE {
        sound[at] = faded(sound[at + lag], sound[at], at);
    }
    lag
}

/// The length of a piece after which the sound goes on most like `here`.
fn best<'a>(here: &[i16], longest: usize, care: Care, piece: impl Fn(usize) -> &'a [i16]) -> Option<usize> {
    if longest < SHORTEST {
        return None;
    }
    let power = energy(here);
    let (likeness, lag) =
        (SHORTEST..=longest).map(|lag| (likeness(here, power, piece(lag)), lag)).max_by(|one, other| one.0.total_cmp(&other.0))?;
    let quiet = QUIET * QUIET * COMPARED as f32;
    let unheard = likeness >= ALIKE || (power < quiet && energy(piece(lag)) < quiet);
    (unheard || care == Care::Anywhere).then_some(lag)
}

fn likeness(here: &[i16], power: f32, there: &[i16]) -> f32 {
    let cross: f32 = here.iter().zip(there).map(|(one, other)| f32::from(*one) * f32::from(*other)).sum();
    cross / (power * energy(there)).sqrt().max(1.0)
}

fn energy(sound: &[i16]) -> f32 {
    sound.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum()
}

fn faded(from: i16, to: i16, at: usize) -> i16 {
    let share = (at + 1) as f32 / (FADE + 1) as f32;
    (f32::from(from) * (1.0 - share) + f32::from(to) * share) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::random::Random;

    fn sine(period: f64, count: usize) -> Vec<i16> {
        (0..count).map(|at| ((std::f64::consts::TAU / period * at as f64).sin() * 8_000.0) as i16).collect()
    }

    fn past_of(line: &[i16]) -> [i16; PAST] {
        line[..PAST].try_into().unwrap()
    }

    fn step(line: &[i16]) -> i32 {
        line.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn a_voiced_sound_loses_and_gains_whole_periods_without_a_step() {
        for period in [40.0, 52.5, 66.0, 80.0, 110.0] {
            let line = sine(period, PAST + 160);
            let mut shorter = line[PAST..].to_vec();
            let cut = shorten(&past_of(&line), &mut shorter, LONGEST, Care::Unheard);
            assert!(cut > 0 && (cut as f64 / period).fract().min(1.0 - (cut as f64 / period).fract()) < 0.03, "{period}: {cut}");
            let joined = [&line[..PAST], &shorter[..160 - cut]].concat();
            assert!(step(&joined) <= step(&line) + 60, "{period}: {} beside {}", step(&joined), step(&line));
            let mut longer = line[PAST..].to_vec();
            longer.resize(160 + LONGEST, 0);
            let grown = lengthen(&past_of(&line), &mut longer, 160, LONGEST, Care::Unheard);
            assert!(grown > 0, "{period}");
            let joined = [&line[..PAST], &longer[..160 + grown]].concat();
            assert!(step(&joined) <= step(&line) + 60, "{period}: {} beside {}", step(&joined), step(&line));
        }
    }

    #[test]
    fn a_noise_is_left_alone_unless_it_is_quiet_or_it_must_be() {
        let noise = |loud: i32| -> Vec<i16> {
            let mut random = Random::new(5);
            (0..PAST + 160).map(|_| (random.unit() * 2.0 - 1.0) * f64::from(loud)).map(|one| one as i16).collect()
        };
        let cut = |loud, care| {
            let line = noise(loud);
            shorten(&past_of(&line), &mut line[PAST..].to_vec(), LONGEST, care)
        };
        assert_eq!(cut(8_000, Care::Unheard), 0);
        assert!(cut(100, Care::Unheard) > 0 && cut(8_000, Care::Anywhere) > 0);
    }

    #[test]
    fn too_little_sound_is_left_alone() {
        let line = sine(40.0, PAST + 160);
        assert_eq!(shorten(&past_of(&line), &mut [0; 60], LONGEST, Care::Anywhere), 0);
        assert_eq!(shorten(&past_of(&line), &mut line[PAST..].to_vec(), 39, Care::Anywhere), 0);
        assert_eq!(lengthen(&past_of(&line), &mut [0; 20], 20, LONGEST, Care::Anywhere), 0);
    }
}
