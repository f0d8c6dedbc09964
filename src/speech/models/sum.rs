//! SHA-256 of files.

use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Bytes read at a time.
const PIECE: usize = 1 << 16;

/// Characters of a sum.
pub const HEX_CHARS: usize = 64;

/// The lines of a `SHA256SUMS` file as path and sum: `<sum>  <path>` or `<sum> *<path>`; what is no such line is left out.
pub fn listed(text: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (sum, path) = line.split_at_checked(HEX_CHARS)?;
        let path = path.strip_prefix("  ").or_else(|| path.strip_prefix(" *"))?.trim_end();
        sum.chars().all(|letter| letter.is_ascii_hexdigit()).then(|| (path.trim_start_matches("./").to_owned(), sum.to_ascii_lowercase()))
    };
    text.lines().filter_map(line).collect()
}

/// The sum of a file, hex. `tell` hears of every piece that was read, in bytes.
///
/// # Errors
/// What the disk says.
pub fn of_file(path: &Path, tell: &mut dyn FnMut(u64)) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut sum = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            return Ok(hex::encode(sum.finalize()));
        }
        sum.update(&piece[..count]);
        tell(count as u64);
    }
}
