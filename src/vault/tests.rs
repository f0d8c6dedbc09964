//! Sealed recordings: nobody plays them without the key, a crash and another key leave them whole, and a changed bit is told.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;

const BLOCK: usize = 16_000;
const SEALED_BLOCK: usize = BLOCK + 16;
const HEAD: usize = 64;
const CLOSING: usize = 24;

fn key(number: u8) -> Key {
    Key::new([number; 32])
}

fn keys(numbers: &[u8]) -> Keys {
    Keys::new(numbers.iter().map(|number| key(*number)).collect())
}

/// Sound that repeats nowhere.
fn sound(bytes: usize) -> Vec<u8> {
    let mut state = 3u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

fn plain(sound: &[u8]) -> Vec<u8> {
    [&wav_header(sound.len() as u64)[..], sound].concat()
}

/// A sealed file of this sound, handed over in pieces; closed, or left as a killed writer leaves it.
fn sealed(folder: &Path, sound: &[u8], close: bool) -> PathBuf {
    let path = folder.join("one.wav");
    let mut sealer = Sealer::begin(Arc::new(File::create(&path).unwrap()), &key(1), Form::Wav).unwrap();
    for piece in sound.chunks(7_001) {
        sealer.append(piece).unwrap();
    }
    if close {
        sealer.close().unwrap();
    }
    path
}

fn read(path: &Path, keys: &Keys) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut reader = Reader::open(path, keys).unwrap();
    reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(reader.len(), bytes.len() as u64);
    bytes
}

#[test]
fn s80_a_sealed_recording_is_the_plain_one_with_the_key_and_nothing_without() {
    let folder = tempfile::tempdir().unwrap();
    for length in [0, 4, BLOCK - 4, BLOCK, BLOCK + 4, 3 * BLOCK, 100_000] {
        let sound = sound(length);
        let path = sealed(folder.path(), &sound, true);
        assert!(read(&path, &keys(&[1])) == plain(&sound), "{length} bytes of sound");
        let lies = fs::read(&path).unwrap();
        assert!(length < 100 || !lies.windows(16).any(|some| some == &sound[40..56]), "no sound lies open");
        let why = Reader::open(&path, &keys(&[2])).unwrap_err();
        assert!(matches!(&why, VaultError::KeyMissing { key: named, .. } if *named == key(1).name()), "{why}");
        assert!(why.to_string().contains("one.wav") && why.to_string().contains("[recordings] keys"), "{why}");
        assert!(hound::WavReader::open(&path).is_err());
    }
}

#[test]
fn s80_any_part_is_read_without_the_rest_and_is_the_plain_files() {
    let folder = tempfile::tempdir().unwrap();
    let sound = sound(4 * BLOCK + 100);
    let (path, whole) = (sealed(folder.path(), &sound, true), plain(&sound));
    let mut reader = Reader::open(&path, &keys(&[1])).unwrap();
    for (from, to) in [(0, 10), (40, 50), (44, 45), (BLOCK, 2 * BLOCK + 60), (whole.len() - 7, whole.len()), (0, whole.len()), (3, 3)] {
        let mut part = vec![0; to - from];
        reader.seek(SeekFrom::Start(from as u64)).unwrap();
        reader.read_exact(&mut part).unwrap();
        assert!(part == whole[from..to], "{from}..{to}");
    }
    // A block that is not asked for may be damaged.
    let mut lies = fs::read(&path).unwrap();
    lies[HEAD + 3 * SEALED_BLOCK + 5] ^= 1;
    fs::write(&path, lies).unwrap();
    let mut part = vec![0; 2 * BLOCK];
    Reader::open(&path, &keys(&[1])).unwrap().read_exact(&mut part).unwrap();
    assert!(part == whole[..2 * BLOCK]);
}

#[test]
fn s80_a_flipped_bit_is_told_with_file_and_block_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let sound = sound(2 * BLOCK + 1_000);
    let path = sealed(folder.path(), &sound, true);
    let whole = fs::read(&path).unwrap();
    let places = [
        (HEAD + 1, "block 0 "),
        (HEAD + SEALED_BLOCK - 1, "block 0 "),
        (HEAD + SEALED_BLOCK, "block 1 "),
        (HEAD + 2 * SEALED_BLOCK + 900, "block 2 "),
    ];
    for (at, told) in places {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        fs::write(&path, changed).unwrap();
        let why = Reader::open(&path, &keys(&[1])).unwrap().read_to_end(&mut Vec::new()).unwrap_err().to_string();
        assert!(why.contains(told) && why.contains("one.wav"), "{at}: {why}");
    }
    for at in [20, 30, 60] {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        fs::write(&path, changed).unwrap();
        let opened = Reader::open(&path, &keys(&[1])).map_err(std::io::Error::from);
        assert!(opened.and_then(|mut reader| reader.sum()).is_err(), "byte {at} of the head");
    }
    // Whole blocks that change places, or are left out, are told too.
    let mut swapped = whole.clone();
    swapped[HEAD..HEAD + 2 * SEALED_BLOCK].rotate_left(SEALED_BLOCK);
    let short = [&whole[..HEAD + SEALED_BLOCK], &whole[HEAD + 2 * SEALED_BLOCK..]].concat();
    for changed in [swapped, short] {
        fs::write(&path, changed).unwrap();
        let opened = Reader::open(&path, &keys(&[1])).map_err(std::io::Error::from);
        assert!(opened.and_then(|mut reader| reader.sum()).is_err());
    }
}

#[test]
fn s80_after_a_rotation_old_files_are_read_and_may_be_sealed_anew_with_the_same_sum() {
    let folder = tempfile::tempdir().unwrap();
    let sound = sound(50_000);
    let path = sealed(folder.path(), &sound, true);
    let rotated = keys(&[2, 1]);
    let mut reader = Reader::open(&path, &rotated).unwrap();
    assert_eq!(reader.sealed_with(), Some(key(1).name()), "the old key opens what it sealed");
    let sum = reader.sum().unwrap();
    assert_eq!((rekey(&path, &rotated).unwrap(), rekey(&path, &rotated).unwrap()), (Kept::Anew, Kept::AsItWas));
    let mut reader = Reader::open(&path, &keys(&[2])).unwrap();
    assert_eq!((reader.sealed_with(), reader.sum().unwrap()), (Some(key(2).name()), sum.clone()));
    assert!(Reader::open(&path, &keys(&[1])).is_err(), "the old key opens it no more");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");

    let plain_path = folder.path().join("plain.wav");
    fs::write(&plain_path, plain(&sound)).unwrap();
    assert_eq!(rekey(&plain_path, &keys(&[2])).unwrap(), Kept::Anew);
    assert_eq!(Reader::open(&plain_path, &keys(&[2])).unwrap().sum().unwrap(), sum);
    let foreign = folder.path().join("foreign.wav");
    fs::write(&foreign, b"not ours").unwrap();
    rekey(&foreign, &keys(&[2])).unwrap();
    assert_eq!(read(&foreign, &keys(&[2])), b"not ours", "what is no WAV of ours is kept byte for byte");
}

#[test]
fn s86_a_sealed_file_cut_anywhere_by_a_crash_is_closed_at_its_last_whole_block() {
    let folder = tempfile::tempdir().unwrap();
    let sound = sound(3 * BLOCK + 500);
    let path = sealed(folder.path(), &sound, false);
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), HEAD + 3 * SEALED_BLOCK, "whole blocks only lie there");
    for (cut, blocks) in [(whole.len(), 3), (whole.len() - 1, 2), (HEAD + SEALED_BLOCK + 3, 1), (HEAD + 30, 0), (HEAD, 0)] {
        fs::write(&path, &whole[..cut]).unwrap();
        let expected = plain(&sound[..blocks * BLOCK]);
        assert!(read(&path, &keys(&[1])) == expected, "readable as the crash left it, cut at {cut}");
        assert!(matches!(repair(&path, &keys(&[2])), Err(VaultError::KeyMissing { .. })));
        assert!(repair(&path, &keys(&[1])).unwrap() && !repair(&path, &keys(&[1])).unwrap(), "mended once");
        assert!(read(&path, &keys(&[1])) == expected);
        assert_eq!(fs::metadata(&path).unwrap().len(), (HEAD + blocks * SEALED_BLOCK + CLOSING) as u64);
    }
}

#[test]
fn s86_a_file_whose_writer_died_between_its_last_block_and_its_closing_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sound = sound(BLOCK + 500);
    let path = sealed(folder.path(), &sound, true);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - CLOSING]).unwrap();
    assert!(read(&path, &keys(&[1])) == plain(&sound));
    assert!(repair(&path, &keys(&[1])).unwrap());
    assert!(read(&path, &keys(&[1])) == plain(&sound));
}

#[test]
fn s80_a_missing_or_wrong_key_is_told_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.hex");
    let told = |sources: &[Source]| Keys::read(sources).unwrap_err().to_string();
    assert!(told(&[Source::Env("HOTLINE_NO_SUCH_KEY".to_owned())]).contains("no HOTLINE_NO_SUCH_KEY; `openssl rand -hex 32`"));
    assert!(told(&[Source::File(file.clone())]).contains("key.hex"));
    fs::write(&file, "abc").unwrap();
    let said = told(&[Source::File(file.clone())]);
    assert!(said.contains("64 hex digits") && !said.contains("abc"), "{said}");
    fs::write(&file, format!("{}\n", "01".repeat(32))).unwrap();
    let read = Keys::read(&[Source::File(file)]).unwrap();
    assert_eq!(read.first().map(Key::name), Some(key(1).name()));
    assert!(!format!("{read:?}").contains("0101"), "a key is never printed");
}
