//! The one thread that writes recordings, in blocks of half a second: stereo PCM16 WAV at 8 kHz whose header is rolled forward with each
//! block, or Ogg/Opus of which each block is a page, so that a file whose writer was killed can be played up to the last block; or the
//! same sealed, when there is a key. A long recording is cut into parts to the sample: nothing is lost or doubled between two of them.

mod part;

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use sha2::{Digest, Sha256};

use self::part::{Part, Piece};
use super::lasting::{self, Order};
use super::{FRAME, RATE, Report};
use crate::control::words::{RecordingId, media};
use crate::vault::{self, Keys, MOST_PARTS, Peaks, Reader, Shelf, part_path};

/// 20 ms frames in one block: half a second.
pub const BLOCK_FRAMES: usize = 25;
/// Interleaved samples in a full block (left, right).
pub const BLOCK_SAMPLES: usize = BLOCK_FRAMES * FRAME * CHANNELS;

const CHANNELS: usize = 2;
const JOBS: usize = 4_096;
const SUM_STEP: usize = 256 * 1024;

/// Up to half a second of interleaved stereo sound.
#[derive(Debug)]
pub struct Block {
    /// Left and right in turns.
    pub samples: [i16; BLOCK_SAMPLES],
    /// How many of them are filled; even.
    pub len: usize,
}

impl Block {
    /// An empty block.
    #[must_use]
    pub fn boxed() -> Box<Block> {
        Box::new(Block { samples: [0; BLOCK_SAMPLES], len: 0 })
    }
}

/// Work for the disk thread.
#[derive(Debug)]
pub enum Job {
    /// Makes the file; blocks written to it go home by `spare` to be used again.
    Open {
        /// Which recording.
        recording: RecordingId,
        /// Below the recordings folder; one that ends with `.opus` is packed.
        path: PathBuf,
        /// The way home for empty blocks.
        spare: Sender<Box<Block>>,
    },
    /// Appends sound.
    Append {
        /// Which recording.
        recording: RecordingId,
        /// The sound.
        block: Box<Block>,
    },
    /// Appends silence for so many sample pairs: sound that could not be handed over in time.
    Gap {
        /// Which recording.
        recording: RecordingId,
        /// Length of the gap.
        pairs: u64,
    },
    /// Closes the file; the report follows when its sum is made.
    Close {
        /// Which recording.
        recording: RecordingId,
    },
}

/// The disk thread.
#[derive(Debug)]
pub struct Handle {
    /// Where work goes; the thread ends when the last sender is dropped and all files are closed.
    pub jobs: Sender<Job>,
    /// To be joined at shutdown.
    pub thread: JoinHandle<()>,
}

/// How recordings are written.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where to, and with which keys: the first one seals.
    pub shelf: Shelf,
    /// So much sound makes a part; `None`: a recording is one file.
    pub part: Option<Duration>,
}

/// Starts the disk thread with plain files below `folder`; `report` may block (it is not called on a media thread).
///
/// # Errors
/// When the thread cannot be made.
pub fn start(folder: PathBuf, report: impl FnMut(Report) + Clone + Send + 'static) -> io::Result<Handle> {
    start_with(Settings { shelf: Shelf { folder, ..Shelf::default() }, part: None }, report)
}

/// The same as settings say.
///
/// # Errors
/// When the thread cannot be made.
pub fn start_with(settings: Settings, report: impl FnMut(Report) + Clone + Send + 'static) -> io::Result<Handle> {
    let Settings { shelf, part } = settings;
    let (jobs, inbox) = crossbeam_channel::bounded(JOBS);
    let (lasting, keeper) = lasting::start(shelf.folder.clone(), report.clone())?;
    let most = part.map_or(u64::MAX, |part| (part.as_secs() * u64::from(RATE)).max(1));
    let disk =
        Disk { shelf, most, report, open: HashMap::new(), closing: VecDeque::new(), wholes: HashMap::new(), lasting, bytes: Vec::new() };
    let thread = std::thread::Builder::new().name("disk".to_owned()).spawn(move || {
        disk.run(&inbox);
        if keeper.join().is_err() {
            tracing::error!("the thread that makes recordings last broke off");
        }
    })?;
    Ok(Handle { jobs, thread })
}

/// Closes all recordings below `folder` that were cut off by a crash, at their last whole sound. Returns the mended files. One that
/// cannot be read stays as it is, and the log says why. Call before the disk thread starts.
///
/// # Errors
/// When the folder cannot be read.
pub fn recover(folder: &Path, keys: &Keys) -> io::Result<Vec<PathBuf>> {
    let repaired = |path: &PathBuf| {
        let repaired = vault::repair(path, keys);
        repaired.unwrap_or_else(|why| {
            tracing::error!(%why, "a recording cannot be looked at");
            false
        })
    };
    Ok(vault::files(folder)?.into_iter().filter(repaired).collect())
}

/// A recording being written.
struct Open {
    first: PathBuf,
    part: Part,
    number: u32,
    peaks: Peaks,
    spare: Sender<Box<Block>>,
}

/// What closes with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ends {
    Part,
    Recording,
}

/// A file that is complete; its sum is made in steps between other work.
struct Closing {
    recording: RecordingId,
    number: u32,
    ends: Ends,
    path: PathBuf,
    file: Arc<File>,
    /// Opened when its turn comes: many files may close together.
    reader: Option<Reader>,
    sum: Sha256,
}

/// What is known of the parts of a recording that are summed already.
#[derive(Default)]
struct Whole {
    duration: Duration,
    bytes: u64,
    /// Of all parts, one behind the other.
    sum: Sha256,
}

impl Closing {
    fn read(&mut self, shelf: &Shelf, step: &mut [u8]) -> io::Result<usize> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => shelf.open(&self.path)?,
        };
        self.reader.insert(reader).read(step)
    }
}

struct Disk<F> {
    shelf: Shelf,
    /// Sample pairs of a part.
    most: u64,
    report: F,
    open: HashMap<RecordingId, Open>,
    closing: VecDeque<Closing>,
    wholes: HashMap<RecordingId, Whole>,
    lasting: Sender<Order>,
    bytes: Vec<u8>,
}

impl<F: FnMut(Report)> Disk<F> {
    fn run(mut self, inbox: &Receiver<Job>) {
        let mut step = vec![0u8; SUM_STEP].into_boxed_slice();
        loop {
            let job = if self.closing.is_empty() { inbox.recv().map_err(|_| TryRecvError::Disconnected) } else { inbox.try_recv() };
            match job {
                Ok(job) => self.take(job),
                Err(TryRecvError::Empty) => self.sum_a_step(&mut step),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        let unclosed: Vec<RecordingId> = self.open.keys().copied().collect();
        unclosed.into_iter().for_each(|recording| self.close(recording));
        while !self.closing.is_empty() {
            self.sum_a_step(&mut step);
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Open { recording, path, spare } => self.begin(recording, path, spare),
            Job::Append { recording, block } => self.append(recording, block),
            Job::Gap { recording, pairs } => self.pour(recording, Piece::Silence(pairs)),
            Job::Close { recording } => self.close(recording),
        }
    }

    fn begin(&mut self, recording: RecordingId, first: PathBuf, spare: Sender<Box<Block>>) {
        match Part::create(&self.shelf, &first) {
            Ok(part) => {
                self.tell(Order::Opened(recording, part.file()));
                self.open.insert(recording, Open { first, part, number: 1, peaks: Peaks::default(), spare });
            }
            Err(why) => self.fail(recording, &first, &why),
        }
    }

    fn append(&mut self, recording: RecordingId, mut block: Box<Block>) {
        self.pour(recording, Piece::Samples(&block.samples[..block.len]));
        let Some(open) = self.open.get(&recording) else { return };
        block.len = 0;
        // Nobody waits for an empty block: when its worker is gone, it is freed here.
        let _ = open.spare.try_send(block);
    }

    /// Writes a piece, over the edges of as many parts as it reaches.
    fn pour(&mut self, recording: RecordingId, mut piece: Piece<'_>) {
        while !piece.is_empty() {
            let Some(open) = self.open.get_mut(&recording) else { return };
            let room = if open.number < MOST_PARTS { self.most.saturating_sub(open.part.pairs()) } else { u64::MAX };
            let (now, later) = piece.split(room);
            let written = if now.is_empty() { self.next_part(recording) } else { open.add(now, &mut self.bytes) };
            if let Err(why) = written {
                let path = self.open.remove(&recording).map(|open| open.part.path().to_owned()).unwrap_or_default();
                return self.fail(recording, &path, &why);
            }
            piece = later;
        }
    }

    fn next_part(&mut self, recording: RecordingId) -> io::Result<()> {
        let Some(open) = self.open.get_mut(&recording) else { return Ok(()) };
        let next = Part::create(&self.shelf, &part_path(&open.first, open.number + 1))?;
        let file = next.file();
        let (full, number) = (std::mem::replace(&mut open.part, next), open.number);
        open.number += 1;
        self.tell(Order::Opened(recording, file));
        self.finish_writing(recording, full, number, Ends::Part)
    }

    fn finish_writing(&mut self, recording: RecordingId, part: Part, number: u32, ends: Ends) -> io::Result<()> {
        let (path, file) = (part.path().to_owned(), part.file());
        part.close(&mut self.bytes)?;
        self.closing.push_back(Closing { recording, number, ends, path, file, reader: None, sum: Sha256::new() });
        Ok(())
    }

    fn close(&mut self, recording: RecordingId) {
        let Some(Open { first, part, number, peaks, .. }) = self.open.remove(&recording) else { return };
        if let Err(why) = peaks.keep(&self.shelf, &first) {
            tracing::warn!(%recording, %why, "a recording has no waveform beside it; it will be made from the sound when it is asked for");
        }
        let path = part.path().to_owned();
        if let Err(why) = self.finish_writing(recording, part, number, Ends::Recording) {
            self.fail(recording, &path, &why);
        }
    }

    fn sum_a_step(&mut self, step: &mut [u8]) {
        let Some(closing) = self.closing.front_mut() else { return };
        match closing.read(&self.shelf, step) {
            Ok(0) => {
                if let Some((closing, reader)) =
                    self.closing.pop_front().and_then(|mut closing| closing.reader.take().map(|it| (closing, it)))
                {
                    self.finish(closing, reader);
                }
            }
            Ok(count) => {
                closing.sum.update(&step[..count]);
                if closing.number > 1 || closing.ends == Ends::Part {
                    self.wholes.entry(closing.recording).or_default().sum.update(&step[..count]);
                }
            }
            Err(why) => {
                let Some(closing) = self.closing.pop_front() else { return };
                self.fail(closing.recording, &closing.path, &why);
            }
        }
    }

    fn finish(&mut self, closing: Closing, mut reader: Reader) {
        let Closing { recording, number, ends, path, file, sum, .. } = closing;
        let duration = match reader.duration() {
            Ok(duration) => duration,
            Err(why) => return self.fail(recording, &path, &why),
        };
        let (bytes, sha256) = (reader.len(), hex::encode(sum.finalize()));
        let Some(whole) = self.wholes.get_mut(&recording) else {
            let finished = media::Event::RecordingFinished { recording, path, duration, bytes, sha256 };
            return self.tell(Order::Closed(recording, file, Box::new(Report::Media(finished))));
        };
        (whole.duration, whole.bytes) = (whole.duration + duration, whole.bytes + bytes);
        let first = vault::first_path(&path, number);
        let part = media::Event::RecordingPart { recording, part: number, path, duration, bytes, sha256 };
        self.tell(Order::Closed(recording, Arc::clone(&file), Box::new(Report::Media(part))));
        if ends == Ends::Recording
            && let Some(Whole { duration, bytes, sum }) = self.wholes.remove(&recording)
        {
            let sha256 = hex::encode(sum.finalize());
            let finished = media::Event::RecordingFinished { recording, path: first, duration, bytes, sha256 };
            self.tell(Order::Closed(recording, file, Box::new(Report::Media(finished))));
        }
    }

    /// The line is long; waiting for it costs this thread only, and recorders keep ten seconds.
    fn tell(&self, order: Order) {
        if self.lasting.send(order).is_err() {
            tracing::error!("nobody makes recordings last: the thread broke off");
        }
    }

    fn fail(&mut self, recording: RecordingId, path: &Path, why: &io::Error) {
        self.tell(Order::Gone(recording));
        self.wholes.remove(&recording);
        self.closing.retain(|closing| closing.recording != recording);
        let why = format!("{}: {why}", self.shelf.folder.join(path).display());
        (self.report)(Report::Media(media::Event::RecordingFailed { recording, why }));
    }
}

impl Open {
    fn add(&mut self, piece: Piece<'_>, bytes: &mut Vec<u8>) -> io::Result<()> {
        match piece {
            Piece::Samples(samples) => self.peaks.add(samples),
            Piece::Silence(pairs) => self.peaks.silence(pairs),
        }
        self.part.add(piece, bytes)
    }
}

#[cfg(test)]
mod tests;
