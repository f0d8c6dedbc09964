//! `hotline transcribe`: writes down a recording, both sides of it, with times.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::control::words::Lang;
use crate::speech::transcribe::{self, Side, Utterance};
use crate::speech::{Config, Engines};

/// A progress bar comes up when it takes longer than this.
const PATIENCE: Duration = Duration::from_secs(2);
const SECOND: u32 = 1_000;
const MINUTE: u32 = 60;

/// Writes down what is said in a recording (WAV; of a stereo file both channels: left customer, right center).
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  hotline transcribe --lang zh-CN recordings/2026/11/21/rec_01.wav\n\n\
                        Needs a model for the language: `hotline models list`, or --whisper FILE.")]
pub struct Args {
    /// The recording
    file: PathBuf,
    /// The language spoken
    #[arg(long, default_value = "en-US")]
    lang: String,
    /// The folder of models
    #[arg(long, default_value = "models")]
    models: PathBuf,
    /// A whisper file to use, `.bin` or `.bin.gz`
    #[arg(long)]
    whisper: Option<PathBuf>,
    /// One JSON object a line instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// A file or a model that cannot be read, a language without an engine.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = Config { models: args.models.clone(), whisper: args.whisper.clone(), ..Config::default() };
    let engines = Arc::new(Engines::load(config)?);
    let begun = Instant::now();
    let bar =
        ProgressBar::no_length().with_style(ProgressStyle::with_template("{bar:40} {percent} % {eta}").context("the bar's template")?);
    bar.set_draw_target(ProgressDrawTarget::hidden());
    let mut is_shown = false;
    let mut tell = |done: u64, all: u64| {
        if !is_shown && begun.elapsed() > PATIENCE {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            is_shown = true;
        }
        bar.set_length(all);
        bar.set_position(done);
    };
    let utterances = transcribe::recording(&engines, &args.file, &Lang::new(&args.lang), &mut tell)?;
    bar.finish_and_clear();
    for utterance in &utterances {
        if args.json {
            println!("{}", serde_json::to_string(utterance)?);
        } else {
            println!("{}", line(utterance));
        }
    }
    if utterances.is_empty() {
        eprintln!("no words were found in {}", args.file.display());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn line(utterance: &Utterance) -> String {
    let clock = |ms: u32| format!("{}:{:02}.{:01}", ms / SECOND / MINUTE, ms / SECOND % MINUTE, ms % SECOND / 100);
    let who = match utterance.side {
        Side::Customer => "customer",
        Side::Center => "center  ",
        Side::Only => "",
    };
    format!("{} - {}  {who} {}  ({:.2})", clock(utterance.start_ms), clock(utterance.end_ms), utterance.text, utterance.confidence)
}
