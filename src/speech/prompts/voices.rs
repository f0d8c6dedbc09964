//! Voices besides espeak-ng: a Piper-style command that reads text and writes WAV, and OpenAI-compatible `POST /v1/audio/speech`.

use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::synthesizer::{SynthesisError, Synthesizer};
use crate::control::words::Lang;
use crate::speech::remote::KEY_VARIABLE;
use crate::speech::resample::resample;
use crate::speech::wav;

const RATE: u32 = 8_000;
/// A voice that takes longer for one prompt is broken: the next one speaks.
const LIMIT: Duration = Duration::from_secs(30);
/// More sound than this is no prompt: half an hour at 48 kHz.
const LARGEST: u64 = 30 * 60 * 48_000 * 2;
/// What servers take that know only one voice.
const ANY_VOICE: &str = "alloy";
const ANY_MODEL: &str = "tts-1";
const SHOWN: usize = 200;

/// What a prompt is spoken with when it is not espeak-ng.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Other {
    /// A program and its arguments, split at spaces: text comes by its input, WAV goes to its output.
    Command(String),
    /// `http://host[/v1][?voice=…&model=…]`.
    Http(String),
}

/// A voice of the settings.
#[derive(Debug)]
pub struct OtherVoice {
    lang: String,
    how: Other,
    limit: Duration,
}

impl OtherVoice {
    /// Speaks one language (`en`, `en-GB`), or all for `*`.
    #[must_use]
    pub fn new(lang: &str, how: Other) -> OtherVoice {
        OtherVoice { lang: lang.to_owned(), how, limit: LIMIT }
    }

    /// The same with less patience.
    #[cfg(test)]
    pub fn within(self, limit: Duration) -> OtherVoice {
        OtherVoice { limit, ..self }
    }

    fn speaks(&self, lang: &Lang) -> bool {
        self.lang == "*" || self.lang == *lang.0 || self.lang == lang.primary()
    }

    fn failed(&self, why: impl std::fmt::Display) -> SynthesisError {
        let program = match &self.how {
            Other::Command(line) => line,
            Other::Http(url) => url,
        };
        SynthesisError::Failed { program: program.clone(), why: why.to_string() }
    }
}

impl Synthesizer for OtherVoice {
    fn name(&self, lang: &Lang) -> String {
        match &self.how {
            Other::Command(line) => format!("{line} {lang}"),
            Other::Http(url) => format!("{url} {lang}"),
        }
    }

    fn speak(&mut self, text: &str, lang: &Lang) -> Result<Vec<i16>, SynthesisError> {
        if !self.speaks(lang) {
            return Err(SynthesisError::NoVoice(lang.to_string()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| self.failed(why))?;
        let spoken = async {
            let work = async {
                match &self.how {
                    Other::Command(line) => command(line, text).await,
                    Other::Http(url) => http(url, text).await,
                }
            };
            let late = || Err(format!("no sound within {} s", self.limit.as_secs_f32()));
            tokio::time::timeout(self.limit, work).await.unwrap_or_else(|_| late())
        };
        let bytes = runtime.block_on(spoken).map_err(|why| self.failed(why))?;
        let sound = wav::parse(&bytes).map_err(|why| self.failed(why))?;
        let pcm = sound.channels.first().map(|pcm| resample(pcm, sound.rate, RATE)).unwrap_or_default();
        if pcm.is_empty() { Err(self.failed("it gave no sound")) } else { Ok(pcm) }
    }
}

async fn command(line: &str, text: &str) -> Result<Vec<u8>, String> {
    let mut words = line.split_whitespace();
    let program = words.next().ok_or("no program is named")?;
    let mut child = tokio::process::Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|why| format!("it does not start: {why}"))?;
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut sound, mut said) = (Vec::new(), String::new());
    let write = async {
        // The end of its input is the end of the text; a program that does not read to the end may still speak.
        if let Some(mut input) = input {
            let _ = input.write_all(text.as_bytes()).await;
        }
    };
    let read = async {
        match output {
            Some(output) => output.take(LARGEST).read_to_end(&mut sound).await.map(drop),
            None => Ok(()),
        }
    };
    let listen = async {
        if let Some(errors) = errors {
            let _ = errors.take(LARGEST).read_to_string(&mut said).await;
        }
    };
    let ((), read, ()) = tokio::join!(write, read, listen);
    read.map_err(|why| why.to_string())?;
    let status = child.wait().await.map_err(|why| why.to_string())?;
    if status.success() { Ok(sound) } else { Err(format!("{status}: {}", said.trim().chars().take(SHOWN).collect::<String>())) }
}

#[derive(Serialize)]
struct Wanted<'t> {
    model: &'t str,
    voice: &'t str,
    input: &'t str,
    response_format: &'t str,
}

async fn http(url: &str, text: &str) -> Result<Vec<u8>, String> {
    let mut address = reqwest::Url::parse(url).map_err(|why| why.to_string())?;
    let choice = |name: &str| address.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let (voice, model) = (choice("voice"), choice("model"));
    address.set_query(None);
    match address.path().trim_end_matches('/') {
        "" | "/v1" => address.set_path("/v1/audio/speech"),
        _ => {}
    }
    let (model, voice) = (model.as_deref().unwrap_or(ANY_MODEL), voice.as_deref().unwrap_or(ANY_VOICE));
    let client = crate::web_client::client(|builder| builder).map_err(|why| why.to_string())?;
    let mut request = client.post(address).json(&Wanted { model, voice, input: text, response_format: "wav" });
    if let Ok(key) = std::env::var(KEY_VARIABLE) {
        request = request.bearer_auth(key);
    }
    let answer = request.send().await.map_err(|why| format!("cannot be reached: {}", why.without_url()))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|why| why.without_url().to_string())?;
    if !status.is_success() {
        let said: String = String::from_utf8_lossy(&body).chars().take(SHOWN).collect();
        return Err(format!("answered {}: {said}; check the URL, and the key in {KEY_VARIABLE}", status.as_u16()));
    }
    Ok(body.to_vec())
}
