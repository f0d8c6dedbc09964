//! Writing a sealed file, and the parts of its form that reading shares.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

use super::key::{ID_BYTES, Key};

pub(super) const MAGIC: &[u8; 8] = b"HLSEALED";
pub(super) const VERSION: u8 = 1;
/// Bytes of the head.
pub(super) const HEAD: usize = 64;
/// Bytes of the longest block: half a second of WAV.
pub(super) const BLOCK: usize = 16_000;
/// Bytes of a block where the sound is packed: a crash takes as little of it.
const PACKED_BLOCK: usize = 1_000;
/// Bytes of a seal.
pub(super) const SEAL: usize = 16;
/// Bytes of the closing record.
pub(super) const CLOSING: usize = 8 + SEAL;
const FILE_ID: std::ops::Range<usize> = 24..56;
const KEY_ID: std::ops::Range<usize> = 16..16 + ID_BYTES;
const BLOCK_SIZE: std::ops::Range<usize> = 12..16;
const FORM: usize = 9;

/// What the sealed bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// The samples of our WAV; its header is made when it is read.
    Wav,
    /// A file as it is.
    Bytes,
    /// Pages of Ogg.
    Ogg,
}

impl Form {
    const ALL: [Form; 3] = [Form::Wav, Form::Bytes, Form::Ogg];

    fn block(self) -> usize {
        if self == Form::Ogg { PACKED_BLOCK } else { BLOCK }
    }
}

/// Which kind of record a nonce is for: no two records of a file share one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Record {
    Sound(u64),
    /// Written by who wrote the file.
    Closing,
    /// Written by the repair.
    Repair,
}

impl Record {
    pub(super) fn nonce(self) -> Nonce {
        let (kind, number) = match self {
            Record::Sound(number) => (0, number),
            Record::Closing => (1, 0),
            Record::Repair => (2, 0),
        };
        let mut bytes = [0; NONCE_LEN];
        bytes[0] = kind;
        bytes[NONCE_LEN - 8..].copy_from_slice(&number.to_be_bytes());
        Nonce::assume_unique_for_key(bytes)
    }
}

/// The head of a file; every seal covers it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head(pub [u8; HEAD]);

impl Head {
    fn new(form: Form, key: &Key, file_id: &[u8; 32]) -> Head {
        let mut head = [0; HEAD];
        head[..MAGIC.len()].copy_from_slice(MAGIC);
        head[MAGIC.len()] = VERSION;
        head[FORM] = form as u8;
        head[BLOCK_SIZE].copy_from_slice(&(form.block() as u32).to_le_bytes());
        head[KEY_ID].copy_from_slice(&key.id());
        head[FILE_ID].copy_from_slice(file_id);
        Head(head)
    }

    /// `None`: it is no sealed file at all. An error says why it is none of ours.
    pub(super) fn parse(bytes: [u8; HEAD]) -> Option<Result<(Head, Form), &'static str>> {
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        let size = bytes[BLOCK_SIZE].try_into().map_or(0, u32::from_le_bytes);
        let Some(form) = Form::ALL.get(usize::from(bytes[FORM])).copied() else {
            return Some(Err("a sealed recording of a form that this version does not know"));
        };
        if bytes[MAGIC.len()] != VERSION || size as usize != form.block() {
            return Some(Err("a sealed recording of a version that this one does not know"));
        }
        Some(Ok((Head(bytes), form)))
    }

    pub(super) fn key_id(&self) -> &[u8] {
        &self.0[KEY_ID]
    }

    pub(super) fn file_key(&self, key: &Key) -> LessSafeKey {
        key.of_file(&self.0[FILE_ID])
    }

    /// Bytes of sound in a full block.
    pub(super) fn block(&self) -> usize {
        self.0[BLOCK_SIZE].try_into().map_or(BLOCK, |size| u32::from_le_bytes(size) as usize)
    }

    /// Where block `number` lies.
    pub(super) fn place(&self, number: u64) -> u64 {
        HEAD as u64 + number * (self.block() + SEAL) as u64
    }

    /// Where the sound of so many bytes ends in the file.
    pub(super) fn end_of(&self, data: u64) -> u64 {
        let (block, rest) = (self.block() as u64, data % self.block() as u64);
        self.place(data / block) + if rest > 0 { rest + SEAL as u64 } else { 0 }
    }
}

/// A sealed file being written.
#[derive(Debug)]
pub struct Sealer {
    file: Arc<File>,
    key: LessSafeKey,
    head: Head,
    block: Vec<u8>,
    number: u64,
}

impl Sealer {
    /// Begins a file: writes its head.
    ///
    /// # Errors
    /// What the disk says, or that the system has no chance to give.
    pub fn begin(file: Arc<File>, key: &Key, form: Form) -> io::Result<Sealer> {
        let mut file_id = [0; 32];
        getrandom::fill(&mut file_id).map_err(io::Error::other)?;
        let head = Head::new(form, key, &file_id);
        file.write_all_at(&head.0, 0)?;
        Ok(Sealer { file, key: head.file_key(key), head, block: Vec::with_capacity(form.block() + SEAL), number: 0 })
    }

    /// Adds bytes; whole blocks go to the disk at once.
    ///
    /// # Errors
    /// What the disk says.
    pub fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let full = self.head.block();
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(full - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = rest;
            if self.block.len() == full {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.number * self.head.block() as u64 + self.block.len() as u64
    }

    /// Is there nothing yet?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes what is left, and the closing record.
    ///
    /// # Errors
    /// What the disk says.
    pub fn close(mut self) -> io::Result<()> {
        let length = self.len();
        let mut end = self.head.place(self.number);
        if !self.block.is_empty() {
            end += (self.block.len() + SEAL) as u64;
            self.flush()?;
        }
        close_at(&self.file, &self.key, &self.head, (end, length), Record::Closing)
    }

    fn flush(&mut self) -> io::Result<()> {
        seal(&self.key, &self.head, Record::Sound(self.number), &mut self.block)?;
        self.file.write_all_at(&self.block, self.head.place(self.number))?;
        self.number += 1;
        self.block.clear();
        Ok(())
    }
}

/// Writes the closing record at `end`: so many bytes of sound are in the file.
pub(super) fn close_at(file: &File, key: &LessSafeKey, head: &Head, (end, length): (u64, u64), record: Record) -> io::Result<()> {
    let mut closing = length.to_le_bytes().to_vec();
    seal(key, head, record, &mut closing)?;
    file.write_all_at(&closing, end)
}

fn seal(key: &LessSafeKey, head: &Head, record: Record, bytes: &mut Vec<u8>) -> io::Result<()> {
    let sealed = key.seal_in_place_append_tag(record.nonce(), Aad::from(&head.0), bytes);
    sealed.map_err(|_| io::Error::other("the block is too long to be sealed"))
}

/// Opens a record in place; `None` when it is not what was sealed.
pub(super) fn open<'a>(key: &LessSafeKey, head: &Head, record: Record, bytes: &'a mut [u8]) -> Option<&'a [u8]> {
    key.open_in_place(record.nonce(), Aad::from(&head.0), bytes).ok().map(|plain| &*plain)
}
