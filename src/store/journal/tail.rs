//! Reads the log from any seq on: the folder of facts into the database, and after a crash the replay, go this one way.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use serde_json::Value;

use super::{JournalError, segment};
use crate::control::event::Fact;

/// One fact of the log, as the API shows it and as the fold takes it.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Its place in the log, gap-free from 1.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// Microseconds since the epoch.
    pub at: u64,
    /// `session.created` …
    pub kind: String,
    /// The fact's fields.
    pub data: Value,
    /// The fact; `None` when a newer version wrote a kind that this one does not know.
    pub fact: Option<Fact>,
}

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
                out.push(entry(seq, &json)?);
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

fn entry(seq: u64, json: &str) -> Result<Entry, JournalError> {
    let mut whole: Value = serde_json::from_str(json).map_err(|why| JournalError::Unreadable { seq, why: why.to_string() })?;
    let fact = serde_json::from_value(serde_json::json!({"type": whole["type"], "data": whole["data"]})).ok();
    Ok(Entry {
        seq,
        id: whole["id"].as_str().unwrap_or_default().to_owned(),
        at: whole["at"].as_u64().unwrap_or_default(),
        kind: whole["type"].as_str().unwrap_or_default().to_owned(),
        data: whole["data"].take(),
        fact,
    })
}
