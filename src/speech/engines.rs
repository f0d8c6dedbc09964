//! Which engines there are, and which of them listens in which language.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::recognizer::{Hearing, Recognizer, Terms};
use super::remote::{Far, Remote};
use super::sphinx;
use super::tones::only_voices;
use super::whisper::{self, Whisper};
use super::zipformer::{self, Zipformer};
use crate::control::words::Lang;
use crate::control::words::speech::{Expect, Hints, Nothing};

/// A kind of recognizer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// A ggml model by whisper.cpp.
    Whisper,
    /// The small streaming transducer by rten.
    Zipformer,
    /// The embedded default for English menus and digits.
    Pocketsphinx,
    /// Another machine, by HTTP or WebSocket.
    Remote,
}

/// What the operator may set.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The folder of models, one folder each: `models/<name>/…`.
    pub models: PathBuf,
    /// A ggml file, `.bin` or `.bin.gz`. Without it the first `whisper-*` of the models folder is taken.
    pub whisper: Option<PathBuf>,
    /// The folder of PocketSphinx's English model.
    pub pocketsphinx: PathBuf,
    /// Live order by primary language (`zh`, `en`); `*` for all others.
    pub live: BTreeMap<String, Vec<Engine>>,
    /// The order for recordings after the call.
    pub after_call: BTreeMap<String, Vec<Engine>>,
    /// URLs of other machines that recognize, by primary language; `*` for all others.
    pub remotes: BTreeMap<String, String>,
    /// Utterances that one thread listens to at a time; above: overloaded.
    pub utterances: usize,
    /// Jobs that wait for one thread (20 ms of one caller each); above: overloaded.
    pub queue: usize,
}

impl Default for Config {
    fn default() -> Config {
        let order = |zh: &[Engine], en: &[Engine], rest: &[Engine]| {
            [("zh", zh), ("en", en), ("*", rest)].into_iter().map(|(lang, order)| (lang.to_owned(), order.to_vec())).collect()
        };
        use Engine::{Pocketsphinx, Whisper, Zipformer};
        Config {
            models: PathBuf::from("models"),
            whisper: None,
            pocketsphinx: PathBuf::from("/usr/share/pocketsphinx/model/en-us"),
            live: order(&[Whisper, Zipformer], &[Whisper, Zipformer, Pocketsphinx], &[Whisper]),
            after_call: order(&[Whisper, Zipformer], &[Whisper, Zipformer], &[Whisper]),
            remotes: BTreeMap::new(),
            utterances: 32,
            queue: 4_096,
        }
    }
}

/// Is a turn listened to as it happens, or a recording afterwards?
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Purpose {
    /// A caller waits.
    Live,
    /// The call is over.
    AfterCall,
}

/// Why no engines could be had at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The configured whisper model does not load.
    #[error(transparent)]
    Whisper(#[from] whisper::ModelError),
    /// A configured URL cannot be one.
    #[error("{0}")]
    Remote(String),
}

/// Everything loaded once and shared by all threads.
#[derive(Debug)]
pub struct Engines {
    config: Config,
    whisper: Option<Arc<whisper::Model>>,
    sphinx: Option<Arc<sphinx::Model>>,
    /// By primary language; the first folder of a language by name.
    zipformers: BTreeMap<String, Arc<zipformer::Model>>,
    /// By primary language or `*`.
    remotes: BTreeMap<String, Arc<Remote>>,
    missing: Vec<String>,
}

impl Engines {
    /// Loads what is there. What is absent is told by [`Engines::missing`].
    ///
    /// # Errors
    /// When something configured by name does not load.
    pub fn load(config: Config) -> Result<Engines, LoadError> {
        let mut missing = Vec::new();
        let path = config.whisper.clone().or_else(|| first_whisper(&config.models));
        let whisper = path.map(|path| whisper::Model::load(&path)).transpose()?.map(Arc::new);
        if whisper.is_none() {
            missing.push(format!("whisper: no model in {}; `hotline models pull whisper-base` gets one", config.models.display()));
        }
        let sphinx = sphinx::Model::load(&config.pocketsphinx).map_err(|why| missing.push(why)).ok().map(Arc::new);
        let zipformers = load_zipformers(&config.models, &mut missing);
        let remote = |(lang, url): (&String, &String)| Ok((lang.clone(), Arc::new(Remote::new(url).map_err(LoadError::Remote)?)));
        let remotes = config.remotes.iter().map(remote).collect::<Result<_, LoadError>>()?;
        Ok(Engines { config, whisper, sphinx, zipformers, remotes, missing })
    }

    /// The settings these came from.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The whisper model's name, when there is one.
    #[must_use]
    pub fn whisper(&self) -> Option<&str> {
        self.whisper.as_ref().map(|model| &**model.name())
    }

    /// Sentences about engines that cannot be used, each with its mend.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// The engines that listen in a language, best first: for `hotline check` and the log.
    #[must_use]
    pub fn serving(&self, lang: &Lang, purpose: Purpose) -> Vec<Engine> {
        self.order(lang, purpose).iter().copied().filter(|engine| self.has(*engine, lang)).collect()
    }

    /// Is there any language in which somebody listens?
    #[must_use]
    pub fn any(&self, purpose: Purpose) -> bool {
        let orders = match purpose {
            Purpose::Live => &self.config.live,
            Purpose::AfterCall => &self.config.after_call,
        };
        orders.keys().any(|lang| !self.serving(&Lang::new(lang), purpose).is_empty())
    }

    /// Is any of the recognizers another machine?
    #[must_use]
    pub fn asks_others(&self) -> bool {
        !self.remotes.is_empty()
    }

    fn order(&self, lang: &Lang, purpose: Purpose) -> &[Engine] {
        let orders = match purpose {
            Purpose::Live => &self.config.live,
            Purpose::AfterCall => &self.config.after_call,
        };
        orders.get(lang.primary()).or_else(|| orders.get("*")).map_or(&[], Vec::as_slice)
    }

    fn has(&self, engine: Engine, lang: &Lang) -> bool {
        match engine {
            Engine::Whisper => self.whisper.as_ref().is_some_and(|model| model.code(lang.primary()).is_some()),
            Engine::Pocketsphinx => self.sphinx.is_some() && lang.primary() == "en",
            Engine::Zipformer => self.zipformers.contains_key(lang.primary()),
            Engine::Remote => self.remote(lang).is_some(),
        }
    }

    fn remote(&self, lang: &Lang) -> Option<&Arc<Remote>> {
        self.remotes.get(lang.primary()).or_else(|| self.remotes.get("*"))
    }

    /// A machine that fails is left alone for a while.
    fn is_up(&self, engine: Engine, lang: &Lang) -> bool {
        engine != Engine::Remote || self.remote(lang).is_some_and(|remote| remote.is_up())
    }

    /// The engine for a turn. A closed form in a language that PocketSphinx serves goes to its grammar before a streaming
    /// engine's free text, since that is right far more often (SPEECH.md); whisper keeps its place.
    fn choose(&self, terms: &Terms, purpose: Purpose) -> Option<Engine> {
        let mut serving = self.serving(&terms.lang, purpose);
        serving.retain(|engine| self.is_up(*engine, &terms.lang));
        let first = *serving.first()?;
        let closed = is_closed(terms.expect, &terms.hints);
        if first == Engine::Zipformer && closed && serving.contains(&Engine::Pocketsphinx) {
            return Some(Engine::Pocketsphinx);
        }
        Some(first)
    }
}

fn is_closed(expect: Expect, hints: &Hints) -> bool {
    hints.grammar.is_some() || matches!(expect, Expect::Digits | Expect::YesNo)
}

fn load_zipformers(models: &Path, missing: &mut Vec<String>) -> BTreeMap<String, Arc<zipformer::Model>> {
    let mut found: BTreeMap<String, Arc<zipformer::Model>> = BTreeMap::new();
    for folder in zipformer::folders(models) {
        match zipformer::Model::load(&folder) {
            Ok(model) => drop(found.entry(model.lang.clone()).or_insert_with(|| Arc::new(model))),
            Err(why) => missing.push(why.to_string()),
        }
    }
    if found.is_empty() {
        missing.push(format!("zipformer: no model in {}; `hotline models pull` gets one", models.display()));
    }
    found
}

/// The models folder's own whisper: `whisper-base/ggml-base-q8_0.bin`, by name in order.
fn first_whisper(models: &Path) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(models).ok()?.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders.into_iter().filter(|folder| named(folder).starts_with("whisper-")).find_map(|folder| {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
        files.sort();
        files.into_iter().find(|file| named(file).ends_with(".bin") || named(file).ends_with(".bin.gz"))
    })
}

fn named(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("")
}

/// The engines as one thread has them, made when first needed.
pub struct Bench {
    engines: Arc<Engines>,
    purpose: Purpose,
    ready: BTreeMap<(Engine, String), Box<dyn Recognizer>>,
}

impl Bench {
    /// An empty bench for one thread.
    #[must_use]
    pub fn new(engines: Arc<Engines>, purpose: Purpose) -> Bench {
        Bench { engines, purpose, ready: BTreeMap::new() }
    }

    /// Makes every engine now, so that the first caller does not wait for it.
    pub fn warm(&mut self) {
        let langs: Vec<String> = ["en".to_owned()].into_iter().chain(self.engines.zipformers.keys().cloned()).collect();
        for lang in langs.iter().map(|lang| Lang::new(lang)) {
            for engine in self.engines.serving(&lang, self.purpose) {
                if let Err(why) = self.recognizer(engine, &lang) {
                    tracing::debug!(?engine, ?why, "engine not made");
                }
            }
        }
    }

    /// The recognizer for these terms.
    ///
    /// # Errors
    /// `NoEngine` when none serves the language, `Failed` when it cannot be made.
    pub fn choose(&mut self, terms: &Terms) -> Result<&mut dyn Recognizer, Nothing> {
        let engine = self.engines.choose(terms, self.purpose).ok_or(Nothing::NoEngine)?;
        self.recognizer(engine, &terms.lang)
    }

    /// An ear for these terms that believes voices only, and whose it is.
    ///
    /// # Errors
    /// `NoEngine` when none serves the language, `Failed` when it cannot be made, or the engine's own reason.
    pub fn listen(&mut self, terms: &Terms) -> Result<(Box<dyn Hearing>, Arc<str>), Nothing> {
        let recognizer = self.choose(terms)?;
        Ok((only_voices(recognizer.hear(terms)?), recognizer.name().clone()))
    }

    /// One recognizer by kind, whatever the order says.
    ///
    /// # Errors
    /// `NoEngine` when it is not there, `Failed` when it cannot be made.
    pub fn recognizer(&mut self, engine: Engine, lang: &Lang) -> Result<&mut dyn Recognizer, Nothing> {
        let differs = matches!(engine, Engine::Zipformer | Engine::Remote);
        let key = (engine, if differs { lang.primary().to_owned() } else { String::new() });
        if !self.ready.contains_key(&key) {
            let made = self.make(engine, lang)?;
            self.ready.insert(key.clone(), made);
        }
        Ok(self.ready.get_mut(&key).ok_or(Nothing::Failed)?.as_mut())
    }

    fn make(&self, engine: Engine, lang: &Lang) -> Result<Box<dyn Recognizer>, Nothing> {
        match engine {
            Engine::Whisper => {
                let model = self.engines.whisper.as_ref().ok_or(Nothing::NoEngine)?;
                Ok(Box::new(Whisper::new(model).map_err(failed)?))
            }
            Engine::Pocketsphinx => self.make_sphinx(),
            Engine::Remote => Ok(Box::new(Far::new(self.engines.remote(lang).ok_or(Nothing::NoEngine)?))),
            Engine::Zipformer => {
                let model = self.engines.zipformers.get(lang.primary()).ok_or(Nothing::NoEngine)?;
                Ok(Box::new(Zipformer::new(model)))
            }
        }
    }
}

impl Bench {
    #[cfg(pocketsphinx)]
    fn make_sphinx(&self) -> Result<Box<dyn Recognizer>, Nothing> {
        let sphinx = sphinx::Sphinx::new(self.engines.sphinx.as_ref().ok_or(Nothing::NoEngine)?);
        if self.purpose == Purpose::Live {
            sphinx.warm();
        }
        Ok(Box::new(sphinx))
    }

    #[cfg(not(pocketsphinx))]
    fn make_sphinx(&self) -> Result<Box<dyn Recognizer>, Nothing> {
        Err(Nothing::NoEngine)
    }
}

fn failed(why: impl std::fmt::Display) -> Nothing {
    tracing::error!("a recognizer could not be made: {why}");
    Nothing::Failed
}

#[cfg(test)]
mod tests;
