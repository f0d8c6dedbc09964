//! Reads the log from any seq on: the replay after a crash, and what the fold did not get from memory because it lay behind.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use super::entry::Entry;
use super::{JournalError, segment};

/// A reader at a place in the log.
pub struct Tail {
    folder: PathBuf,
    next: u64,
    reader: Option<BufReader<File>>,
}

impl Tail {
    /// A reader whose first fact is the one after `applied`.
    #[must_use]
    pub fn after(folder: PathBuf, applied: u64) -> Tail {
        Tail { folder, next: applied + 1, reader: None }
    }

    /// Goes on after `applied`: the facts up to it came another way.
    pub fn skip_to(&mut self, applied: u64) {
        if applied + 1 > self.next {
            self.next = applied + 1;
            self.reader = None;
        }
    }

    /// Up to `most` facts, none beyond `durable`.
    ///
    /// # Errors
    /// [`JournalError::Gap`] when the next fact is in no file; [`JournalError::Broken`] when its line is not whole.
    pub fn read(&mut self, durable: u64, most: usize) -> Result<Vec<Entry>, JournalError> {
        let mut out = Vec::new();
        while self.next <= durable && out.len() < most {
            let Some((seq, json)) = self.line()? else {
                self.open()?;
                continue;
            };
            if seq == self.next {
                out.push(Entry::parse(seq, &json)?);
                self.next += 1;
            }
        }
        Ok(out)
    }

    /// The next whole line of the open file; `None` at its end.
    fn line(&mut self) -> Result<Option<(u64, String)>, JournalError> {
        let Some(reader) = self.reader.as_mut() else { return Ok(None) };
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        match segment::parse(&line) {
            Some((seq, json)) => Ok(Some((seq, json.to_owned()))),
            None => Err(JournalError::Broken { seq: self.next, folder: self.folder.clone() }),
        }
    }

    /// Opens the file that holds the next fact. One that was read to its end is not opened again.
    fn open(&mut self) -> Result<(), JournalError> {
        let had = self.reader.take().is_some();
        let files = segment::list(&self.folder)?;
        let found = files.into_iter().rev().find(|(first, _)| *first <= self.next);
        match found {
            Some((first, path)) if !had || first == self.next => {
                self.reader = Some(BufReader::new(File::open(path)?));
                Ok(())
            }
            _ => Err(JournalError::Gap { seq: self.next, folder: self.folder.clone() }),
        }
    }
}
