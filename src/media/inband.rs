//! Keys heard in the sound (ITU-T Q.23, Q.24): for peers that neither agree on telephone-event nor send INFO.
//!
//! Goertzel filters at the eight frequencies, on blocks of 12.75 ms. A key counts when two blocks in a row say the same (a tone of 40 ms
//! has at least two whole ones), and again only after a pause. Speech has such pairs for an
//! instant now and then: what else is in the sound, and how steady the pair is, tells them apart.

use super::RATE;
use super::rtp::telephone_event;
use super::tone::{COLUMNS, PAD, ROWS};

/// Samples of a block: the bins of 78 Hz keep neighbouring frequencies (73 Hz apart at least) from each other.
const BLOCK: usize = 102;
/// Blocks in a row that make a key.
const STEADY: u8 = 2;
/// Blocks without the key after which it may come again: a pause of 40 ms, as Q.24 lets senders make.
const PAUSE: u8 = 2;
/// The two sines' share of all power in the block; 0.5 each when clean.
const SHARE: f32 = 0.75;
/// Quieter sines are none: −30 dBm0 or so, as mean square of 16-bit samples.
const QUIET: f32 = 20_000.0;
/// The column may be louder by 6 dB than the row, the row by 10 dB than the column (Q.24 asks for 4 and 8).
const COLUMN_OVER_ROW: f32 = 4.0;
const ROW_OVER_COLUMN: f32 = 10.0;
/// So much stronger than the next frequency of its group, 6 dB.
const OVER_NEXT: f32 = 4.0;

/// Listens for keys on one leg.
#[derive(Clone, Debug, Default)]
pub struct Inband {
    waiting: Waiting,
    seen: Option<char>,
    blocks: u8,
    /// The key that was told, until its pause.
    told: Option<char>,
    without: u8,
}

#[derive(Clone, Debug)]
struct Waiting {
    samples: [f32; BLOCK],
    filled: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        Waiting { samples: [0.0; BLOCK], filled: 0 }
    }
}

impl Inband {
    /// Hears more sound; answers with a key when one has been pressed.
    pub fn hear(&mut self, pcm: &[i16]) -> Option<char> {
        let mut pressed = None;
        for sample in pcm {
            self.waiting.samples[self.waiting.filled] = f32::from(*sample);
            self.waiting.filled += 1;
            if self.waiting.filled == BLOCK {
                self.waiting.filled = 0;
                let key = key_in(&self.waiting.samples);
                pressed = pressed.or(self.judge(key));
            }
        }
        pressed
    }

    fn judge(&mut self, key: Option<char>) -> Option<char> {
        self.blocks = if key == self.seen { self.blocks.saturating_add(1) } else { 1 };
        self.seen = key;
        if self.told.is_some() && key != self.told {
            self.without += 1;
            if self.without >= PAUSE {
                self.told = None;
            }
        } else {
            self.without = 0;
        }
        let key = key.filter(|_| self.blocks >= STEADY && self.told.is_none())?;
        self.told = Some(key);
        self.without = 0;
        Some(key)
    }
}

/// The key whose two sines make up this block.
fn key_in(block: &[f32; BLOCK]) -> Option<char> {
    let all = block.iter().map(|sample| sample * sample).sum::<f32>() / BLOCK as f32;
    if all < QUIET {
        return None;
    }
    let (row, row_power) = loudest(block, &ROWS)?;
    let (column, column_power) = loudest(block, &COLUMNS)?;
    let even = column_power <= COLUMN_OVER_ROW * row_power && row_power <= ROW_OVER_COLUMN * column_power;
    let pure = row_power + column_power >= SHARE * all;
    let code = PAD.iter().position(|place| *place == (row, column))?;
    telephone_event::key(u8::try_from(code).ok()?).filter(|_| even && pure)
}

/// The loudest of a group, when it stands out, and its mean square.
fn loudest(block: &[f32; BLOCK], group: &[f32; 4]) -> Option<(usize, f32)> {
    let powers = group.map(|hertz| power_at(block, hertz));
    let (best, power) = powers.into_iter().enumerate().max_by(|one, other| one.1.total_cmp(&other.1))?;
    let alone = powers.into_iter().enumerate().all(|(at, other)| at == best || power >= OVER_NEXT * other);
    alone.then_some((best, power))
}

/// The mean square of the sine of this frequency in a block (Goertzel).
fn power_at(block: &[f32; BLOCK], hertz: f32) -> f32 {
    let coefficient = 2.0 * (std::f32::consts::TAU * hertz / RATE as f32).cos();
    let (one, two) = block.iter().fold((0.0, 0.0), |(one, two), sample| (sample + coefficient * one - two, one));
    2.0 * (one * one + two * two - coefficient * one * two) / (BLOCK * BLOCK) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::random::Random;
    use crate::media::FRAME;
    use crate::media::codec::g711::{self, Law};

    /// How a pad presses: level of each sine (full scale 1.0), how far the column's is above the row's in dB, how far both are off in
    /// parts, and the noise's level.
    #[derive(Clone, Copy)]
    struct Pad {
        level: f32,
        twist: f32,
        off: f32,
        noise: f32,
    }

    const CLEAN: Pad = Pad { level: 0.2, twist: 0.0, off: 0.0, noise: 0.0 };

    fn pressed(keys: &str, on_ms: usize, off_ms: usize, pad: Pad) -> Vec<i16> {
        let mut random = Random::new(7);
        let mut noise = move || (random.below(20_001) as f32 / 10_000.0 - 1.0) * pad.noise * 32_768.0;
        let mut out: Vec<i16> = (0..400).map(|_| noise() as i16).collect();
        for key in keys.chars() {
            let (row, column) = PAD[usize::from(telephone_event::code(key).unwrap())];
            let sine = |at: usize, hertz: f32| (at as f32 * hertz * (1.0 + pad.off) * std::f32::consts::TAU / RATE as f32).sin();
            let column_level = pad.level * 10f32.powf(pad.twist / 20.0);
            let tone = |at: usize| (sine(at, ROWS[row]) * pad.level + sine(at, COLUMNS[column]) * column_level) * 32_768.0;
            out.extend((0..on_ms * 8).map(|at| (tone(at) + noise()).clamp(-32_768.0, 32_767.0) as i16));
            out.extend((0..off_ms * 8).map(|_| noise() as i16));
        }
        out
    }

    fn heard(sound: &[i16]) -> String {
        let mut ear = Inband::default();
        sound.chunks(FRAME).filter_map(|frame| ear.hear(frame)).collect()
    }

    const ALL: &str = "0123456789*#ABCD";

    #[test]
    fn every_key_is_heard_once_at_the_lengths_of_q_24_and_long_ones_too() {
        for (on, off) in [(45, 45), (60, 40), (100, 100), (700, 60)] {
            assert_eq!(heard(&pressed(ALL, on, off, CLEAN)), ALL, "{on} ms on, {off} ms off");
            assert_eq!(heard(&pressed("1122", on, off, CLEAN)), "1122", "{on} ms on, {off} ms off");
        }
    }

    #[test]
    fn too_short_too_quiet_and_too_far_off_are_no_keys() {
        assert_eq!(heard(&pressed(ALL, 15, 100, CLEAN)), "");
        assert_eq!(heard(&pressed(ALL, 80, 80, Pad { level: 0.002, ..CLEAN })), "");
        assert_eq!(heard(&pressed("159D", 80, 80, Pad { off: 0.05, ..CLEAN })), "");
    }

    #[test]
    fn pads_may_be_loud_quiet_uneven_off_and_noisy() {
        for pad in [
            Pad { level: 0.45, ..CLEAN },
            Pad { level: 0.02, ..CLEAN },
            Pad { twist: 4.0, ..CLEAN },
            Pad { twist: -8.0, ..CLEAN },
            Pad { off: 0.015, ..CLEAN },
            Pad { off: -0.015, ..CLEAN },
            Pad { noise: 0.05, ..CLEAN },
        ] {
            assert_eq!(
                heard(&pressed(ALL, 80, 80, pad)),
                ALL,
                "level {} twist {} off {} noise {}",
                pad.level,
                pad.twist,
                pad.off,
                pad.noise
            );
        }
    }

    #[test]
    fn both_laws_of_g711_keep_keys() {
        for law in [Law::Mu, Law::A] {
            let line: Vec<i16> =
                pressed(ALL, 60, 60, CLEAN).into_iter().map(|sample| g711::decode(law, g711::encode(law, sample))).collect();
            assert_eq!(heard(&line), ALL);
        }
    }

    #[test]
    fn nobody_presses_a_key_by_speaking() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mini-whisper/wav");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let mut clips = 0;
        for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "wav")) {
            let sound = crate::media::wav::read(&path).unwrap();
            assert_eq!(heard(sound.linear()), "", "{}", path.display());
            clips += 1;
        }
        assert!(clips > 5);
    }

    #[test]
    fn nobody_presses_a_key_by_speaking_for_minutes() {
        let shared = std::env::var("HOTLINE_SHARED").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").into());
        let folder = std::path::Path::new(&shared).join("data/speech");
        let (mut waiting, mut seconds, mut keys) = (vec![folder], 0.0, String::new());
        while let Some(folder) = waiting.pop() {
            for path in std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    waiting.push(path);
                } else if path.extension().is_some_and(|extension| extension == "wav") {
                    let Ok(sound) = crate::media::wav::read(&path) else { continue };
                    seconds += sound.duration().as_secs_f32();
                    keys += &heard(sound.linear());
                }
            }
        }
        if seconds == 0.0 {
            println!("SKIPPED: {shared}/data/speech is missing");
            return;
        }
        println!("{keys:?} in {seconds} s of speech");
        assert!(keys.is_empty(), "{keys:?} in {seconds} s of speech");
    }
}
