//! What the disk thread writes: plain and sealed, packed and not, in one file and in parts, and what a crash leaves of it.

use std::fs;
use std::time::Duration;

use super::*;
use crate::control::random::Random;
use crate::control::time::Time;
use crate::vault::{Key, wav_header};

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
    run_with(Settings { shelf, part: None }, jobs)
}

fn run_with(settings: Settings, jobs: Vec<Job>) -> Vec<Report> {
    let (reports, seen) = crossbeam_channel::bounded(16);
    let disk = start_with(settings, move |report| reports.send(report).unwrap()).unwrap();
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

/// Nine tenths of a second of a rising line on the left and its opposite on the right, with a gap in the middle: 25,111 pairs.
fn uneven(recording: RecordingId, path: &str) -> Vec<Job> {
    let (spare, _) = crossbeam_channel::bounded(4);
    let mut at = 0i16;
    let mut block = || {
        let mut block = Block::boxed();
        for pair in block.samples.chunks_exact_mut(2) {
            at = at.wrapping_add(1);
            pair.copy_from_slice(&[at, -at]);
        }
        block.len = BLOCK_SAMPLES;
        block
    };
    let mut jobs = vec![Job::Open { recording, path: path.into(), spare }];
    jobs.extend((0..3).map(|_| Job::Append { recording, block: block() }));
    jobs.push(Job::Gap { recording, pairs: 1_111 });
    jobs.extend((0..3).map(|_| Job::Append { recording, block: block() }));
    jobs.push(Job::Close { recording });
    jobs
}

fn samples(shelf: &Shelf, path: &Path) -> Vec<i16> {
    let mut samples = Vec::new();
    let mut reader = shelf.open(path).unwrap();
    let pairs = reader.samples(|some| samples.extend_from_slice(some)).unwrap();
    assert_eq!(samples.len() as u64, 2 * pairs);
    assert_eq!(reader.duration().unwrap(), Duration::from_micros(pairs * 125), "what is told is what is there");
    samples
}

fn keys() -> Keys {
    Keys::new(vec![Key::new([1; 32])])
}

#[test]
fn a_long_recording_is_cut_into_parts_without_a_sample_lost_or_doubled() {
    for (keys, ending) in [(Keys::default(), "wav"), (keys(), "wav"), (Keys::default(), "opus"), (keys(), "opus")] {
        let (one, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let shelf = |folder: &tempfile::TempDir| Shelf { folder: folder.path().to_owned(), keys: keys.clone() };
        let (recording, path) = (id(1), format!("day/one.{ending}"));
        run_on(shelf(&one), uneven(recording, &path));
        let reports = run_with(Settings { shelf: shelf(&many), part: Some(Duration::from_secs(1)) }, uneven(recording, &path));
        let mut told = Vec::new();
        for report in &reports[..4] {
            let Report::Media(media::Event::RecordingPart { part, path, duration, .. }) = report else { panic!("{report:?}") };
            told.push((*part, path.display().to_string(), *duration));
        }
        let name = |part: &str| format!("day/one{part}.{ending}");
        let second = Duration::from_secs(1);
        let rest = Duration::from_micros(1_111 * 125);
        assert_eq!(told, [(1, name(""), second), (2, name("-2"), second), (3, name("-3"), second), (4, name("-4"), rest)]);
        let [_, _, _, _, Report::Media(media::Event::RecordingFinished { path: first, duration, bytes, sha256, .. })] = &reports[..] else {
            panic!("{reports:?}")
        };
        assert_eq!((first.display().to_string(), *duration), (name(""), 3 * second + rest));
        let parts = vault::parts(many.path(), Path::new(&path));
        assert_eq!(parts.len(), 4);
        let mut plain = Vec::new();
        for part in &parts {
            shelf(&many).open(part).unwrap().read_to_end(&mut plain).unwrap();
        }
        assert_eq!((*bytes, sha256.as_str()), (plain.len() as u64, hex::encode(Sha256::digest(&plain)).as_str()));
        let all: Vec<i16> = parts.iter().flat_map(|part| samples(&shelf(&many), part)).collect();
        let whole = samples(&shelf(&one), Path::new(&path));
        assert_eq!(all.len(), whole.len());
        assert!(ending == "opus" || all == whole, "the parts one behind the other are the whole");
        let peaks = |folder| vault::Waveform::read(&shelf(folder), path.as_ref(), 99).unwrap();
        assert_eq!(peaks(&many), peaks(&one), "one waveform lies beside all parts");
        if ending == "wav" {
            fs::remove_file(many.path().join("day/one.peaks")).unwrap();
            assert_eq!(peaks(&many), peaks(&one), "or is made from all of them");
        }
    }
}

#[test]
fn s86_a_packed_file_whose_writer_died_plays_to_its_last_half_second_and_is_closed_there() {
    for keys in [Keys::default(), keys()] {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf { folder: folder.path().to_owned(), keys: keys.clone() };
        let (path, mut room) = (PathBuf::from("cut.opus"), Vec::new());
        let mut part = Part::create(&shelf, &path).unwrap();
        let noise = |seed: u64| {
            let mut random = Random::new(seed);
            (0..BLOCK_SAMPLES).map(|_| (random.unit() * 8_000.0) as i16 - 4_000).collect::<Vec<i16>>()
        };
        for block in 0..6 {
            part.add(Piece::Samples(&noise(block)), &mut room).unwrap();
            // What lies there now is what a killed writer leaves.
            let there = samples(&shelf, &path).len() / 2;
            let written = 4_000 * (block as usize + 1);
            assert!(there <= written && there + 4_000 + 100 > written, "{there} of {written} pairs, {} keys", keys.first().is_some());
        }
        drop(part);
        let whole = fs::read(folder.path().join(&path)).unwrap();
        assert_eq!(whole.windows(8).any(|some| some == b"OpusHead"), keys.first().is_none(), "sealed, nothing of it can be read");
        for cut in [whole.len(), whole.len() - 1, whole.len() / 2, 200] {
            fs::write(folder.path().join(&path), &whole[..cut]).unwrap();
            let left = samples(&shelf, &path);
            assert_eq!(recover(folder.path(), &keys).unwrap(), [folder.path().join(&path)], "cut at {cut}");
            assert_eq!(samples(&shelf, &path), left, "cut at {cut}");
            assert_eq!(recover(folder.path(), &keys).unwrap(), Vec::<PathBuf>::new(), "mended once");
        }
    }
}
