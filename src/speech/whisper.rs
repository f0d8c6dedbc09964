//! Whisper by `whisper-rs`: the best text in every language, on whole utterances.
//!
//! The settings here are not taste: each keeps clear of a trap that was proven (cut context against flash attention, leaking
//! parameters, `auto` encoding twice, silent cuts). One context is shared, each thread has its own state.

mod file;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use whisper_rs::{FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState};

use super::RATE;
use super::guard;
use super::kept::Kept;
use super::recognizer::{Hearing, Reading, Recognizer, Terms};
use crate::control::words::speech::{Expect, Hints, Nothing};

/// No model unpacks to more.
const LARGEST_MODEL: u64 = 4 << 30;
/// Under this the encoder reads out of bounds.
const SHORTEST: usize = RATE as usize / 10;
/// Samples a step of the encoder's context.
const CONTEXT_STEP: usize = 320;
/// Steps beyond the sound, so that its end is not cut.
const CONTEXT_MARGIN: usize = 16;
/// Tokens of hints along with an utterance: more costs time, and a long prompt makes small models leave out what they hear.
const PROMPT_TOKENS: usize = 24;
/// Names and labels steer the spelling; a phrase of more tokens is a sentence, which a model writes without help and may skip when
/// it stands in the prompt already.
const PHRASE_TOKENS: usize = 6;
/// Tokens a second of sound, and what even the shortest may have: a loop ends here.
const TOKENS_PER_SECOND: usize = 20;
const TOKENS_AT_LEAST: usize = 24;
/// Kept prompts of hints.
const PROMPTS_KEPT: usize = 64;

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The disk says no.
    #[error("whisper model {path}: {source}")]
    Disk {
        /// Which file.
        path: String,
        /// What it said.
        source: std::io::Error,
    },
    /// No model, or one that does not load.
    #[error("whisper model {path}: {why}; `hotline models pull` gets one, `hotline models verify` checks it")]
    Form {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// A loaded model, shared by all threads.
pub struct Model {
    context: WhisperContext,
    name: Arc<str>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model({})", self.name)
    }
}

impl Model {
    /// Loads a ggml file; one that ends in `.gz` is unpacked in memory.
    ///
    /// # Errors
    /// [`ModelError`] names the file and the mend.
    pub fn load(path: &Path) -> Result<Model, ModelError> {
        whisper_rs::install_logging_hooks();
        let name = path.display().to_string();
        let bytes = read(path).map_err(|source| ModelError::Disk { path: name.clone(), source })?;
        let form = |why: String| ModelError::Form { path: name.clone(), why };
        file::check(&bytes).map_err(form)?;
        let mut settings = WhisperContextParameters::default();
        settings.flash_attn(false);
        let context = WhisperContext::new_from_buffer_with_params(&bytes, settings).map_err(|why| form(why.to_string()))?;
        Ok(Model { context, name: format!("whisper:{}", stem(path)).into() })
    }

    /// The name that the journal shows.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whisper's code of a language, when this model speaks it.
    #[must_use]
    pub fn code<'a>(&self, primary: &'a str) -> Option<&'a str> {
        // The wrapper panics at a NUL instead of not knowing the language.
        if primary.contains('\0') {
            return None;
        }
        whisper_rs::get_lang_id(primary)?;
        (self.context.is_multilingual() || primary == "en").then_some(primary)
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let bytes = std::fs::read(path)?;
    if path.extension().is_none_or(|ending| ending != "gz") {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).take(LARGEST_MODEL).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

fn stem(path: &Path) -> &str {
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or("model");
    file.trim_end_matches(".gz").trim_end_matches(".bin").trim_start_matches("ggml-")
}

/// Whisper as one thread has it.
pub struct Whisper {
    desk: Rc<RefCell<Desk>>,
    name: Arc<str>,
}

impl Whisper {
    /// Makes the thread's own state.
    ///
    /// # Errors
    /// When the state cannot be had (memory).
    pub fn new(model: &Arc<Model>) -> Result<Whisper, ModelError> {
        let state = model
            .context
            .create_state()
            .map_err(|why| ModelError::Form { path: model.name.to_string(), why: format!("no state for this thread: {why}") })?;
        let desk = Desk { model: model.clone(), state, limit: Limit::new(), params: BTreeMap::new(), prompts: BTreeMap::new() };
        Ok(Whisper { desk: Rc::new(RefCell::new(desk)), name: model.name.clone() })
    }
}

impl Recognizer for Whisper {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn hear(&mut self, terms: &Terms) -> Result<Box<dyn Hearing>, Nothing> {
        if self.desk.borrow().model.code(terms.lang.primary()).is_none() {
            return Err(Nothing::NoEngine);
        }
        Ok(Box::new(Utterance { desk: self.desk.clone(), terms: terms.clone(), kept: Kept::default() }))
    }
}

/// Sound is only kept until the end: the encoder wants all of it.
struct Utterance {
    desk: Rc<RefCell<Desk>>,
    terms: Terms,
    kept: Kept,
}

impl Hearing for Utterance {
    fn push(&mut self, pcm: &[i16]) -> Option<String> {
        self.kept.push(pcm);
        None
    }

    fn finish(self: Box<Self>) -> Result<Reading, Nothing> {
        let pcm = self.kept.spoken()?;
        if pcm.len() < SHORTEST {
            return Err(Nothing::Rejected);
        }
        self.desk.borrow_mut().decode(&pcm, &self.terms)
    }
}

/// When a decoding is given up. Whisper asks between its steps; one allocation a thread, as its setter leaks.
#[derive(Clone)]
struct Limit {
    begun: Instant,
    deadline: Arc<AtomicU64>,
}

impl Limit {
    fn new() -> Limit {
        Limit { begun: Instant::now(), deadline: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    fn set(&self, budget: Duration) {
        let at = self.begun.elapsed() + budget;
        self.deadline.store(u64::try_from(at.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.begun.elapsed().as_millis() >= u128::from(self.deadline.load(Ordering::Relaxed))
    }
}

struct Desk {
    model: Arc<Model>,
    state: WhisperState,
    limit: Limit,
    /// By language: each of these leaks its strings once, so it is made once and cloned.
    params: BTreeMap<String, FullParams<'static, 'static>>,
    prompts: BTreeMap<u64, Rc<Vec<i32>>>,
}

impl Desk {
    fn decode(&mut self, pcm: &[i16], terms: &Terms) -> Result<Reading, Nothing> {
        let samples: Vec<f32> = pcm.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        let prompt = self.prompt(terms);
        let mut params = self.params(terms.lang.primary()).ok_or(Nothing::NoEngine)?;
        params.set_tokens(&prompt);
        params.set_audio_ctx(self.context_for(samples.len()));
        let seconds = samples.len() as f32 / RATE as f32;
        params.set_max_tokens((TOKENS_AT_LEAST + TOKENS_PER_SECOND * seconds.ceil() as usize) as i32);
        self.limit.set(terms.budget);
        if let Err(why) = self.state.full(params, &samples) {
            tracing::warn!(model = %self.model.name, lang = %terms.lang, seconds, late = self.limit.is_over(), "whisper gave no text: {why}");
            return Err(Nothing::Failed);
        }
        let (text, confidence) = self.text();
        let text = guard::check(&text, confidence, seconds).map_err(|doubt| {
            tracing::debug!(?doubt, confidence, seconds, "whisper's text is not believed");
            Nothing::Rejected
        })?;
        Ok(Reading { text, alternatives: Vec::new(), confidence, pinyin: None })
    }

    /// Steps of encoder context for so many samples; never above what the model has, where sound would be cut silently.
    fn context_for(&self, samples: usize) -> i32 {
        let steps = samples.div_ceil(CONTEXT_STEP) + CONTEXT_MARGIN;
        i32::try_from(steps).unwrap_or(i32::MAX).min(self.model.context.n_audio_ctx())
    }

    fn params(&mut self, primary: &str) -> Option<FullParams<'static, 'static>> {
        if let Some(params) = self.params.get(primary) {
            return Some(params.clone());
        }
        let code = self.model.code(primary)?;
        let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        // The setter copies (and leaks) its text, so a borrowed code may become a static parameter.
        params.set_language(Some(leaked(code)));
        params.set_n_threads(1);
        params.set_no_timestamps(true);
        params.set_single_segment(true);
        params.set_no_context(true);
        params.set_temperature_inc(0.0);
        params.set_print_progress(false);
        params.set_print_realtime(false);
        params.set_print_special(false);
        params.set_print_timestamps(false);
        let limit = self.limit.clone();
        // The boxed form is the only one whose trampoline fits what is stored.
        let stop: Box<dyn FnMut() -> bool> = Box::new(move || limit.is_over());
        params.set_abort_callback_safe::<_, Box<dyn FnMut() -> bool>>(stop);
        self.params.insert(primary.to_owned(), params.clone());
        Some(params)
    }

    /// The node's short phrases as tokens: names that the model should expect. Yes, no and digits need no spelling.
    fn prompt(&mut self, terms: &Terms) -> Rc<Vec<i32>> {
        let hints: &Hints = &terms.hints;
        if hints.phrases.is_empty() || matches!(terms.expect, Expect::YesNo | Expect::Digits) {
            return Rc::default();
        }
        if let Some(kept) = self.prompts.get(&hints.key) {
            return kept.clone();
        }
        let tokens = Rc::new(prompt_tokens(&self.model.context, &hints.phrases));
        if self.prompts.len() >= PROMPTS_KEPT {
            self.prompts.pop_first();
        }
        self.prompts.insert(hints.key, tokens.clone());
        tokens
    }

    /// The text of all segments, joined as bytes since a token may hold half a character, and the mean probability of its tokens.
    fn text(&self) -> (String, f32) {
        let end = self.model.context.token_eot();
        let (mut bytes, mut sum, mut count) = (Vec::new(), 0.0f64, 0u32);
        for segment in self.state.as_iter() {
            bytes.extend_from_slice(segment.to_bytes().unwrap_or_default());
            for token in (0..segment.n_tokens()).filter_map(|at| segment.get_token(at)) {
                if token.token_id() < end {
                    sum += f64::from(token.token_probability().max(1e-6)).ln();
                    count += 1;
                }
            }
        }
        let confidence = if count == 0 { 0.0 } else { (sum / f64::from(count)).exp() };
        (String::from_utf8_lossy(&bytes).into_owned(), confidence as f32)
    }
}

/// One language code lives as long as the process; there are a hundred of them at most.
fn leaked(code: &str) -> &'static str {
    whisper_rs::get_lang_id(code).and_then(whisper_rs::get_lang_str).unwrap_or("en")
}

fn prompt_tokens(context: &WhisperContext, phrases: &[String]) -> Vec<i32> {
    let mut out: Vec<i32> = Vec::new();
    for phrase in phrases.iter().map(|phrase| phrase.trim()).filter(|phrase| !phrase.is_empty()) {
        // Words begin with a space in whisper's vocabulary, characters do not.
        let space = if phrase.is_ascii() { " " } else { "" };
        let text = format!("{space}{phrase}");
        // Room for every byte, as a token holds one at least: for less room the wrapper takes whisper's refusal for a length.
        let Ok(tokens) = context.tokenize(&text, text.len()) else { continue };
        if tokens.len() > PHRASE_TOKENS {
            continue;
        }
        if out.len() + tokens.len() > PROMPT_TOKENS {
            break;
        }
        out.extend(tokens);
    }
    out
}

#[cfg(test)]
mod tests;
