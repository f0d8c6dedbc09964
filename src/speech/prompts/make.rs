//! Making one sound: recorded file, kept synthesis, synthesis, music, tone.

use std::path::Path;

use super::cache::Cache;
use super::synthesizer::{Espeak, Synthesizer};
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
    synthesizer: Box<dyn Synthesizer + Send>,
    cache: Cache,
}

impl Maker {
    /// With the synthesizer that the settings name.
    #[must_use]
    pub fn new(config: Config) -> Maker {
        let synthesizer = Box::new(Espeak::new(&config));
        Maker { cache: Cache::new(config.cache.clone()), synthesizer, config }
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
        let key = Cache::key(&[&self.synthesizer.name(lang), text]);
        if let Some(pcm) = self.cache.find(&key) {
            return Ok(pcm);
        }
        let pcm = self.synthesizer.speak(text, lang).map_err(|why| why.to_string())?;
        self.cache.keep(&key, &pcm);
        Ok(pcm)
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
