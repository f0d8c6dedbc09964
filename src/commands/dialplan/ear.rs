//! Sound in the simulator and in test cases: recorded clips, heard by the recognizers of the models' folder.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::control::dialplan::test_file::Clip;
use crate::control::words::Lang;
use crate::speech::engines::{Engines, Purpose};
use crate::speech::{self, transcribe};

/// Listens to clips; the engines are loaded for the first one.
pub struct Ear {
    models: PathBuf,
    engines: Option<Arc<Engines>>,
}

impl Ear {
    /// With the models of this folder.
    #[must_use]
    pub fn new(models: PathBuf) -> Ear {
        Ear { models, engines: None }
    }

    /// What a recognizer makes of a clip.
    ///
    /// # Errors
    /// What is missing: the clip, or somebody who hears this language.
    pub fn hear(&mut self, clip: &Path, lang: &Lang) -> Result<Clip, String> {
        if !clip.is_file() {
            return Err(format!("there is no clip {}", clip.display()));
        }
        let engines = self.engines()?;
        if engines.serving(lang, Purpose::AfterCall).is_empty() {
            return Err(format!("no recognizer for {lang} in {}: `hotline models list` shows what can be had", self.models.display()));
        }
        let heard = transcribe::recording(&engines, clip, lang, &mut |_, _| ControlFlow::Continue(())).map_err(|why| why.to_string())?;
        let texts: Vec<&str> = heard.iter().map(|piece| piece.text.as_str()).filter(|text| !text.is_empty()).collect();
        let pinyin: Vec<&str> = heard.iter().filter_map(|piece| piece.pinyin.as_deref()).collect();
        let joint = if lang.speech() == "zh" { "" } else { " " };
        Ok(Clip {
            text: texts.join(joint),
            pinyin: (!pinyin.is_empty()).then(|| pinyin.join(" ")),
            confidence: heard.iter().map(|piece| piece.confidence).fold(1.0, f32::min),
        })
    }

    fn engines(&mut self) -> Result<Arc<Engines>, String> {
        if self.engines.is_none() {
            let config = speech::Config { models: self.models.clone(), ..speech::Config::default() };
            self.engines = Some(Arc::new(Engines::load(config).map_err(|why| why.to_string())?));
        }
        self.engines.clone().ok_or_else(|| "no engines".to_owned())
    }
}
