//! The one thread that writes recordings: stereo PCM16 WAV at 8 kHz whose header is rolled forward with each block, so that a file
//! whose writer was killed can be played up to the last block (half a second); or the same sealed, when there is a key.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use sha2::{Digest, Sha256};

use super::lasting::{self, Order};
use super::{FRAME, Report};
use crate::control::words::{RecordingId, media};
use crate::vault::{self, Form, Keys, Peaks, Reader, Sealer, Shelf, WAV_HEADER, wav_header};

/// 20 ms frames in one block: half a second.
pub const BLOCK_FRAMES: usize = 25;
/// Interleaved samples in a full block (left, right).
pub const BLOCK_SAMPLES: usize = BLOCK_FRAMES * FRAME * CHANNELS;

const CHANNELS: usize = 2;
const SAMPLE_BYTES: u64 = 2;
const PAIR_BYTES: u64 = SAMPLE_BYTES * CHANNELS as u64;
const JOBS: usize = 4_096;
const SUM_STEP: usize = 256 * 1024;
const SILENT_PAIRS: usize = 2_000;

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
        /// Below the recordings folder.
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

/// Starts the disk thread. `folder` is the recordings folder; `report` may block (it is not called on a media thread).
///
/// # Errors
/// When the thread cannot be made.
pub fn start(folder: PathBuf, report: impl FnMut(Report) + Clone + Send + 'static) -> io::Result<Handle> {
    start_on(Shelf { folder, ..Shelf::default() }, report)
}

/// The same with keys: the first one seals what is recorded.
///
/// # Errors
/// When the thread cannot be made.
pub fn start_on(shelf: Shelf, report: impl FnMut(Report) + Clone + Send + 'static) -> io::Result<Handle> {
    let (jobs, inbox) = crossbeam_channel::bounded(JOBS);
    let (lasting, keeper) = lasting::start(shelf.folder.clone(), report.clone())?;
    let disk = Disk { shelf, report, open: HashMap::new(), closing: VecDeque::new(), lasting };
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

struct Open {
    path: PathBuf,
    file: Arc<File>,
    sink: Sink,
    peaks: Peaks,
    spare: Sender<Box<Block>>,
}

/// How sound lies in a file.
enum Sink {
    /// So many bytes of it, behind a header that is rolled forward with each block.
    Plain(u64),
    /// Sealed.
    Sealed(Box<Sealer>),
}

/// A file that is complete; its sum is made in steps between other work.
struct Closing {
    recording: RecordingId,
    path: PathBuf,
    file: Arc<File>,
    /// Opened when its turn comes: many files may close together.
    reader: Option<Reader>,
    sum: Sha256,
}

impl Closing {
    fn read(&mut self, shelf: &Shelf, scratch: &mut [u8]) -> io::Result<usize> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => shelf.open(&self.path)?,
        };
        self.reader.insert(reader).read(scratch)
    }
}

struct Disk<F> {
    shelf: Shelf,
    report: F,
    open: HashMap<RecordingId, Open>,
    closing: VecDeque<Closing>,
    lasting: Sender<Order>,
}

impl<F: FnMut(Report)> Disk<F> {
    fn run(mut self, inbox: &Receiver<Job>) {
        let mut scratch = vec![0u8; SUM_STEP].into_boxed_slice();
        loop {
            let job = if self.closing.is_empty() { inbox.recv().map_err(|_| TryRecvError::Disconnected) } else { inbox.try_recv() };
            match job {
                Ok(job) => self.take(job, &mut scratch),
                Err(TryRecvError::Empty) => self.sum_a_step(&mut scratch),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        let unclosed: Vec<RecordingId> = self.open.keys().copied().collect();
        unclosed.into_iter().for_each(|recording| self.close(recording));
        while !self.closing.is_empty() {
            self.sum_a_step(&mut scratch);
        }
    }

    fn take(&mut self, job: Job, scratch: &mut [u8]) {
        match job {
            Job::Open { recording, path, spare } => match self.create(&path, spare) {
                Ok(open) => {
                    self.tell(Order::Opened(recording, Arc::clone(&open.file)));
                    self.open.insert(recording, open);
                }
                Err(why) => self.fail(recording, format!("{}: {why}", self.shelf.folder.join(path).display())),
            },
            Job::Append { recording, block } => self.write(recording, |open| open.append(block, scratch)),
            Job::Gap { recording, pairs } => self.write(recording, |open| open.silence(pairs)),
            Job::Close { recording } => self.close(recording),
        }
    }

    fn create(&self, path: &Path, spare: Sender<Box<Block>>) -> io::Result<Open> {
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a recording's path must stay below the recordings folder"));
        }
        let whole = self.shelf.folder.join(path);
        if let Some(parent) = whole.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = Arc::new(OpenOptions::new().read(true).write(true).create_new(true).open(whole)?);
        let sink = match self.shelf.keys.first() {
            Some(key) => Sink::Sealed(Box::new(Sealer::begin(Arc::clone(&file), key, Form::Wav)?)),
            None => {
                file.write_all_at(&wav_header(0), 0)?;
                Sink::Plain(0)
            }
        };
        Ok(Open { path: path.to_owned(), file, sink, peaks: Peaks::default(), spare })
    }

    fn write(&mut self, recording: RecordingId, work: impl FnOnce(&mut Open) -> io::Result<()>) {
        let Some(open) = self.open.get_mut(&recording) else { return };
        if let Err(why) = work(open) {
            let text = format!("{}: {why}", self.shelf.folder.join(&open.path).display());
            self.open.remove(&recording);
            self.fail(recording, text);
        }
    }

    fn close(&mut self, recording: RecordingId) {
        let Some(Open { path, file, sink, peaks, .. }) = self.open.remove(&recording) else { return };
        if let Err(why) = peaks.keep(&self.shelf, &path) {
            tracing::warn!(%recording, %why, "a recording has no waveform beside it; it will be made from the sound when it is asked for");
        }
        let closed = match sink {
            Sink::Sealed(sealer) => sealer.close(),
            Sink::Plain(_) => Ok(()),
        };
        match closed {
            Ok(()) => self.closing.push_back(Closing { recording, path, file, reader: None, sum: Sha256::new() }),
            Err(why) => self.fail(recording, format!("{}: {why}", self.shelf.folder.join(path).display())),
        }
    }

    fn sum_a_step(&mut self, scratch: &mut [u8]) {
        let Some(closing) = self.closing.front_mut() else { return };
        match closing.read(&self.shelf, scratch) {
            Ok(0) => self.finish(),
            Ok(count) => closing.sum.update(&scratch[..count]),
            Err(why) => {
                let text = format!("{}: {why}", self.shelf.folder.join(&closing.path).display());
                let recording = closing.recording;
                self.closing.pop_front();
                self.fail(recording, text);
            }
        }
    }

    fn finish(&mut self) {
        let Some(Closing { recording, path, file, reader: Some(reader), sum }) = self.closing.pop_front() else {
            return;
        };
        let (duration, bytes, sha256) = (reader.duration(), reader.len(), hex::encode(sum.finalize()));
        let finished = media::Event::RecordingFinished { recording, path, duration, bytes, sha256 };
        self.tell(Order::Closed(recording, file, Box::new(Report::Media(finished))));
    }

    /// The line is long; waiting for it costs this thread only, and recorders keep ten seconds.
    fn tell(&self, order: Order) {
        if self.lasting.send(order).is_err() {
            tracing::error!("nobody makes recordings last: the thread broke off");
        }
    }

    fn fail(&mut self, recording: RecordingId, why: String) {
        self.tell(Order::Gone(recording));
        (self.report)(Report::Media(media::Event::RecordingFailed { recording, why }));
    }
}

impl Open {
    fn append(&mut self, mut block: Box<Block>, scratch: &mut [u8]) -> io::Result<()> {
        let bytes = block.len * SAMPLE_BYTES as usize;
        for (pair, sample) in scratch[..bytes].chunks_exact_mut(SAMPLE_BYTES as usize).zip(&block.samples[..block.len]) {
            pair.copy_from_slice(&sample.to_le_bytes());
        }
        self.peaks.add(&block.samples[..block.len]);
        block.len = 0;
        // Nobody waits for an empty block: when its worker is gone, it is freed here.
        let _ = self.spare.try_send(block);
        self.put(&scratch[..bytes])?;
        self.roll()
    }

    fn silence(&mut self, pairs: u64) -> io::Result<()> {
        let zeros = [0u8; SILENT_PAIRS * PAIR_BYTES as usize];
        self.peaks.silence(pairs);
        let mut left = pairs * PAIR_BYTES;
        while left > 0 {
            let now = left.min(zeros.len() as u64);
            self.put(&zeros[..now as usize])?;
            left -= now;
        }
        self.roll()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.sink {
            Sink::Sealed(sealer) => sealer.append(bytes),
            Sink::Plain(data) => {
                self.file.write_all_at(bytes, WAV_HEADER + *data)?;
                *data += bytes.len() as u64;
                Ok(())
            }
        }
    }

    fn roll(&mut self) -> io::Result<()> {
        match &self.sink {
            Sink::Sealed(_) => Ok(()),
            Sink::Plain(data) => self.file.write_all_at(&wav_header(*data), 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::control::random::Random;
    use crate::control::time::Time;
    use crate::vault::Key;

    fn id(seed: u64) -> RecordingId {
        RecordingId::new(Time(1), &mut Random::new(seed))
    }

    fn block(left: i16, right: i16) -> Box<Block> {
        let mut block = Block::boxed();
        block.samples.chunks_exact_mut(2).for_each(|pair| pair.copy_from_slice(&[left, right]));
        block.len = BLOCK_SAMPLES;
        block
    }

    fn run(folder: &Path, jobs: Vec<Job>) -> Vec<Report> {
        run_on(Shelf::plain(folder), jobs)
    }

    fn run_on(shelf: Shelf, jobs: Vec<Job>) -> Vec<Report> {
        let (reports, seen) = crossbeam_channel::bounded(16);
        let disk = start_on(shelf, move |report| reports.send(report).unwrap()).unwrap();
        jobs.into_iter().for_each(|job| disk.jobs.send(job).unwrap());
        drop(disk.jobs);
        disk.thread.join().unwrap();
        seen.iter().collect()
    }

    #[test]
    fn a_recording_is_written_summed_and_reported() {
        let folder = tempfile::tempdir().unwrap();
        let (spare, home) = crossbeam_channel::bounded(4);
        let recording = id(1);
        let reports = run(
            folder.path(),
            vec![
                Job::Open { recording, path: "day/one.wav".into(), spare },
                Job::Append { recording, block: block(100, -100) },
                Job::Gap { recording, pairs: 4_000 },
                Job::Close { recording },
            ],
        );
        let [Report::Media(media::Event::RecordingFinished { duration, bytes, sha256, path, .. })] = &reports[..] else {
            panic!("{reports:?}")
        };
        assert_eq!(*duration, Duration::from_secs(1));
        assert_eq!(*bytes, 44 + 32_000);
        assert_eq!(path, Path::new("day/one.wav"));
        let whole = folder.path().join("day/one.wav");
        assert_eq!(hex::encode(Sha256::digest(fs::read(&whole).unwrap())), *sha256);
        let samples: Vec<i16> = hound::WavReader::open(whole).unwrap().samples().map(Result::unwrap).collect();
        assert_eq!((samples[0], samples[1], samples[8_000], samples.len()), (100, -100, 0, 16_000));
        assert_eq!(home.len(), 1, "the empty block came home");
    }

    #[test]
    fn s80_with_a_key_a_recording_is_sealed_and_its_sum_is_that_of_the_plain_file() {
        let (folder, plain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let jobs = || {
            let (spare, _) = crossbeam_channel::bounded(4);
            let recording = id(1);
            vec![
                Job::Open { recording, path: "one.wav".into(), spare },
                Job::Append { recording, block: block(100, -100) },
                Job::Gap { recording, pairs: 1_111 },
                Job::Append { recording, block: block(7, 8) },
                Job::Close { recording },
            ]
        };
        let keys = Keys::new(vec![Key::new([1; 32])]);
        let sealed = run_on(Shelf { folder: folder.path().to_owned(), keys: keys.clone() }, jobs());
        assert_eq!(sealed, run(plain.path(), jobs()), "length, size and sum are those of the plain file");
        let (lies, would) = (fs::read(folder.path().join("one.wav")).unwrap(), fs::read(plain.path().join("one.wav")).unwrap());
        assert!(hound::WavReader::new(&lies[..]).is_err() && !lies.windows(8).any(|some| some == &would[44..52]));
        let mut read = Vec::new();
        Reader::open(&folder.path().join("one.wav"), &keys).unwrap().read_to_end(&mut read).unwrap();
        assert!(read == would);
    }

    #[test]
    fn a_path_outside_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (spare, _home) = crossbeam_channel::bounded(1);
        let reports = run(folder.path(), vec![Job::Open { recording: id(2), path: "../escape.wav".into(), spare }]);
        assert!(
            matches!(&reports[..], [Report::Media(media::Event::RecordingFailed { why, .. })] if why.contains("below the recordings folder"))
        );
    }

    #[test]
    fn s86_a_file_cut_by_a_crash_is_readable_and_mended_to_its_last_sample() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.wav");
        let mut bytes = wav_header(8_000).to_vec();
        bytes.extend(std::iter::repeat_n(7u8, 16_003));
        fs::write(&path, &bytes).unwrap();
        assert_eq!(hound::WavReader::open(&path).unwrap().duration(), 2_000, "readable as the crash left it");
        fs::write(folder.path().join("foreign.wav"), b"not ours").unwrap();
        assert_eq!(recover(folder.path(), &Keys::default()).unwrap(), std::slice::from_ref(&path));
        assert_eq!(hound::WavReader::open(&path).unwrap().duration(), 4_000);
        assert_eq!(recover(folder.path(), &Keys::default()).unwrap(), Vec::<PathBuf>::new(), "mended once");
    }
}
