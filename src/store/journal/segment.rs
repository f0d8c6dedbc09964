//! The files of the log: one fact a line, `crc32 seq json`, a new file every 64 MiB. A torn tail is cut at open, never in use.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::JournalError;

/// A file is closed when it is longer than this, in bytes.
const SEGMENT_BYTES: u64 = 64 << 20;
const CRC_CHARS: usize = 8;
const SUFFIX: &str = "log";

/// The file that grows.
pub struct Segment {
    file: File,
    path: PathBuf,
    bytes: u64,
}

/// What open cut off: the end of a write that a crash interrupted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Torn {
    /// The file that was cut.
    pub path: PathBuf,
    /// How many bytes; they lie beside it in `<file>.torn`.
    pub bytes: u64,
}

/// Prints one line of the log onto `out`.
pub fn print(seq: u64, json: &str, out: &mut Vec<u8>) {
    let body = format!("{seq} {json}");
    out.extend_from_slice(format!("{:08x} {body}\n", checksum(body.as_bytes())).as_bytes());
}

/// Reads one line: its seq and its JSON. `None` when it is not whole.
pub fn parse(line: &[u8]) -> Option<(u64, &str)> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (crc, body) = line.split_at_checked(CRC_CHARS)?;
    let body = body.strip_prefix(' ')?;
    if u32::from_str_radix(crc, 16).ok()? != checksum(body.as_bytes()) {
        return None;
    }
    let (seq, json) = body.split_once(' ')?;
    Some((seq.parse().ok()?, json))
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// All files of the folder with their first seq, oldest first.
///
/// # Errors
/// What the disk says.
pub fn list(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let first = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (Some(first), true) = (first, path.extension().is_some_and(|end| end == SUFFIX)) {
            found.push((first, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Removes closed files whose facts are all at or below `applied`: the database has them.
///
/// # Errors
/// What the disk says.
pub fn prune(folder: &Path, applied: u64) -> io::Result<()> {
    let files = list(folder)?;
    for pair in files.windows(2) {
        if pair[1].0 <= applied + 1 {
            fs::remove_file(&pair[0].1)?;
        }
    }
    Ok(())
}

impl Segment {
    /// Opens the newest file for appending, cutting a torn tail, or makes the first one.
    /// `applied` is what the database has: the log never numbers below it. Returns the last seq written.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(folder: &Path, applied: u64) -> Result<(Segment, u64, Option<Torn>), JournalError> {
        fs::create_dir_all(folder)?;
        let Some((first, path)) = list(folder)?.pop() else {
            return Ok((Segment::create(folder, applied + 1)?, applied, None));
        };
        let (last, good) = scan(&path, first)?;
        let torn = cut(&path, good)?;
        if last < applied {
            return Ok((Segment::create(folder, applied + 1)?, applied, torn));
        }
        let mut file = OpenOptions::new().write(true).open(&path)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Segment { file, path, bytes: good }, last, torn))
    }

    /// Makes a new file whose first fact will be `first`.
    ///
    /// # Errors
    /// What the disk says.
    pub fn create(folder: &Path, first: u64) -> io::Result<Segment> {
        let path = folder.join(format!("{first:020}.{SUFFIX}"));
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        File::open(folder)?.sync_all()?;
        Ok(Segment { file, path, bytes: 0 })
    }

    /// Writes whole lines and waits until the disk has them. After an error the file ends where it ended before.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(lines).and_then(|()| self.file.sync_data()) {
            self.file.set_len(self.bytes)?;
            self.file.seek(SeekFrom::Start(self.bytes))?;
            return Err(error);
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }

    /// Is it time for a new file?
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes >= SEGMENT_BYTES
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The last good seq of a file and the byte after it; `first - 1` when there is none.
fn scan(path: &Path, first: u64) -> io::Result<(u64, u64)> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut last, mut good, mut line) = (first.saturating_sub(1), 0u64, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        match parse(&line) {
            Some((seq, _)) if seq == last + 1 => {
                last = seq;
                good += read as u64;
            }
            _ => return Ok((last, good)),
        }
    }
}

/// Cuts the file at `good`, keeping what is cut in `<file>.torn` for the curious.
fn cut(path: &Path, good: u64) -> io::Result<Option<Torn>> {
    let bytes = fs::metadata(path)?.len() - good;
    if bytes == 0 {
        return Ok(None);
    }
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    file.seek(SeekFrom::Start(good))?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".torn");
    io::copy(&mut file, &mut File::create(beside)?)?;
    file.set_len(good)?;
    file.sync_all()?;
    Ok(Some(Torn { path: path.to_owned(), bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(range: std::ops::RangeInclusive<u64>) -> Vec<u8> {
        let mut out = Vec::new();
        range.for_each(|seq| print(seq, "{\"a\":1}", &mut out));
        out
    }

    #[test]
    fn a_torn_tail_is_cut_at_every_byte_and_numbering_goes_on() {
        let whole = lines(1..=3);
        let two = lines(1..=2).len();
        for keep in two..whole.len() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("00000000000000000001.log");
            fs::write(&path, &whole[..keep]).unwrap();
            let (mut segment, last, torn) = Segment::open(folder.path(), 0).unwrap();
            assert_eq!(last, 2, "cut at {keep}");
            assert_eq!(torn.map_or(0, |torn| torn.bytes), (keep - two) as u64);
            segment.write(&lines(3..=3)).unwrap();
            drop(segment);
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let mut line = lines(7..=7);
        assert_eq!(parse(&line), Some((7, "{\"a\":1}")));
        line[12] ^= 1;
        assert_eq!(parse(&line), None);
    }

    #[test]
    fn numbering_never_falls_below_what_the_database_has() {
        let folder = tempfile::tempdir().unwrap();
        let (_, last, _) = Segment::open(folder.path(), 41).unwrap();
        assert_eq!(last, 41);
        assert_eq!(list(folder.path()).unwrap()[0].0, 42);
    }
}
