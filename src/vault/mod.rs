//! Recordings at rest: plain files or sealed ones, the keys they are sealed with, and the one [`Reader`] for both.
//!
//! A sealed file (AES-256-GCM) is a head, blocks that are sealed each by itself, and a closing record. The key of a file is derived
//! from ours and the file's own random id (HKDF-SHA-256), and a block's nonce is its number, so that no nonce meets a key twice and no
//! block fits another place or another file. Whole blocks are written once and never again: a file whose writer was killed can be read
//! up to its last whole block (half a second of sound). What is sealed is the sound alone; the WAV header is made when it is read, so
//! the plain file, its length and its SHA-256 are the same whether it lies sealed or not, and whichever key sealed it.
//!
//! ```text
//! head      64 bytes: HLSEALED, version, form, block size, key id (8 bytes), file id (32 bytes)
//! block n   up to 16,000 bytes of sound (1,000 of Ogg/Opus, which is half a second too), 16 bytes of seal; all but the last are full
//! closing   8 bytes: bytes of sound; 16 bytes of seal; written at the end, or by the repair after a crash
//! ```

mod folder;
mod key;
mod ogg;
pub mod opus;
mod peaks;
mod reader;
mod seal;

use std::io;
use std::path::{Path, PathBuf};

pub use folder::{Kept, MOST_PARTS, files, first_path, part_path, parts, rekey, repair};
pub use key::{Key, KeyError, Keys, Source};
pub use peaks::{Peaks, WINDOW_MS, Waveform};
pub use reader::Reader;
pub use seal::{Form, Sealer};

/// The recordings folder with the keys to it.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// Where recordings lie, by date.
    pub folder: PathBuf,
    /// What they are sealed with.
    pub keys: Keys,
}

impl Shelf {
    /// One without keys: recordings lie plain.
    #[must_use]
    pub fn plain(folder: &Path) -> Shelf {
        Shelf { folder: folder.to_owned(), keys: Keys::default() }
    }

    /// Opens a recording by its path below the folder.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Reader, VaultError> {
        Reader::open(&self.folder.join(path), &self.keys)
    }
}

/// Bytes of the header of our WAV files.
pub const WAV_HEADER: u64 = 44;
/// Samples a second of our recordings.
pub const RATE: u32 = 8_000;
/// What files of packed recordings end with.
pub const OPUS: &str = "opus";
/// Bytes of one pair of samples: left and right, 16 bits each.
pub const PAIR: u64 = 4;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The disk says no.
    #[error("{}: {why}", .path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// What it said.
        why: io::Error,
    },
    /// It is sealed with a key that is not configured.
    #[error("{}: it is sealed with the key {key}, which is not among [recordings] keys: add it there, behind the first", .path.display())]
    KeyMissing {
        /// Which file.
        path: PathBuf,
        /// The id of the key.
        key: String,
    },
    /// A block is not what was sealed.
    #[error("{}: block {block} was changed since it was sealed; take the file from a backup", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Which block, from 0.
        block: u64,
    },
    /// It begins like a sealed file and is none.
    #[error("{}: {why}", .path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
}

impl From<VaultError> for io::Error {
    fn from(error: VaultError) -> io::Error {
        match error {
            VaultError::Disk { why, path } => io::Error::new(why.kind(), format!("{}: {why}", path.display())),
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        }
    }
}

/// RIFF/WAVE, one `fmt ` chunk of PCM16 stereo at 8 kHz, one `data` chunk of `data` bytes.
#[must_use]
pub fn wav_header(data: u64) -> [u8; WAV_HEADER as usize] {
    const BITS: u16 = 16;
    const CHANNELS: u16 = 2;
    let data = u32::try_from(data).unwrap_or(u32::MAX - WAV_HEADER as u32);
    let mut out = [0u8; WAV_HEADER as usize];
    let pair = PAIR as u32;
    out[0..4].copy_from_slice(b"RIFF");
    out[4..8].copy_from_slice(&data.saturating_add(WAV_HEADER as u32 - 8).to_le_bytes());
    out[8..16].copy_from_slice(b"WAVEfmt ");
    out[16..20].copy_from_slice(&16u32.to_le_bytes());
    out[20..22].copy_from_slice(&1u16.to_le_bytes());
    out[22..24].copy_from_slice(&CHANNELS.to_le_bytes());
    out[24..28].copy_from_slice(&RATE.to_le_bytes());
    out[28..32].copy_from_slice(&(RATE * pair).to_le_bytes());
    out[32..34].copy_from_slice(&(pair as u16).to_le_bytes());
    out[34..36].copy_from_slice(&BITS.to_le_bytes());
    out[36..40].copy_from_slice(b"data");
    out[40..44].copy_from_slice(&data.to_le_bytes());
    out
}

#[cfg(test)]
mod tests;
