//! Text to speech. espeak-ng is a process of its own: it is GPL, so it is never linked.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::Config;
use crate::control::words::Lang;
use crate::speech::resample::resample;
use crate::speech::wav;

const RATE: u32 = 8_000;
/// Longer texts are a mistake; a minute of speech has about a thousand characters.
const LONGEST_TEXT: usize = 20_000;

/// Why a text was not spoken.
#[derive(Debug, thiserror::Error)]
pub enum SynthesisError {
    /// The program is not there.
    #[error(
        "'{program}' is not installed, so prompts cannot be spoken: `apt-get install espeak-ng`, or record the {lang} prompts as WAV files"
    )]
    Missing {
        /// Which program.
        program: String,
        /// In which language.
        lang: String,
    },
    /// No voice for the language.
    #[error("no voice speaks '{0}': set one under speech.prompts.voices, or record the prompts as WAV files")]
    NoVoice(String),
    /// The program failed.
    #[error("'{program}' did not speak: {why}")]
    Failed {
        /// Which program.
        program: String,
        /// What it said.
        why: String,
    },
}

/// Speaks text.
pub trait Synthesizer {
    /// Engine, voice and speed: what makes the same text sound the same.
    fn name(&self, lang: &Lang) -> String;
    /// The text as 8 kHz sound; waits for it.
    ///
    /// # Errors
    /// [`SynthesisError`] names the mend.
    fn speak(&mut self, text: &str, lang: &Lang) -> Result<Vec<i16>, SynthesisError>;
}

/// espeak-ng.
#[derive(Debug)]
pub struct Espeak {
    program: PathBuf,
    speed: u16,
    voices: BTreeMap<String, String>,
}

impl Espeak {
    /// As the settings say.
    #[must_use]
    pub fn new(config: &Config) -> Espeak {
        Espeak { program: config.espeak.clone(), speed: config.speed, voices: config.voices.clone() }
    }

    fn voice(&self, lang: &Lang) -> Option<&str> {
        self.voices.get(&*lang.0).or_else(|| self.voices.get(lang.primary())).or_else(|| self.voices.get("*")).map(String::as_str)
    }

    fn run(&self, voice: &str, text: &str) -> std::io::Result<Output> {
        let mut child = Command::new(&self.program)
            .args(["-v", voice, "-s", &self.speed.to_string(), "-b", "1", "--stdin", "--stdout"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // The text comes by its input, never as an argument: it may begin with a dash. The program reads all before it speaks.
        if let Some(mut input) = child.stdin.take() {
            input.write_all(text.as_bytes())?;
        }
        child.wait_with_output()
    }
}

impl Synthesizer for Espeak {
    fn name(&self, lang: &Lang) -> String {
        format!("espeak-ng {} {}", self.voice(lang).unwrap_or(""), self.speed)
    }

    fn speak(&mut self, text: &str, lang: &Lang) -> Result<Vec<i16>, SynthesisError> {
        let program = self.program.display().to_string();
        let failed = |why: String| SynthesisError::Failed { program: program.clone(), why };
        let voice = self.voice(lang).ok_or_else(|| SynthesisError::NoVoice(lang.to_string()))?;
        if text.len() > LONGEST_TEXT {
            return Err(failed(format!("the text has {} bytes, more than {LONGEST_TEXT}", text.len())));
        }
        let output = self.run(voice, text).map_err(|why| match why.kind() {
            ErrorKind::NotFound => SynthesisError::Missing { program: program.clone(), lang: lang.to_string() },
            _ => failed(why.to_string()),
        })?;
        if !output.status.success() {
            return Err(failed(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())));
        }
        let sound = wav::parse(&output.stdout).map_err(failed)?;
        let pcm = sound.channels.first().map(|pcm| resample(pcm, sound.rate, RATE)).unwrap_or_default();
        if pcm.is_empty() { Err(failed("it gave no sound".into())) } else { Ok(pcm) }
    }
}
