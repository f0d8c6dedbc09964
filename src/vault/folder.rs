//! A folder of recordings: finding them, closing what a crash left open, sealing them anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::key::Keys;
use super::reader::{Closed, Reader, end_of};
use super::seal::{Form, Record, Sealer, close_at};
use super::{PAIR, VaultError, WAV_HEADER, wav_header};

/// `YYYY/MM/DD`, and room to spare.
const DEPTH: usize = 8;
/// What recordings are called, and what lies beside them.
const EXTENSIONS: [&str; 2] = ["wav", "peaks"];
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

/// Closes a recording that was cut off by a crash at its last whole sound: true when it had to be. Foreign files stay as they are.
///
/// # Errors
/// [`VaultError`] when it cannot be read or written, or has no key here.
pub fn repair(path: &Path, keys: &Keys) -> Result<bool, VaultError> {
    let disk = |why| VaultError::Disk { path: path.to_owned(), why };
    let reader = Reader::open(path, keys)?;
    let file = || OpenOptions::new().read(true).write(true).open(path).map_err(disk);
    match reader.sealed() {
        None => mend(&file()?).map_err(disk),
        Some(sealed) if sealed.closed == Closed::Yes => Ok(false),
        Some(sealed) => {
            let (file, end) = (file()?, end_of(sealed.data));
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
