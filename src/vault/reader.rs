//! The one reader of recordings: the plain file, whether it lies sealed or not, from any place of it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ring::aead::LessSafeKey;
use sha2::{Digest, Sha256};

use super::key::Keys;
use super::seal::{CLOSING, Form, HEAD, Head, Record, SEAL, open};
use super::{PAIR, RATE, VaultError, WAV_HEADER, ogg, opus, wav_header};

/// Bytes read for a sum at once.
const SUM_STEP: usize = 1 << 16;

/// A recording, to be read.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: File,
    sealed: Option<Sealed>,
    length: u64,
    at: u64,
}

/// What a sealed file needs besides.
#[derive(Debug)]
pub(super) struct Sealed {
    pub head: Head,
    pub key: LessSafeKey,
    form: Form,
    /// Bytes of sound.
    pub data: u64,
    pub closed: Closed,
    /// The block that was opened last.
    number: Option<u64>,
    block: Vec<u8>,
}

/// Was the file ended, and by whom?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Closed {
    /// By who wrote it.
    Yes,
    /// By the repair.
    Mended,
    No,
}

impl Reader {
    /// Opens a recording.
    ///
    /// # Errors
    /// [`VaultError`]: no file, no key for it, or a head that is none of ours.
    pub fn open(path: &Path, keys: &Keys) -> Result<Reader, VaultError> {
        let disk = |why| VaultError::Disk { path: path.to_owned(), why };
        let form = |why| VaultError::Form { path: path.to_owned(), why };
        let file = File::open(path).map_err(disk)?;
        let length = file.metadata().map_err(disk)?.len();
        let mut head = [0; HEAD];
        let found = if length >= HEAD as u64 { file.read_exact_at(&mut head, 0).map(|()| Head::parse(head)).map_err(disk)? } else { None };
        let Some(found) = found else { return Ok(Reader { path: path.to_owned(), file, sealed: None, length, at: 0 }) };
        let (head, what) = found.map_err(form)?;
        let missing = || VaultError::KeyMissing { path: path.to_owned(), key: hex::encode(head.key_id()) };
        let key = head.file_key(keys.find(head.key_id()).ok_or_else(missing)?);
        let (data, closed) =
            extent(&file, length, &head, &key).map_err(disk)?.ok_or_else(|| form("its length is not the one it was closed with"))?;
        let sealed = Sealed { head, key, form: what, data, closed, number: None, block: Vec::with_capacity(head.block() + SEAL) };
        let length = data + if what == Form::Wav { WAV_HEADER } else { 0 };
        let mut reader = Reader { path: path.to_owned(), file, sealed: Some(sealed), length, at: 0 };
        if what == Form::Ogg && closed != Closed::Yes {
            // Blocks and pages do not end together: what a crash left of the last page is no part of the file.
            let last = ogg::last_page(&mut reader, length).map_err(disk)?;
            reader.length = last.map_or(0, |(at, page)| at + page.len());
            reader.at = 0;
        }
        Ok(reader)
    }

    /// Bytes of the plain file.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Is there nothing in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The name of the key it is sealed with; `None` when it lies plain.
    #[must_use]
    pub fn sealed_with(&self) -> Option<String> {
        self.sealed.as_ref().map(|sealed| hex::encode(sealed.head.key_id()))
    }

    /// Is it packed as Ogg, and no WAV?
    ///
    /// # Errors
    /// What the disk says, or a block that was changed.
    pub fn is_ogg(&mut self) -> io::Result<bool> {
        Ok(self.first_bytes(ogg::CAPTURE.len())? == ogg::CAPTURE)
    }

    fn first_bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let (at, mut first) = (self.at, Vec::new());
        self.rewind()?;
        let read = (&mut *self).take(count as u64).read_to_end(&mut first);
        self.at = at;
        read.map(|_| first)
    }

    /// Sound in it, for a recording of ours.
    ///
    /// # Errors
    /// What the disk says, or a block that was changed.
    pub fn duration(&mut self) -> io::Result<Duration> {
        let pairs = if self.is_ogg()? {
            let skip = opus::skip_of(&self.first_bytes(opus::SKIP_BYTES)?).unwrap_or_default();
            let (at, length) = (self.at, self.length);
            let last = ogg::last_page(self, length);
            self.at = at;
            last?.map_or(0, |(_, page)| opus::pairs(page.granule(), skip))
        } else {
            self.length.saturating_sub(WAV_HEADER) / PAIR
        };
        Ok(Duration::from_micros(pairs * 1_000_000 / u64::from(RATE)))
    }

    /// Its samples at 8 kHz, left and right in turns, piece by piece, from its beginning. Gives the pairs there were.
    ///
    /// # Errors
    /// What the disk says, a block that was changed, or that it is no recording of ours.
    pub fn samples(&mut self, mut take: impl FnMut(&[i16])) -> io::Result<u64> {
        let packed = self.is_ogg()?;
        self.rewind()?;
        if packed {
            return opus::decode(&mut io::BufReader::new(self), take);
        }
        self.at = WAV_HEADER;
        let (mut step, mut samples) = (vec![0; SUM_STEP], Vec::with_capacity(SUM_STEP / 2));
        let mut left = self.length.saturating_sub(WAV_HEADER) / PAIR * PAIR;
        let pairs = left / PAIR;
        while left > 0 {
            let now = left.min(SUM_STEP as u64) as usize;
            self.read_exact(&mut step[..now])?;
            samples.clear();
            samples.extend(step[..now].chunks_exact(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])));
            take(&samples);
            left -= now as u64;
        }
        Ok(pairs)
    }

    /// SHA-256 of the plain file from its beginning, hex.
    ///
    /// # Errors
    /// What the disk says, or a block that was changed.
    pub fn sum(&mut self) -> io::Result<String> {
        let mut sum = Sha256::new();
        self.pieces(|piece| sum.update(piece))?;
        Ok(hex::encode(sum.finalize()))
    }

    /// The plain file from its beginning, piece by piece.
    ///
    /// # Errors
    /// As [`Reader::sum`].
    pub fn pieces(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        self.rewind()?;
        let mut step = vec![0; SUM_STEP];
        loop {
            match self.read(&mut step)? {
                0 => return Ok(()),
                read => take(&step[..read]),
            }
        }
    }

    pub(super) fn sealed(&self) -> Option<&Sealed> {
        self.sealed.as_ref()
    }

    pub(super) fn form(&self) -> Form {
        self.sealed.as_ref().map_or(Form::Bytes, |sealed| sealed.form)
    }
}

/// Bytes of sound, and whether the file was closed; `None` when a closed file is longer or shorter than it was.
fn extent(file: &File, length: u64, head: &Head, key: &LessSafeKey) -> io::Result<Option<(u64, Closed)>> {
    let body = length - HEAD as u64;
    let mut closing = [0; CLOSING];
    if body >= CLOSING as u64 {
        for (record, closed) in [(Record::Closing, Closed::Yes), (Record::Repair, Closed::Mended)] {
            file.read_exact_at(&mut closing, length - CLOSING as u64)?;
            if let Some(data) = open(key, head, record, &mut closing).and_then(|plain| plain.try_into().ok().map(u64::from_le_bytes)) {
                return Ok((head.end_of(data) + CLOSING as u64 == length).then_some((data, closed)));
            }
        }
    }
    let sealed = (head.block() + SEAL) as u64;
    let (full, tail) = (body / sealed, (body % sealed) as usize);
    let mut last = vec![0; tail];
    file.read_exact_at(&mut last, head.place(full))?;
    // The last block stands without the closing record when the writer was killed between the two; else it is torn.
    let tail = open(key, head, Record::Sound(full), &mut last).map_or(0, <[u8]>::len);
    Ok(Some((full * head.block() as u64 + tail as u64, Closed::No)))
}

impl Sealed {
    /// Bytes of the sound from `at` on, within one block.
    fn read(&mut self, file: &File, path: &Path, at: u64, out: &mut [u8]) -> io::Result<usize> {
        let full = self.head.block() as u64;
        let number = at / full;
        if self.number != Some(number) {
            self.load(file, path, number)?;
        }
        let from = (at % full) as usize;
        let count = out.len().min(self.block.len().saturating_sub(from));
        out[..count].copy_from_slice(&self.block[from..from + count]);
        Ok(count)
    }

    fn load(&mut self, file: &File, path: &Path, number: u64) -> io::Result<()> {
        self.number = None;
        let full = self.head.block() as u64;
        let plain = (self.data - number * full).min(full) as usize;
        self.block.resize(plain + SEAL, 0);
        file.read_exact_at(&mut self.block, self.head.place(number))?;
        if open(&self.key, &self.head, Record::Sound(number), &mut self.block).is_none() {
            return Err(VaultError::Damaged { path: path.to_owned(), block: number }.into());
        }
        self.block.truncate(plain);
        self.number = Some(number);
        Ok(())
    }
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = out.len().min(left);
        let out = &mut out[..most];
        if out.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.sealed {
            None => self.file.read_at(out, self.at)?,
            Some(sealed) if sealed.form == Form::Wav && self.at < WAV_HEADER => {
                let header = &wav_header(sealed.data)[self.at as usize..];
                let count = out.len().min(header.len());
                out[..count].copy_from_slice(&header[..count]);
                count
            }
            Some(sealed) => {
                let header = if sealed.form == Form::Wav { WAV_HEADER } else { 0 };
                sealed.read(&self.file, &self.path, self.at - header, out)?
            }
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let wanted = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = wanted.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a place before the beginning of the recording"))?;
        Ok(self.at)
    }
}
