//! `hotline transcribe`: writes down a recording, both sides of it, with times.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use super::late_bar::LateBar;
use crate::control::words::Lang;
use crate::run::after_call;
use crate::speech::transcribe::{self, Side, Utterance};
use crate::speech::{Config, Engines};
use crate::vault::{Keys, OPUS};

const SECOND: u32 = 1_000;
const MINUTE: u32 = 60;

/// Writes down what is said in a recording (WAV, or our own Ogg/Opus with all of its parts; of a stereo file both channels: left customer,
/// right center).
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
    let mut bar = LateBar::new("{bar:40} {percent} % {eta}")?;
    let mut tell = |done, all| {
        bar.tell(done, Some(all));
        ControlFlow::Continue(())
    };
    let lang = Lang::new(&args.lang);
    let utterances = if args.file.extension().is_some_and(|end| end == OPUS) {
        let packed = after_call::whole(&args.file, &Keys::default()).with_context(|| format!("cannot read {}", args.file.display()))?;
        transcribe::wav(&engines, &packed, &lang, &mut tell)
    } else {
        transcribe::recording(&engines, &args.file, &lang, &mut tell)
    };
    bar.finish();
    let utterances = utterances?;
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
        Side::Customer => "customer ",
        Side::Center => "center   ",
        Side::Only => "",
    };
    format!("{} - {}  {who}{}  ({:.2})", clock(utterance.start_ms), clock(utterance.end_ms), utterance.text, utterance.confidence)
}
