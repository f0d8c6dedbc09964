//! `hotline models`: which speech models there are, getting them, checking them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::late_bar::LateBar;
use crate::speech::models::{Entry, File, Manifest, Mirror, Origin, Presence, Standing, pull};

const BAR: &str = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";

/// Speech models: list them, get them, check them.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  hotline models list\n  hotline models pull whisper-base --sha256 SUM_FROM_ITS_PAGE\n  \
                        hotline models pull kws-zipformer-zh-wenetspeech-3.3M --mirror ../shared/data/models\n  hotline models verify")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// The folder of models
    #[arg(long, global = true, default_value = "models")]
    folder: PathBuf,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Lists all known models: `here`, `part` (broke off, or a file is gone) or `-`
    #[command(after_help = "Example:\n  hotline models list")]
    List,
    /// Gets models; one that broke off goes on
    #[command(after_help = "Examples:\n  hotline models pull whisper-base --sha256 SUM_FROM_ITS_PAGE\n  \
                            hotline models pull whisper-base --mirror https://mirror.example/models\n\n\
                            Nothing is kept that does not fit a sum known before. After a break the same command goes on.")]
    Pull {
        /// Names from the list
        #[arg(required = true)]
        names: Vec<String>,
        /// A folder or a web address with <name>/<file> below it
        #[arg(long)]
        mirror: Option<String>,
        /// The sum of a file that the list gives none for, as its maker publishes it
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
    },
    /// Checks the sums of what is here; exit status 1 when something is wrong
    #[command(after_help = "Example:\n  hotline models verify whisper-base")]
    Verify {
        /// Names from the list; all that are here when none is given
        names: Vec<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// An unknown name, a transfer that failed, a sum that is wrong.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let manifest = Manifest::read(&args.folder)?;
    match &args.action {
        Action::List => list(&manifest, args),
        Action::Pull { names, mirror, sha256 } => {
            let mirror = mirror.as_deref().map(Mirror::parse);
            anyhow::ensure!(sha256.is_none() || names.len() == 1, "--sha256 is the sum of one model's file: pull the others by themselves");
            for name in names {
                get(manifest.find(name)?, args, Origin { mirror: mirror.as_ref(), sha256: sha256.as_deref() })?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Action::Verify { names } => verify(&asked(&manifest, names, args)?, args),
    }
}

fn list(manifest: &Manifest, args: &Args) -> anyhow::Result<ExitCode> {
    for entry in &manifest.models {
        let state = match entry.presence(&args.folder) {
            Presence::Here => "here",
            Presence::Part => "part",
            Presence::Absent => "-",
        };
        let kind = if entry.fixture { " (test fixture, no product model)" } else { "" };
        println!(
            "{:<36} {:<5} {:<10} {:<6} {:<16} {}{kind}",
            entry.name,
            state,
            entry.engine,
            entry.lang.join(","),
            entry.licence,
            entry.about
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn get(entry: &Entry, args: &Args, origin: Origin<'_>) -> anyhow::Result<()> {
    let mut bar = LateBar::new(BAR)?;
    let mut tell = |file: &str, done: u64, all: Option<u64>| {
        bar.name(file);
        bar.tell(done, all);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime for the transfer")?;
    let pinned = runtime.block_on(pull(entry, &args.folder, origin, &mut tell));
    bar.finish();
    for (file, sum) in pinned? {
        println!("{}/{file}: fits the sum you gave or its mirror gives, which is pinned: {sum}", entry.name);
    }
    println!("{} is in {}", entry.name, args.folder.join(&entry.name).display());
    Ok(())
}

/// The models asked for, else those that are here.
fn asked<'m>(manifest: &'m Manifest, names: &[String], args: &Args) -> anyhow::Result<Vec<&'m Entry>> {
    if !names.is_empty() {
        return Ok(names.iter().map(|name| manifest.find(name)).collect::<Result<_, _>>()?);
    }
    anyhow::ensure!(args.folder.is_dir(), "{} is no folder; name the one that holds the models: --folder FOLDER", args.folder.display());
    let here: Vec<&Entry> = manifest.models.iter().filter(|entry| entry.presence(&args.folder) != Presence::Absent).collect();
    if here.is_empty() {
        eprintln!("{} holds no model of the list; `hotline models list` shows it, `hotline models pull` gets one", args.folder.display());
    }
    Ok(here)
}

fn verify(entries: &[&Entry], args: &Args) -> anyhow::Result<ExitCode> {
    let mut bar = LateBar::new(BAR)?;
    let places = entries.iter().flat_map(|entry| entry.files.iter().map(|file| entry.place(&args.folder, file)));
    let all = places.filter_map(|place| Some(place.metadata().ok()?.len())).sum();
    let (mut done, mut bad, mut lines) = (0, 0, Vec::new());
    for entry in entries {
        bar.name(&entry.name);
        let mut tell = |bytes: u64| {
            done += bytes;
            bar.tell(done, Some(all));
        };
        let standing = entry.standing(&args.folder, &mut tell);
        let standing = standing.with_context(|| format!("cannot read {}", args.folder.join(&entry.name).display()))?;
        for (file, standing) in standing {
            bad += usize::from(matches!(standing, Standing::Wrong(_) | Standing::Missing));
            lines.push(format!("{}/{}: {}", entry.name, file.path, said(entry, file, &standing)));
        }
    }
    bar.finish();
    lines.iter().for_each(|line| println!("{line}"));
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How a file stands, and the mend.
fn said(entry: &Entry, file: &File, standing: &Standing) -> String {
    let from = if file.url.is_some() { "" } else { " --mirror FOLDER|URL" };
    let pull = format!("`hotline models pull {}{from}`", entry.name);
    match standing {
        Standing::Right => "right".to_owned(),
        Standing::Unpinned(sum) => format!("no sum to hold it against; it is {sum}"),
        Standing::Wrong(sum) => format!("WRONG: it is {sum}; {pull} gets it again"),
        Standing::Missing => format!("MISSING; {pull} gets it"),
    }
}
