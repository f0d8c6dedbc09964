//! SHA-256 of files.

use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Bytes read at a time.
const PIECE: usize = 1 << 16;

/// The sum of a file, hex.
///
/// # Errors
/// What the disk says.
pub fn of_file(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut sum = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            return Ok(hex::encode(sum.finalize()));
        }
        sum.update(&piece[..count]);
    }
}
