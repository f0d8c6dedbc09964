//! One file of a recording being written.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::CHANNELS;
use crate::vault::{Form, OPUS, Sealer, Shelf, WAV_HEADER, opus, wav_header};

const SAMPLE_BYTES: usize = 2;
/// Silence is written in pieces of so many pairs.
const SILENT_PAIRS: usize = 2_000;
const SILENCE: [i16; SILENT_PAIRS * CHANNELS] = [0; SILENT_PAIRS * CHANNELS];

/// Sound to be written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Piece<'a> {
    /// Left and right in turns.
    Samples(&'a [i16]),
    /// So many pairs of nothing.
    Silence(u64),
}

impl Piece<'_> {
    pub fn is_empty(&self) -> bool {
        self.pairs() == 0
    }

    fn pairs(&self) -> u64 {
        match self {
            Piece::Samples(samples) => (samples.len() / CHANNELS) as u64,
            Piece::Silence(pairs) => *pairs,
        }
    }

    /// At most so many pairs of it, and what is left.
    pub fn split(self, most: u64) -> (Self, Self) {
        let now = most.min(self.pairs());
        match self {
            Piece::Samples(samples) => {
                let (now, later) = samples.split_at(now as usize * CHANNELS);
                (Piece::Samples(now), Piece::Samples(later))
            }
            Piece::Silence(pairs) => (Piece::Silence(now), Piece::Silence(pairs - now)),
        }
    }
}

/// How samples become bytes.
enum Packing {
    Wav,
    Opus(Box<opus::Writer>),
}

/// Where bytes go.
enum Bed {
    /// Behind so many others.
    Plain(u64),
    Sealed(Box<Sealer>),
}

/// One file.
pub(super) struct Part {
    path: PathBuf,
    file: Arc<File>,
    packing: Packing,
    bed: Bed,
    pairs: u64,
}

impl Part {
    /// Makes it, at a path below the shelf's folder.
    pub fn create(shelf: &Shelf, path: &Path) -> io::Result<Part> {
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a recording's path must stay below the recordings folder"));
        }
        let whole = shelf.folder.join(path);
        if let Some(parent) = whole.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = Arc::new(OpenOptions::new().read(true).write(true).create_new(true).open(whole)?);
        let mut head = Vec::new();
        let packing = if path.extension().is_some_and(|end| end == OPUS) {
            Packing::Opus(Box::new(opus::Writer::begin(&mut head)?))
        } else {
            Packing::Wav
        };
        let form = if matches!(packing, Packing::Wav) { Form::Wav } else { Form::Ogg };
        let bed = match shelf.keys.first() {
            Some(key) => Bed::Sealed(Box::new(Sealer::begin(Arc::clone(&file), key, form)?)),
            None => Bed::Plain(0),
        };
        let mut part = Part { path: path.to_owned(), file, packing, bed, pairs: 0 };
        if form == Form::Wav && matches!(part.bed, Bed::Plain(_)) {
            head.extend(wav_header(0));
        }
        part.put(&head)?;
        Ok(part)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Sample pairs in it.
    pub fn pairs(&self) -> u64 {
        self.pairs
    }

    /// Writes a piece behind the others; `bytes` is room to do it in.
    pub fn add(&mut self, piece: Piece<'_>, bytes: &mut Vec<u8>) -> io::Result<()> {
        match piece {
            Piece::Samples(samples) => self.write(samples, bytes)?,
            Piece::Silence(mut pairs) => {
                while pairs > 0 {
                    let now = pairs.min(SILENT_PAIRS as u64);
                    self.write(&SILENCE[..now as usize * CHANNELS], bytes)?;
                    pairs -= now;
                }
            }
        }
        match (&self.packing, &self.bed) {
            (Packing::Wav, Bed::Plain(length)) => self.file.write_all_at(&wav_header(length - WAV_HEADER), 0),
            (Packing::Opus(_), _) | (_, Bed::Sealed(_)) => Ok(()),
        }
    }

    fn write(&mut self, samples: &[i16], bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.clear();
        match &mut self.packing {
            Packing::Wav => {
                bytes.resize(samples.len() * SAMPLE_BYTES, 0);
                for (pair, sample) in bytes.chunks_exact_mut(SAMPLE_BYTES).zip(samples) {
                    pair.copy_from_slice(&sample.to_le_bytes());
                }
            }
            Packing::Opus(writer) => writer.add(samples, bytes)?,
        }
        self.pairs += (samples.len() / CHANNELS) as u64;
        self.put(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.bed {
            Bed::Sealed(sealer) => sealer.append(bytes),
            Bed::Plain(length) => {
                self.file.write_all_at(bytes, *length)?;
                *length += bytes.len() as u64;
                Ok(())
            }
        }
    }

    /// Writes what ends it.
    pub fn close(mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.clear();
        if let Packing::Opus(writer) = std::mem::replace(&mut self.packing, Packing::Wav) {
            writer.end(bytes)?;
            self.put(bytes)?;
        }
        match self.bed {
            Bed::Sealed(sealer) => sealer.close(),
            Bed::Plain(_) => Ok(()),
        }
    }
}
