//! Making one sound: recorded file, kept synthesis, synthesis, music, tone.

use std::path::Path;

use super::cache::Cache;
use super::synthesizer::{Espeak, SynthesisError, Synthesizer};
use super::voices::OtherVoice;
use super::{Config, below, music};
use crate::control::words::Lang;
use crate::control::words::media::Prompt;
use crate::media::sound::Audio;
use crate::speech::wav::Wav;

/// Samples a second of prompts, as telephones have them.
const RATE: u32 = 8_000;
/// A prompt file longer than this is a mistake: it would fill the memory.
const LONGEST_SECONDS: usize = 30 * 60;

/// Makes sounds on the thread that it is called on.
pub struct Maker {
    config: Config,
    /// The best first; each speaks where those before it cannot.
    synthesizers: Vec<Box<dyn Synthesizer + Send>>,
    cache: Cache,
}

impl Maker {
    /// With the synthesizers that the settings name, and espeak-ng behind them.
    #[must_use]
    pub fn new(config: Config) -> Maker {
        // A tag is nearer than a language, and a language nearer than `*`: the longest first.
        let mut others: Vec<_> = config.others.iter().collect();
        others.sort_by_key(|(lang, _)| std::cmp::Reverse(if *lang == "*" { 0 } else { lang.len() }));
        let others = others.into_iter().map(|(lang, how)| Box::new(OtherVoice::new(lang, how.clone())) as Box<dyn Synthesizer + Send>);
        let synthesizers = others.chain([Box::new(Espeak::new(&config)) as Box<dyn Synthesizer + Send>]).collect();
        Maker { cache: Cache::new(config.cache.clone()), synthesizers, config }
    }

    /// Makes a sound.
    ///
    /// # Errors
    /// A sentence that names what is missing and the mend.
    pub fn make(&mut self, prompt: &Prompt) -> Result<Audio, String> {
        match prompt {
            Prompt::Text { id, text, lang } => self.text(id.as_deref(), text, lang),
            Prompt::File(name) | Prompt::Music(Some(name)) => file(&below(&self.config.folder, name)?),
            Prompt::Music(None) => Ok(Audio::new(music::hold_music())),
            Prompt::Tone { hertz, ms } => Ok(Audio::tone(*hertz, *ms)),
            Prompt::Silence { ms } => Ok(Audio::silence(*ms)),
        }
    }

    fn text(&mut self, id: Option<&str>, text: &str, lang: &Lang) -> Result<Audio, String> {
        if let Some(id) = id {
            for tag in [&*lang.0, lang.primary()] {
                let recorded = below(&self.config.folder, &format!("{tag}/{id}.wav"))?;
                if recorded.is_file() {
                    return file(&recorded);
                }
            }
        }
        self.spoken(text, lang).map(Audio::new)
    }

    fn spoken(&mut self, text: &str, lang: &Lang) -> Result<Vec<i16>, String> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let mut last = String::new();
        for synthesizer in &mut self.synthesizers {
            let key = Cache::key(&[&synthesizer.name(lang), text]);
            if let Some(pcm) = self.cache.find(&key) {
                return Ok(pcm);
            }
            match synthesizer.speak(text, lang) {
                Ok(pcm) => {
                    self.cache.keep(&key, &pcm);
                    return Ok(pcm);
                }
                Err(SynthesisError::NoVoice(_)) if last.is_empty() => last = SynthesisError::NoVoice(lang.to_string()).to_string(),
                Err(SynthesisError::NoVoice(_)) => {}
                Err(why) => {
                    tracing::warn!("a voice failed, the next one is asked: {why}");
                    last = why.to_string();
                }
            }
        }
        Err(last)
    }
}

fn file(path: &Path) -> Result<Audio, String> {
    let wav = Wav::read(path).map_err(|why| why.to_string())?;
    let pcm = wav.mono(RATE);
    if pcm.len() > LONGEST_SECONDS * RATE as usize {
        return Err(format!("{}: longer than {} minutes", path.display(), LONGEST_SECONDS / 60));
    }
    Ok(Audio::new(pcm))
}
