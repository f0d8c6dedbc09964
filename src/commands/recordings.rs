//! `hotline recordings`: are the files whole, sealing them with another key, taking one out as a plain file.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::late_bar::LateBar;
use crate::config::{self, Config};
use crate::run::setup;
use crate::vault::{self, Kept, OPUS, Reader, Shelf};

const MICROS: u64 = 1_000_000;
const BAR: &str = "{bar:40} {pos}/{len} {eta}";

/// Recordings on the disk: check them, seal them anew, take one out.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  hotline recordings verify\n  hotline recordings rekey --home /srv/hotline\n  \
                        hotline recordings export recordings/2026/11/21/rec_01.wav talk.wav")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Reads every recording to its end: can it be opened, and is it what was sealed? Exit status 1 when one is not
    #[command(after_help = "Example:\n  hotline recordings verify --home /srv/hotline")]
    Verify {
        #[command(flatten)]
        config: config::Args,
    },
    /// Seals every recording with the first of the keys, those that lie plain too; without keys all lie plain afterwards
    #[command(after_help = "Example:\n  hotline recordings rekey\n\n\
        To change the key: write the new one in front of the old ones in [recordings] keys, restart the server, run this beside it, and take\n\
        the old key away when it says that nothing is sealed with it any more. Sums and certificates stay as they are.")]
    Rekey {
        #[command(flatten)]
        config: config::Args,
    },
    /// Writes the plain file of a recording
    #[command(after_help = "Example:\n  hotline recordings export recordings/2026/11/21/rec_01.wav talk.wav")]
    Export {
        /// The recording, as it lies
        file: PathBuf,
        /// Where the plain file goes; it must not be there yet
        to: PathBuf,
        #[command(flatten)]
        config: config::Args,
    },
}

/// Runs the command.
///
/// # Errors
/// A configuration that cannot be used, a key that is missing, a disk that says no.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::Verify { config } => verify(&shelf(config)?),
        Action::Rekey { config } => rekey(&shelf(config)?),
        Action::Export { file, to, config } => export(&shelf(config)?, file, to),
    }
}

fn shelf(args: &config::Args) -> anyhow::Result<Shelf> {
    let config: Config = config::load(args, config::Secrets::NONE).map_err(|problems| {
        super::check::print_problems(&problems);
        anyhow!("the configuration has errors")
    })?;
    setup::shelf(&config.server)
}

fn all(shelf: &Shelf) -> anyhow::Result<Vec<PathBuf>> {
    vault::files(&shelf.folder).with_context(|| format!("cannot read the recordings folder {}", shelf.folder.display()))
}

/// Does something with each recording; what fails is printed.
fn each<T>(shelf: &Shelf, mut work: impl FnMut(&Path) -> Result<T, String>) -> anyhow::Result<(Vec<T>, usize)> {
    let files = all(shelf)?;
    let mut bar = LateBar::new(BAR)?;
    let (mut done, mut failed) = (Vec::new(), 0);
    for (at, file) in files.iter().enumerate() {
        match work(file) {
            Ok(one) => done.push(one),
            Err(why) => {
                failed += 1;
                eprintln!("{why}");
            }
        }
        bar.tell(at as u64 + 1, Some(files.len() as u64));
    }
    bar.finish();
    Ok((done, failed))
}

fn verify(shelf: &Shelf) -> anyhow::Result<ExitCode> {
    let check = |file: &Path| {
        let mut reader = Reader::open(file, &shelf.keys).map_err(|why| why.to_string())?;
        reader.sum().map_err(|why| why.to_string())?;
        packed(file, &mut reader).map_err(|why| format!("{}: {why}", file.display()))?;
        Ok(reader.sealed_with().is_some())
    };
    let (checked, failed) = each(shelf, check)?;
    let sealed = checked.iter().filter(|sealed| **sealed).count();
    println!("{} can be read, {sealed} of them sealed; {failed} cannot", checked.len());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every page of a packed recording has a sum of its own, and the last one says how much sound there is.
fn packed(file: &Path, reader: &mut Reader) -> Result<(), String> {
    if file.extension().is_none_or(|end| end != OPUS) {
        return Ok(());
    }
    let told = reader.duration().map_err(|why| why.to_string())?;
    let pairs = reader.samples(|_| ()).map_err(|why| why.to_string())?;
    let heard = Duration::from_micros(pairs * MICROS / u64::from(vault::RATE));
    if heard == told { Ok(()) } else { Err(format!("only {heard:?} of {told:?} can be played; take the file from a backup")) }
}

fn rekey(shelf: &Shelf) -> anyhow::Result<ExitCode> {
    let (kept, failed) = each(shelf, |file| vault::rekey(file, &shelf.keys).map_err(|why| why.to_string()))?;
    let anew = kept.iter().filter(|kept| **kept == Kept::Anew).count();
    let how = shelf.keys.first().map_or_else(|| "plain".to_owned(), |key| format!("sealed with {}", key.name()));
    println!("{anew} are {how} now, {} were before; {failed} could not be changed", kept.len() - anew);
    if failed == 0 {
        println!("nothing is sealed with another key any more");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn export(shelf: &Shelf, file: &Path, to: &Path) -> anyhow::Result<ExitCode> {
    let mut reader = Reader::open(file, &shelf.keys)?;
    let mut out = std::fs::File::create_new(to).with_context(|| format!("cannot make {}", to.display()))?;
    std::io::copy(&mut reader.by_ref(), &mut out).with_context(|| format!("cannot write {}", to.display()))?;
    println!("{} bytes", reader.len());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{Key, Keys, wav_header};

    #[test]
    fn s80_plain_recordings_are_sealed_checked_and_taken_out_again() {
        let home = tempfile::tempdir().unwrap();
        let (day, out) = (home.path().join("2026/11/22"), home.path().join("out.wav"));
        std::fs::create_dir_all(&day).unwrap();
        let plain = [&wav_header(8)[..], &[1, 2, 3, 4, 5, 6, 7, 8]].concat();
        std::fs::write(day.join("a.wav"), &plain).unwrap();
        let shelf = Shelf { folder: home.path().to_owned(), keys: Keys::new(vec![Key::new([1; 32])]) };
        assert_eq!(rekey(&shelf).unwrap(), ExitCode::SUCCESS);
        assert_eq!(verify(&shelf).unwrap(), ExitCode::SUCCESS);
        assert_ne!(std::fs::read(day.join("a.wav")).unwrap(), plain);
        assert_eq!(export(&shelf, &day.join("a.wav"), &out).unwrap(), ExitCode::SUCCESS);
        assert_eq!(std::fs::read(&out).unwrap(), plain);
        assert!(export(&shelf, &day.join("a.wav"), &out).is_err(), "nothing is written over");
        std::fs::remove_file(out).unwrap();
        let other = Shelf { keys: Keys::new(vec![Key::new([2; 32])]), ..shelf };
        assert_eq!((verify(&other).unwrap(), rekey(&other).unwrap()), (ExitCode::FAILURE, ExitCode::FAILURE));
    }

    #[test]
    fn a_packed_recording_is_checked_page_by_page_and_sealed_and_taken_out_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        let (file, out) = (home.path().join("a.opus"), home.path().join("out.opus"));
        let mut plain = Vec::new();
        let mut writer = vault::opus::Writer::begin(&mut plain).unwrap();
        (0..4).for_each(|_| writer.add(&[1_000; 8_000], &mut plain).unwrap());
        writer.end(&mut plain).unwrap();
        std::fs::write(&file, &plain).unwrap();
        let bare = Shelf { folder: home.path().to_owned(), keys: Keys::default() };
        assert_eq!(verify(&bare).unwrap(), ExitCode::SUCCESS);
        let shelf = Shelf { keys: Keys::new(vec![Key::new([1; 32])]), ..bare.clone() };
        assert_eq!((rekey(&shelf).unwrap(), verify(&shelf).unwrap()), (ExitCode::SUCCESS, ExitCode::SUCCESS));
        assert_eq!(export(&shelf, &file, &out).unwrap(), ExitCode::SUCCESS);
        assert_eq!(std::fs::read(&out).unwrap(), plain);
        let mut changed = plain.clone();
        changed[plain.len() / 2] ^= 1;
        std::fs::write(&out, changed).unwrap();
        assert_eq!(verify(&shelf).unwrap(), ExitCode::FAILURE, "a plain one too is known to be changed");
    }
}
