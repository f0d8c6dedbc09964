//! The waveform of a recording: how loud each tenth of a second is, left and right. It is made while the sound is written and lies beside
//! it (`.peaks`, sealed where the sound is); where it is missing it is made from the sound.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use super::seal::{Form, Sealer};
use super::{RATE, Shelf, VaultError};

/// Milliseconds of one window.
pub const WINDOW_MS: u32 = 100;
/// Sample pairs of one window.
const WINDOW: usize = (RATE * WINDOW_MS / 1_000) as usize;
/// Windows kept of one recording: a day; what is longer has no finer waveform beyond.
const MOST_WINDOWS: usize = 10 * 86_400;
const EXTENSION: &str = "peaks";
/// A peak is the largest amplitude of a window in steps of 128.
const STEP_BITS: u32 = 7;

/// The loudest of each window so far.
#[derive(Debug, Default)]
pub struct Peaks {
    done: Vec<u8>,
    now: [u16; 2],
    filled: usize,
}

/// How loud each window is, 0 to 255.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Waveform {
    /// Milliseconds of one entry.
    pub window_ms: u32,
    /// The customer.
    pub left: Vec<u8>,
    /// What he heard.
    pub right: Vec<u8>,
}

impl Peaks {
    /// Takes interleaved samples.
    pub fn add(&mut self, samples: &[i16]) {
        for pair in samples.chunks_exact(2) {
            self.now = [self.now[0].max(pair[0].unsigned_abs()), self.now[1].max(pair[1].unsigned_abs())];
            self.step(1);
        }
    }

    /// Takes silence.
    pub fn silence(&mut self, mut pairs: u64) {
        while pairs > 0 {
            let now = pairs.min((WINDOW - self.filled) as u64);
            self.step(now as usize);
            pairs -= now;
        }
    }

    fn step(&mut self, pairs: usize) {
        self.filled += pairs;
        if self.filled == WINDOW {
            self.end_window();
        }
    }

    fn end_window(&mut self) {
        if self.done.len() < 2 * MOST_WINDOWS {
            self.done.extend(self.now.map(|peak| u8::try_from(peak >> STEP_BITS).unwrap_or(u8::MAX)));
        }
        (self.now, self.filled) = ([0; 2], 0);
    }

    /// Left and right in turns.
    fn finish(mut self) -> Vec<u8> {
        if self.filled > 0 {
            self.end_window();
        }
        self.done
    }

    /// Writes them beside the recording of this path below the folder.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keep(self, shelf: &Shelf, path: &Path) -> io::Result<()> {
        let beside = shelf.folder.join(path).with_extension(EXTENSION);
        match shelf.keys.first() {
            None => std::fs::write(beside, self.finish()),
            Some(key) => {
                let mut sealer = Sealer::begin(Arc::new(File::create(beside)?), key, Form::Bytes)?;
                sealer.append(&self.finish())?;
                sealer.close()
            }
        }
    }

    /// Those of a recording as it lies, in all of its parts.
    fn of(shelf: &Shelf, path: &Path) -> Result<Peaks, VaultError> {
        let mut peaks = Peaks::default();
        for part in super::parts(&shelf.folder, path) {
            let disk = |why| VaultError::Disk { path: shelf.folder.join(&part), why };
            shelf.open(&part)?.samples(|samples| peaks.add(samples)).map_err(disk)?;
        }
        Ok(peaks)
    }
}

impl Waveform {
    /// That of a recording, in at most so many entries: from beside it, else from its sound.
    ///
    /// # Errors
    /// [`VaultError`] when the recording cannot be read.
    pub fn read(shelf: &Shelf, path: &Path, most: usize) -> Result<Waveform, VaultError> {
        let mut beside = Vec::new();
        let kept = shelf.open(path.with_extension(EXTENSION)).ok().and_then(|mut reader| reader.read_to_end(&mut beside).ok());
        if kept.is_none() {
            beside = Peaks::of(shelf, path)?.finish();
        }
        Ok(Waveform::of(&beside, most))
    }

    fn of(pairs: &[u8], most: usize) -> Waveform {
        let windows = pairs.len() / 2;
        let together = windows.div_ceil(most.max(1)).max(1);
        let side = |at: usize| {
            let all: Vec<u8> = pairs.iter().copied().skip(at).step_by(2).collect();
            all.chunks(together).map(|some| some.iter().copied().max().unwrap_or(0)).collect()
        };
        Waveform { window_ms: WINDOW_MS * u32::try_from(together).unwrap_or(u32::MAX), left: side(0), right: side(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Key, Keys, wav_header};
    use super::*;

    /// A second left loud, then a second right half as loud.
    fn samples() -> Vec<i16> {
        let second = |left: i16, right: i16| (0..RATE).flat_map(move |_| [left, right]);
        second(-32_768, 0).chain(second(0, 16_384)).collect()
    }

    fn expected() -> Waveform {
        let side = |first: u8, second: u8| [[first; 10], [second; 10]].concat();
        Waveform { window_ms: 100, left: side(255, 0), right: side(0, 128) }
    }

    #[test]
    fn peaks_made_on_the_way_are_those_of_the_sound_sealed_or_not() {
        let folder = tempfile::tempdir().unwrap();
        for keys in [Keys::default(), Keys::new(vec![Key::new([1; 32])])] {
            let shelf = Shelf { folder: folder.path().to_owned(), keys };
            let mut peaks = Peaks::default();
            samples().chunks(1_234).for_each(|some| peaks.add(some));
            peaks.keep(&shelf, Path::new("a.wav")).unwrap();
            assert_eq!(Waveform::read(&shelf, Path::new("a.wav"), 1_000).unwrap(), expected());
            let few = Waveform::read(&shelf, Path::new("a.wav"), 4).unwrap();
            assert_eq!((few.window_ms, few.left, few.right), (500, vec![255, 255, 0, 0], vec![0, 0, 128, 128]));
        }
        let bytes: Vec<u8> = samples().iter().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(folder.path().join("b.wav"), [&wav_header(bytes.len() as u64)[..], &bytes].concat()).unwrap();
        assert_eq!(Waveform::read(&Shelf::plain(folder.path()), Path::new("b.wav"), 1_000).unwrap(), expected(), "made from the sound");
        assert!(Waveform::read(&Shelf::plain(folder.path()), Path::new("none.wav"), 9).is_err());
    }

    #[test]
    fn silence_and_the_last_part_of_a_window_count() {
        let mut peaks = Peaks::default();
        peaks.add(&[500, 0]);
        peaks.silence(2 * WINDOW as u64);
        assert_eq!(Waveform::of(&peaks.finish(), 9).left, [3, 0, 0]);
    }
}
