//! The one thread that writes recordings: stereo PCM16 WAV at 8 kHz whose header is rolled forward with each block, so that a file
//! whose writer was killed can be played up to the last block (half a second).

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use sha2::{Digest, Sha256};

use super::lasting::{self, Order};
use super::{FRAME, RATE, Report};
use crate::control::words::{RecordingId, media};

/// 20 ms frames in one block: half a second.
pub const BLOCK_FRAMES: usize = 25;
/// Interleaved samples in a full block (left, right).
pub const BLOCK_SAMPLES: usize = BLOCK_FRAMES * FRAME * CHANNELS;

const CHANNELS: usize = 2;
const SAMPLE_BYTES: u64 = 2;
const PAIR_BYTES: u64 = SAMPLE_BYTES * CHANNELS as u64;
const HEADER_BYTES: u64 = 44;
const JOBS: usize = 4_096;
const SUM_STEP: usize = 256 * 1024;
const SILENT_PAIRS: usize = 2_000;
const FOLDER_DEPTH: usize = 8;

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

/// What a closed or recovered file holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// Sound in the file.
    pub duration: Duration,
    /// Bytes in the file.
    pub bytes: u64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
}

/// Starts the disk thread. `folder` is the recordings folder; `report` may block (it is not called on a media thread).
///
/// # Errors
/// When the thread cannot be made.
pub fn start(folder: PathBuf, report: impl FnMut(Report) + Clone + Send + 'static) -> io::Result<Handle> {
    let (jobs, inbox) = crossbeam_channel::bounded(JOBS);
    let (lasting, keeper) = lasting::start(folder.clone(), report.clone())?;
    let disk = Disk { folder, report, open: HashMap::new(), closing: VecDeque::new(), lasting };
    let thread = std::thread::Builder::new().name("disk".to_owned()).spawn(move || {
        disk.run(&inbox);
        if keeper.join().is_err() {
            tracing::error!("the thread that makes recordings last broke off");
        }
    })?;
    Ok(Handle { jobs, thread })
}

/// Mends the headers of all our recordings below `folder` that were cut by a crash: sound behind the last rolled header is taken in.
/// Returns the mended files. Call before the disk thread starts.
///
/// # Errors
/// When the folder or one of its files cannot be read or written.
pub fn recover(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut mended = Vec::new();
    if folder.is_dir() {
        recover_below(folder, FOLDER_DEPTH, &mut mended)?;
    }
    Ok(mended)
}

/// Length, size and sum of a recording on disk (for files whose end a crash kept from being reported).
///
/// # Errors
/// When the file cannot be read.
pub fn inspect(file: &Path) -> io::Result<Sealed> {
    let mut file = File::open(file)?;
    let bytes = file.metadata()?.len();
    let mut sum = Sha256::new();
    io::copy(&mut file, &mut SumWriter(&mut sum))?;
    Ok(Sealed { duration: duration(bytes.saturating_sub(HEADER_BYTES)), bytes, sha256: hex::encode(sum.finalize()) })
}

struct SumWriter<'a>(&'a mut Sha256);

impl io::Write for SumWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn recover_below(folder: &Path, depth: usize, mended: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let path = entry.path();
        if kind.is_dir() && depth > 0 {
            recover_below(&path, depth - 1, mended)?;
        } else if kind.is_file() && path.extension().is_some_and(|ext| ext == "wav") && mend(&path)? {
            mended.push(path);
        }
    }
    Ok(())
}

fn mend(path: &Path) -> io::Result<bool> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let mut found = [0u8; HEADER_BYTES as usize];
    if length < HEADER_BYTES || file.read_exact_at(&mut found, 0).is_err() {
        return Ok(false);
    }
    let data = (length - HEADER_BYTES) / PAIR_BYTES * PAIR_BYTES;
    let wanted = header(data);
    let ours = found[..4] == wanted[..4] && found[8..40] == wanted[8..40];
    if !ours || (found == wanted && length == HEADER_BYTES + data) {
        return Ok(false);
    }
    file.set_len(HEADER_BYTES + data)?;
    file.write_all_at(&wanted, 0)?;
    Ok(true)
}

/// RIFF/WAVE, one `fmt ` chunk of PCM16 stereo at 8 kHz, one `data` chunk of `data` bytes.
fn header(data: u64) -> [u8; HEADER_BYTES as usize] {
    let data = u32::try_from(data).unwrap_or(u32::MAX - HEADER_BYTES as u32);
    let mut out = [0u8; HEADER_BYTES as usize];
    let pair = PAIR_BYTES as u32;
    out[0..4].copy_from_slice(b"RIFF");
    out[4..8].copy_from_slice(&(data + HEADER_BYTES as u32 - 8).to_le_bytes());
    out[8..16].copy_from_slice(b"WAVEfmt ");
    out[16..20].copy_from_slice(&16u32.to_le_bytes());
    out[20..22].copy_from_slice(&1u16.to_le_bytes());
    out[22..24].copy_from_slice(&(CHANNELS as u16).to_le_bytes());
    out[24..28].copy_from_slice(&RATE.to_le_bytes());
    out[28..32].copy_from_slice(&(RATE * pair).to_le_bytes());
    out[32..34].copy_from_slice(&(pair as u16).to_le_bytes());
    out[34..36].copy_from_slice(&(SAMPLE_BYTES as u16 * 8).to_le_bytes());
    out[36..40].copy_from_slice(b"data");
    out[40..44].copy_from_slice(&data.to_le_bytes());
    out
}

fn duration(data: u64) -> Duration {
    Duration::from_micros(data / PAIR_BYTES * 1_000_000 / u64::from(RATE))
}

struct Open {
    path: PathBuf,
    file: Arc<File>,
    data: u64,
    spare: Sender<Box<Block>>,
}

/// A file that is complete; its sum is made in steps between other work.
struct Closing {
    recording: RecordingId,
    open: Open,
    sum: Sha256,
}

struct Disk<F> {
    folder: PathBuf,
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
                Err(why) => self.fail(recording, format!("{}: {why}", self.folder.join(path).display())),
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
        let whole = self.folder.join(path);
        if let Some(parent) = whole.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(whole)?;
        file.write_all_at(&header(0), 0)?;
        Ok(Open { path: path.to_owned(), file: Arc::new(file), data: 0, spare })
    }

    fn write(&mut self, recording: RecordingId, work: impl FnOnce(&mut Open) -> io::Result<()>) {
        let Some(open) = self.open.get_mut(&recording) else { return };
        if let Err(why) = work(open) {
            let text = format!("{}: {why}", self.folder.join(&open.path).display());
            self.open.remove(&recording);
            self.fail(recording, text);
        }
    }

    fn close(&mut self, recording: RecordingId) {
        let Some(open) = self.open.remove(&recording) else { return };
        self.closing.push_back(Closing { recording, open, sum: Sha256::new() });
    }

    fn sum_a_step(&mut self, scratch: &mut [u8]) {
        let Some(closing) = self.closing.front_mut() else { return };
        let read = (&*closing.open.file).read(scratch);
        match read {
            Ok(0) => self.finish(),
            Ok(count) => closing.sum.update(&scratch[..count]),
            Err(why) => {
                let text = format!("{}: {why}", self.folder.join(&closing.open.path).display());
                let recording = closing.recording;
                self.closing.pop_front();
                self.fail(recording, text);
            }
        }
    }

    fn finish(&mut self) {
        let Some(Closing { recording, open, sum }) = self.closing.pop_front() else {
            return;
        };
        let finished = media::Event::RecordingFinished {
            recording,
            path: open.path,
            duration: duration(open.data),
            bytes: HEADER_BYTES + open.data,
            sha256: hex::encode(sum.finalize()),
        };
        self.tell(Order::Closed(recording, open.file, Box::new(Report::Media(finished))));
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
        block.len = 0;
        // Nobody waits for an empty block: when its worker is gone, it is freed here.
        let _ = self.spare.try_send(block);
        self.put(&scratch[..bytes])?;
        self.roll()
    }

    fn silence(&mut self, pairs: u64) -> io::Result<()> {
        let zeros = [0u8; SILENT_PAIRS * PAIR_BYTES as usize];
        let mut left = pairs * PAIR_BYTES;
        while left > 0 {
            let now = left.min(zeros.len() as u64);
            self.put(&zeros[..now as usize])?;
            left -= now;
        }
        self.roll()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, HEADER_BYTES + self.data)?;
        self.data += bytes.len() as u64;
        Ok(())
    }

    fn roll(&mut self) -> io::Result<()> {
        self.file.write_all_at(&header(self.data), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::random::Random;
    use crate::control::time::Time;

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
        let (reports, seen) = crossbeam_channel::bounded(16);
        let disk = start(folder.to_owned(), move |report| reports.send(report).unwrap()).unwrap();
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
        assert_eq!(inspect(&whole).unwrap(), Sealed { duration: *duration, bytes: *bytes, sha256: sha256.clone() });
        let samples: Vec<i16> = hound::WavReader::open(whole).unwrap().samples().map(Result::unwrap).collect();
        assert_eq!((samples[0], samples[1], samples[8_000], samples.len()), (100, -100, 0, 16_000));
        assert_eq!(home.len(), 1, "the empty block came home");
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
        let mut bytes = header(8_000).to_vec();
        bytes.extend(std::iter::repeat_n(7u8, 16_003));
        fs::write(&path, &bytes).unwrap();
        assert_eq!(hound::WavReader::open(&path).unwrap().duration(), 2_000, "readable as the crash left it");
        fs::write(folder.path().join("foreign.wav"), b"not ours").unwrap();
        assert_eq!(recover(folder.path()).unwrap(), std::slice::from_ref(&path));
        assert_eq!(hound::WavReader::open(&path).unwrap().duration(), 4_000);
        assert_eq!(recover(folder.path()).unwrap(), Vec::<PathBuf>::new(), "mended once");
    }
}
