//! `hotline models`: which speech models there are, getting them, checking them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use crate::speech::models::{Entry, Manifest, Mirror, Origin, Standing, pull};

/// A progress bar comes up when a transfer takes longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

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
    /// Lists all known models and which are here
    #[command(after_help = "Example:\n  hotline models list")]
    List,
    /// Gets models; one that broke off goes on
    #[command(after_help = "Example:\n  hotline models pull whisper-base --mirror https://mirror.example/models")]
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
        Action::Verify { names } => {
            let entries: Vec<&Entry> = if names.is_empty() {
                manifest.models.iter().collect()
            } else {
                names.iter().map(|name| manifest.find(name)).collect::<Result<_, _>>()?
            };
            let absent = if names.is_empty() { Absent::Fine } else { Absent::Wrong };
            verify(&entries, args, absent)
        }
    }
}

fn list(manifest: &Manifest, args: &Args) -> anyhow::Result<ExitCode> {
    for entry in &manifest.models {
        let here = entry.files.iter().all(|file| entry.place(&args.folder, file).is_file());
        let state = if here { "here" } else { "-" };
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
    let begun = Instant::now();
    let bar = ProgressBar::no_length().with_style(
        ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}").context("the bar's template")?,
    );
    bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    let mut is_shown = false;
    let mut tell = |file: &str, done: u64, all: Option<u64>| {
        if !is_shown && begun.elapsed() > PATIENCE {
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            is_shown = true;
        }
        bar.set_message(file.to_owned());
        if let Some(all) = all {
            bar.set_length(all);
        }
        bar.set_position(done);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime for the transfer")?;
    let pinned = runtime.block_on(pull(entry, &args.folder, origin, &mut tell));
    bar.finish_and_clear();
    for (file, sum) in pinned? {
        println!("{}/{file}: fits the sum you gave or its mirror gives, which is pinned: {sum}", entry.name);
    }
    println!("{} is in {}", entry.name, args.folder.join(&entry.name).display());
    Ok(())
}

/// What a model that is not here at all means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    /// It was never pulled.
    Fine,
    /// It was asked for by name.
    Wrong,
}

fn verify(entries: &[&Entry], args: &Args, absent: Absent) -> anyhow::Result<ExitCode> {
    let mut bad = 0;
    for entry in entries {
        let standing = entry.standing(&args.folder).with_context(|| format!("cannot read {}", args.folder.join(&entry.name).display()))?;
        if absent == Absent::Fine && standing.iter().all(|(_, standing)| *standing == Standing::Missing) {
            continue;
        }
        for (file, standing) in standing {
            let said = match &standing {
                Standing::Right => "right".to_owned(),
                Standing::Unpinned(sum) => format!("no sum to hold it against; it is {sum}"),
                Standing::Wrong(sum) => format!("WRONG: it is {sum}; `hotline models pull {}` gets it again", entry.name),
                Standing::Missing => format!("MISSING; `hotline models pull {}` gets it", entry.name),
            };
            bad += usize::from(matches!(standing, Standing::Wrong(_) | Standing::Missing));
            println!("{}/{}: {said}", entry.name, file.path);
        }
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
