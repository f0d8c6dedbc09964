//! The acoustic model of phones by themselves, read from the files that libpocketsphinx reads: for each phone a set of Gaussians in
//! three streams (cepstra, their change, the change of that), and for each of its three states how much of each Gaussian is in it.
//!
//! All scores are costs in the library's own unit, so that they can be held against those of its grammars.

use std::path::{Path, PathBuf};

/// Numbers of a frame in each stream.
pub const WIDTH: usize = 13;
/// Cepstra, first and second differences.
pub const STREAMS: usize = 3;
/// States of a phone.
pub const STATES: usize = 3;
/// Gaussians of a phone in a stream.
pub const DENSITIES: usize = 128;
/// Gaussians that are reckoned side by side: what the processor's registers hold.
const LANES: usize = 8;
/// Blocks of them.
const BLOCKS: usize = DENSITIES / LANES;
/// After so many numbers of a frame most blocks are out of the question.
const LOOK: usize = 4;
/// A block of lanes: the heights, then mean and precision for each number.
const BLOCK: usize = LANES * (1 + 2 * WIDTH);
/// The library's unit of cost is ln(1.0001) · 1024.
const UNIT: f64 = 0.102_394_88;
/// What the library raises a smaller variance to.
const LEAST_VARIANCE: f32 = 1e-4;
/// No step costs more than this.
const DEAREST_STEP: i32 = 255;
/// Files of this format begin with some lines of text.
const END_OF_HEAD: &[u8] = b"endhdr\n";
/// And then this number, which shows the order of bytes.
const ORDER: u32 = 0x1122_3344;
/// Lines of a head that may come before the numbers.
const MOST_LINES: usize = 64;

/// Why the model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AcousticError {
    /// A file cannot be read.
    #[error("{path}: {source}; `apt-get install --reinstall pocketsphinx-en-us`")]
    Disk {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is cut short or belongs to a model of another kind.
    #[error("{path}: {what}; the model of pocketsphinx-en-us 0.8 is needed")]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Cost of staying in a state and of leaving it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    pub stay: i32,
    pub leave: i32,
}

/// The model; immutable and shared.
#[derive(Debug)]
pub struct Acoustic {
    /// How many phones there are.
    pub phones: usize,
    /// Which of them is silence.
    pub silence: usize,
    /// By phone.
    pub steps: Vec<[Step; STATES]>,
    /// By phone and stream, in blocks of lanes.
    gaussians: Vec<f32>,
    /// By phone and stream, by density: the states' costs of taking it.
    weights: Vec<[[u8; STATES]; DENSITIES]>,
    /// What the sum of two likelihoods is cheaper than the cheaper one, by the difference of their costs.
    sums: [u8; 256],
}

impl Acoustic {
    /// Reads the model's folder.
    ///
    /// # Errors
    /// A sentence that names the file, what is wrong with it and the mend.
    pub fn read(folder: &Path) -> Result<Acoustic, AcousticError> {
        let (phones, senones, silence) = File::open(folder, "mdef")?.counts()?;
        let means = File::open(folder, "means")?.densities(phones)?;
        let variances = File::open(folder, "variances")?.densities(phones)?;
        let order = order(&means);
        let weights = File::open(folder, "sendump")?.weights(phones, senones)?;
        let in_order =
            |(weights, order): (&[[u8; STATES]; DENSITIES], &[u8; DENSITIES])| order.map(|density| weights[usize::from(density)]);
        let weights = weights.iter().zip(&order).map(in_order).collect();
        let gaussians = gaussians(&means, &variances, &order);
        let steps = File::open(folder, "transition_matrices")?.steps(phones)?;
        Ok(Acoustic { phones, silence, steps, gaussians, weights, sums: sums() })
    }

    /// How high the Gaussians of a place (phone and stream) are where the frame is; higher is likelier. Told are those above a floor, with
    /// their heights; whoever is told answers with the floor from then on. The sooner it rises, the less is reckoned, so the search begins
    /// near the one that was the highest before.
    pub fn above(&self, place: usize, near: u8, frame: &[f32; WIDTH], mut tell: impl FnMut(u8, f32) -> f32) {
        let at = place * BLOCKS * BLOCK;
        let (before, after) = self.gaussians[at..at + BLOCKS * BLOCK].as_chunks::<BLOCK>().0.split_at(usize::from(near) / LANES);
        let blocks = (before.len()..).zip(after).chain(before.iter().enumerate());
        let mut floor = f32::MIN;
        for (nth, block) in blocks {
            let rows = block.as_chunks::<LANES>().0;
            let mut heights = rows[0];
            // Each number only lowers them.
            let is_out = !lower(&mut heights, &rows[1..=2 * LOOK], &frame[..LOOK], floor)
                || !lower(&mut heights, &rows[1 + 2 * LOOK..], &frame[LOOK..], floor);
            if is_out {
                continue;
            }
            for (lane, height) in heights.into_iter().enumerate() {
                if height > floor {
                    floor = tell((nth * LANES + lane) as u8, height);
                }
            }
        }
    }

    /// What each state of a phone pays for each Gaussian of a place.
    pub fn weights(&self, place: usize) -> &[[u8; STATES]; DENSITIES] {
        &self.weights[place]
    }

    /// The cost of either of two.
    pub fn either(&self, a: i32, b: i32) -> i32 {
        let difference = (a.abs_diff(b) as usize).min(self.sums.len() - 1);
        a.min(b) - i32::from(self.sums[difference])
    }
}

/// What a step costs that is taken in this share of all cases.
fn cost(share: f32) -> i32 {
    ((-f64::from(share).ln() / UNIT) as i32).min(DEAREST_STEP)
}

/// Lowers a block's heights by some numbers of the frame. Is any of them still above the floor?
fn lower(heights: &mut [f32; LANES], rows: &[[f32; LANES]], frame: &[f32], floor: f32) -> bool {
    for (rows, number) in rows.as_chunks::<2>().0.iter().zip(frame) {
        for lane in 0..LANES {
            let off = number - rows[0][lane];
            heights[lane] -= off * off * rows[1][lane];
        }
    }
    heights.iter().fold(false, |any, height| any | (*height > floor))
}

/// What the sum of two likelihoods is cheaper than the cheaper one, by their difference.
fn sums() -> [u8; 256] {
    std::array::from_fn(|difference| ((-(difference as f64) * UNIT).exp().ln_1p() / UNIT).round() as u8)
}

/// By phone and stream, the order in which the Gaussians stand: neighbours are alike in their first number, so that whole blocks of them
/// are out of the question together.
fn order(means: &[f32]) -> Vec<[u8; DENSITIES]> {
    let alike = |means: &[f32]| {
        let mut order: [u8; DENSITIES] = std::array::from_fn(|density| density as u8);
        order.sort_by(|a, b| means[usize::from(*a) * WIDTH].total_cmp(&means[usize::from(*b) * WIDTH]));
        order
    };
    means.chunks_exact(DENSITIES * WIDTH).map(alike).collect()
}

fn gaussians(means: &[f32], variances: &[f32], order: &[[u8; DENSITIES]]) -> Vec<f32> {
    let mut out = Vec::with_capacity(order.len() * BLOCKS * BLOCK);
    let sets = means.chunks_exact(DENSITIES * WIDTH).zip(variances.chunks_exact(DENSITIES * WIDTH)).zip(order);
    for ((means, variances), order) in sets {
        for block in order.chunks_exact(LANES) {
            let variance = |density: &u8, number: usize| f64::from(variances[usize::from(*density) * WIDTH + number].max(LEAST_VARIANCE));
            let top = |density: &u8| (0..WIDTH).map(|number| -0.5 * (std::f64::consts::TAU * variance(density, number)).ln()).sum::<f64>();
            out.extend(block.iter().map(|density| (top(density) / UNIT) as f32));
            for number in 0..WIDTH {
                out.extend(block.iter().map(|density| means[usize::from(*density) * WIDTH + number]));
                out.extend(block.iter().map(|density| (0.5 / (variance(density, number) * UNIT)) as f32));
            }
        }
    }
    out
}

/// A file of the model and how far it has been read.
struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    at: usize,
}

impl File {
    fn open(folder: &Path, name: &str) -> Result<File, AcousticError> {
        let path = folder.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(File { path, bytes, at: 0 }),
            Err(source) => Err(AcousticError::Disk { path, source }),
        }
    }

    fn wrong(&self, what: &'static str) -> AcousticError {
        AcousticError::Form { path: self.path.clone(), what }
    }

    fn take(&mut self, count: usize) -> Result<&[u8], AcousticError> {
        let end = self.at.saturating_add(count);
        if end > self.bytes.len() {
            return Err(self.wrong("it ends too early"));
        }
        let begun = std::mem::replace(&mut self.at, end);
        Ok(&self.bytes[begun..end])
    }

    fn number(&mut self) -> Result<usize, AcousticError> {
        let bytes = self.take(4)?;
        let number = bytes.iter().rev().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
        Ok(number as usize)
    }

    fn expect<const N: usize>(&mut self, numbers: [usize; N]) -> Result<(), AcousticError> {
        for number in numbers {
            if self.number()? != number {
                return Err(self.wrong("its counts are not those of the model's other files"));
            }
        }
        Ok(())
    }

    fn floats(&mut self, count: usize) -> Result<Vec<f32>, AcousticError> {
        let bytes = self.take(count.saturating_mul(4))?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect())
    }

    /// Phones, states of all phones in all their neighbourhoods, and which phone is silence.
    fn counts(&mut self) -> Result<(usize, usize, usize), AcousticError> {
        if self.take(4)? != b"BMDF" {
            return Err(self.wrong("it is no binary definition"));
        }
        self.expect([1])?;
        let text = self.number()?;
        self.take(text)?;
        let (phones, _, states, own, senones) = (self.number()?, self.number()?, self.number()?, self.number()?, self.number()?);
        let (_, _, _, _, silence) = (self.number()?, self.number()?, self.number()?, self.number()?, self.number()?);
        if states != STATES || own != phones * STATES || senones < own || silence >= phones {
            return Err(self.wrong("its phones do not have three states each"));
        }
        Ok((phones, senones, silence))
    }

    /// Past the head of a file of numbers.
    fn skip_head(&mut self) -> Result<(), AcousticError> {
        let end = self.bytes.windows(END_OF_HEAD.len()).position(|piece| piece == END_OF_HEAD);
        self.at = end.ok_or_else(|| self.wrong("it has no head"))? + END_OF_HEAD.len();
        self.expect([ORDER as usize])
    }

    /// By phone, stream, density and number.
    fn densities(&mut self, phones: usize) -> Result<Vec<f32>, AcousticError> {
        self.skip_head()?;
        let all = phones * STREAMS * DENSITIES * WIDTH;
        self.expect([phones, STREAMS, DENSITIES, WIDTH, WIDTH, WIDTH, all])?;
        self.floats(all)
    }

    /// By phone: a matrix of counts, from each state to itself, to the next and to the end.
    fn steps(&mut self, phones: usize) -> Result<Vec<[Step; STATES]>, AcousticError> {
        self.skip_head()?;
        let all = phones * STATES * (STATES + 1);
        self.expect([phones, STATES, STATES + 1, all])?;
        let counts = self.floats(all)?;
        let step = |row: &[f32; STATES + 1], state: usize| {
            let sum = row.iter().sum::<f32>().max(f32::MIN_POSITIVE);
            Step { stay: cost(row[state] / sum), leave: cost(row[state + 1] / sum) }
        };
        let rows = counts.as_chunks::<{ STATES + 1 }>().0.as_chunks::<STATES>().0;
        Ok(rows.iter().map(|rows| std::array::from_fn(|state| step(&rows[state], state))).collect())
    }

    /// By phone and stream: each density's costs for the phone's own states, which are the first of all states.
    fn weights(&mut self, phones: usize, senones: usize) -> Result<Vec<[[u8; STATES]; DENSITIES]>, AcousticError> {
        for _ in 0..MOST_LINES {
            match self.number()? {
                0 => break,
                length => drop(self.take(length)?),
            }
        }
        self.expect([DENSITIES, senones])?;
        let mut out = vec![[[0; STATES]; DENSITIES]; phones * STREAMS];
        for (stream, density) in (0..STREAMS).flat_map(|stream| (0..DENSITIES).map(move |density| (stream, density))) {
            let row = self.take(senones)?;
            for (phone, states) in row.as_chunks::<STATES>().0.iter().take(phones).enumerate() {
                out[phone * STREAMS + stream][density] = *states;
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_cut_short_or_of_another_kind_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let told = |bytes: &[u8]| {
            std::fs::write(folder.path().join("mdef"), bytes).unwrap();
            Acoustic::read(folder.path()).unwrap_err().to_string()
        };
        assert!(Acoustic::read(folder.path()).unwrap_err().to_string().contains("apt-get install"));
        assert!(told(b"0.3\n").contains("it is no binary definition"));
        assert!(told(b"BMDF\x01\0\0\0\xff\xff\xff\xff").contains("it ends too early"));
        let five_states = [b"BMDF".to_vec(), [1u32, 0, 42, 42, 5, 210, 210, 0, 0, 0, 0, 0].map(u32::to_le_bytes).concat()].concat();
        assert!(told(&five_states).contains("three states each"));
    }

    #[test]
    fn two_likelihoods_are_added_as_costs() {
        let sums = sums();
        assert_eq!(sums[0], 7, "twice the same is ln 2 cheaper");
        assert_eq!(sums[200], 0, "what is far less likely adds nothing");
    }
}
