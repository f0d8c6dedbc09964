//! A folder of recordings: finding them, closing what a crash left open, sealing them anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::key::Keys;
use super::ogg;
use super::reader::{Closed, Reader};
use super::seal::{Form, Record, Sealer, close_at};
use super::{OPUS, PAIR, VaultError, WAV_HEADER, wav_header};

/// `YYYY/MM/DD`, and room to spare.
const DEPTH: usize = 8;
/// What recordings are called, and what lies beside them.
const EXTENSIONS: [&str; 3] = ["wav", OPUS, "peaks"];
/// Parts of one recording; a day of them at a minute each fits.
pub const MOST_PARTS: u32 = 1_500;
/// What a file is called while it is sealed anew.
const NEW: &str = "sealing";
const STEP: usize = 1 << 16;

/// All recordings below a folder and what lies beside them, in order.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if folder.is_dir() {
        below(folder, DEPTH, &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() && depth > 0 {
            below(&path, depth - 1, found)?;
        } else if kind.is_file() && EXTENSIONS.iter().any(|known| path.extension().is_some_and(|end| end == *known)) {
            found.push(path);
        }
    }
    Ok(())
}

/// Where part `part` (from 1) of a recording lies whose first part lies here: `rec_1.wav`, `rec_1-2.wav` …
#[must_use]
pub fn part_path(first: &Path, part: u32) -> PathBuf {
    if part <= 1 {
        return first.to_owned();
    }
    let mut name = first.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{part}"));
    if let Some(end) = first.extension() {
        name.push(".");
        name.push(end);
    }
    first.with_file_name(name)
}

/// Where the first part of a recording lies whose part `part` lies here: the other way round.
#[must_use]
pub fn first_path(path: &Path, part: u32) -> PathBuf {
    let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()?.strip_suffix(&format!("-{part}"))).filter(|_| part > 1) else {
        return path.to_owned();
    };
    path.with_file_name(stem).with_extension(path.extension().unwrap_or_default())
}

/// The parts of a recording that lie below the folder, the first of them where `first` says.
#[must_use]
pub fn parts(folder: &Path, first: &Path) -> Vec<PathBuf> {
    let more = (2..=MOST_PARTS).map(|part| part_path(first, part)).take_while(|part| folder.join(part).is_file());
    std::iter::once(first.to_owned()).chain(more).collect()
}

/// Closes a recording that was cut off by a crash at its last whole sound: true when it had to be. Foreign files stay as they are.
///
/// # Errors
/// [`VaultError`] when it cannot be read or written, or has no key here.
pub fn repair(path: &Path, keys: &Keys) -> Result<bool, VaultError> {
    let disk = |why| VaultError::Disk { path: path.to_owned(), why };
    let reader = Reader::open(path, keys)?;
    let file = || OpenOptions::new().read(true).write(true).open(path).map_err(disk);
    match reader.sealed() {
        None if path.extension().is_some_and(|end| end == OPUS) => mend_ogg(&file()?).map_err(disk),
        None => mend(&file()?).map_err(disk),
        Some(sealed) if sealed.closed != Closed::No => Ok(false),
        Some(sealed) => {
            let (file, end) = (file()?, sealed.head.end_of(sealed.data));
            file.set_len(end).map_err(disk)?;
            close_at(&file, &sealed.key, &sealed.head, (end, sealed.data), Record::Repair).map_err(disk)?;
            Ok(true)
        }
    }
}

/// A plain WAV of ours: sound behind the last rolled header is taken in.
fn mend(file: &File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let mut found = [0u8; WAV_HEADER as usize];
    if length < WAV_HEADER || file.read_exact_at(&mut found, 0).is_err() {
        return Ok(false);
    }
    let data = (length - WAV_HEADER) / PAIR * PAIR;
    let wanted = wav_header(data);
    let ours = found[..4] == wanted[..4] && found[8..40] == wanted[8..40];
    if !ours || (found == wanted && length == WAV_HEADER + data) {
        return Ok(false);
    }
    file.set_len(WAV_HEADER + data)?;
    file.write_all_at(&wanted, 0)?;
    Ok(true)
}

/// A plain Ogg of ours: its last whole page becomes the last one.
fn mend_ogg(file: &File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let Some((at, page)) = ogg::last_page(&mut &*file, length)? else { return Ok(false) };
    let end = at + page.len();
    if page.is_last() && end == length {
        return Ok(false);
    }
    file.write_all_at(&page.made_last(), at)?;
    file.set_len(end)?;
    Ok(true)
}

/// How a recording lies after [`rekey`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// It was sealed with the first key already, or is to lie plain and does.
    AsItWas,
    /// It is now.
    Anew,
}

/// Seals a recording with the first key, whatever it was sealed with before; with no key it lies plain from then on. The plain file is
/// the same before and after. The new file takes the old one's place only when the disk has it.
///
/// # Errors
/// [`VaultError`]: it cannot be read or written; the old file is then as it was.
pub fn rekey(path: &Path, keys: &Keys) -> Result<Kept, VaultError> {
    let disk = |why| VaultError::Disk { path: path.to_owned(), why };
    let mut reader = Reader::open(path, keys)?;
    let (now, wanted) = (reader.sealed_with(), keys.first());
    if now == wanted.map(super::Key::name) {
        return Ok(Kept::AsItWas);
    }
    let beside = path.with_extension(NEW);
    let written = match wanted {
        Some(key) => {
            let form = if now.is_some() { reader.form() } else { plain_form(&mut reader).map_err(disk)? };
            seal_all(&mut reader, &beside, key, form)
        }
        None => copy(&mut reader, &beside),
    };
    let placed = written.and_then(|()| fs::rename(&beside, path)).inspect_err(|_| drop(fs::remove_file(&beside)));
    placed.map(|()| Kept::Anew).map_err(disk)
}

/// A WAV of ours needs no header of its own when it is sealed.
fn plain_form(reader: &mut Reader) -> io::Result<Form> {
    if reader.is_ogg()? {
        return Ok(Form::Ogg);
    }
    let mut header = [0; WAV_HEADER as usize];
    let ours = reader.len() >= WAV_HEADER && {
        reader.read_exact(&mut header)?;
        header == wav_header(reader.len() - WAV_HEADER)
    };
    io::Seek::rewind(reader)?;
    Ok(if ours { Form::Wav } else { Form::Bytes })
}

fn seal_all(reader: &mut Reader, to: &Path, key: &super::Key, form: Form) -> io::Result<()> {
    let file = Arc::new(File::create(to)?);
    let mut sealer = Sealer::begin(Arc::clone(&file), key, form)?;
    io::Seek::seek(reader, io::SeekFrom::Start(if form == Form::Wav { WAV_HEADER } else { 0 }))?;
    each_step(reader, |bytes| sealer.append(bytes))?;
    sealer.close()?;
    file.sync_all()
}

fn copy(reader: &mut Reader, to: &Path) -> io::Result<()> {
    let mut file = File::create(to)?;
    each_step(reader, |bytes| io::Write::write_all(&mut file, bytes))?;
    file.sync_all()
}

fn each_step(reader: &mut Reader, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut step = vec![0; STEP];
    loop {
        match reader.read(&mut step)? {
            0 => return Ok(()),
            read => take(&step[..read])?,
        }
    }
}
