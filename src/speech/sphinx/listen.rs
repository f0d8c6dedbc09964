//! Listening with PocketSphinx: a pool of decoders, one utterance each at a time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use earshot::Detector;

use super::ffi::{CEPSTRA, Decoder};
use super::phones::Phones;
use super::{Grammar, Model};
use crate::control::words::speech::{Expect, Nothing};
use crate::speech::recognizer::{Hearing, Reading, Recognizer, Terms};

/// The cepstral mean of telephone sound, measured on real clips in the telephone band.
const MEAN: [f32; CEPSTRA] = [40.78, 26.40, -40.77, 27.95, -28.41, -4.45, -4.75, -21.13, 2.97, -17.16, 1.27, -6.03, -5.76];
/// Score a voiced frame that the grammar may fall behind the phone loop: here an utterance is as likely foreign as meant. By voiced
/// frames, since silence costs nothing and recorded clips have more of it than what is cut out of a call.
const EVEN: f32 = -26.0;
/// The same for a word, which foreign speech stretched over few words falls behind by far. With both, 64 of 66 coffee orders and 2 of
/// 161 other clips pass, cut as calls are; five times tuned on four fifths and counted on the fifth, 64 and 3.
const EVEN_SENTENCE: f32 = -725.0;
/// What the beginning and the end of speech cost besides, so that a single word is not measured by a long sentence.
const SPEECH_ENDS: f32 = 400.0;
/// For a few short words by themselves: there the score that a whole word falls behind tells more than the score a frame, which silence
/// around the word makes look good. At this value 47 of 60 spoken digits and 6 of 107 other short clips pass; by frames it was 50, and 78
/// of all 166.
const EVEN_WORDS: f32 = -1_150.0;
/// How fast belief rises around it.
const WORD_STEEPNESS: f32 = 0.006;
/// However well a short word fits, a foreign one may fit as well: the plan is told to ask back.
const MOST_FOR_WORDS: f32 = 0.7;
/// A menu's choice that is one word: 7 of 90 short foreign clips passed for one, so it stays below 0.35, where a plan asks back. A longer
/// choice is believed.
const MOST_FOR_ONE_WORD: f32 = 0.3;
/// A voice heard longer than the words of a result can take speaks of something else.
const VOICE_GRACE_MS: u32 = 600;
const VOICE_A_WORD_MS: u32 = 650;
/// Samples of one look for a voice, and the score that counts.
const VOICE_STEP: usize = 256;
const VOICE_SCORE: f32 = 0.5;
/// Milliseconds of a frame, and the fewest that a score is shared among.
const FRAME_MS: u32 = 10;
const LEAST_FRAMES: u32 = 20;
/// How fast belief rises around [`EVEN`].
const STEEPNESS: f32 = 0.3;
/// Less belief than this is refused outright.
const REFUSED: f32 = 0.5;
/// Sound whose level is looked at before the first word is searched: 800 ms.
const LEVEL_SAMPLES: usize = 12_800;
/// It waits no longer than this for the first loud sample: 2 s.
const LEVEL_WAITS: usize = 32_000;
/// The peak that utterances are brought to: −10 dBFS.
const LEVEL_PEAK: i32 = 10_362;
/// What is quieter is not made louder than this would be.
const QUIETEST_PEAK: i32 = 2_500;
/// Words so far are looked at this often, in samples: 200 ms.
const PARTIAL_EVERY: usize = 3_200;
/// Utterances listened to at a time; each needs a decoder of 7 MB.
const MOST_UTTERANCES: usize = 32;
/// Idle decoders kept for their grammar.
const MOST_IDLE: usize = 16;
/// Grammars kept.
const MOST_GRAMMARS: usize = 256;

/// Silence stays in: with it taken out the two scores no longer tell foreign speech from meant speech.
const BASE: [(&str, &str); 3] = [("-samprate", "16000"), ("-bestpath", "no"), ("-remove_silence", "no")];
/// Sentences are right a little more often with the noise left in, single words with it taken out.
const SENTENCES: [(&str, &str); 4] = [BASE[0], BASE[1], BASE[2], ("-remove_noise", "no")];

/// What the front end is set up for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Sentence,
    /// Digits, yes and no: a few short words.
    Words,
}

impl Kind {
    fn of(expect: Expect) -> Kind {
        if expect == Expect::Sentence { Kind::Sentence } else { Kind::Words }
    }

    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Kind::Sentence => &SENTENCES,
            Kind::Words => &BASE,
        }
    }
}

/// The same hints, asked for the same kind of value: the same grammar.
type Key = (u64, u8, usize);

/// PocketSphinx as one thread has it.
pub struct Sphinx {
    pool: Rc<RefCell<Pool>>,
    name: Arc<str>,
}

impl Sphinx {
    /// An empty pool; decoders are made when first needed.
    #[must_use]
    pub fn new(model: &Arc<Model>) -> Sphinx {
        let pool = Pool { model: model.clone(), grammars: BTreeMap::new(), idle: Vec::new(), out: 0 };
        Sphinx { pool: Rc::new(RefCell::new(pool)), name: "pocketsphinx:en-us".into() }
    }

    /// Makes a first decoder, so that no caller waits for it.
    pub fn warm(&self) {
        let mut pool = self.pool.borrow_mut();
        if let Ok(decoder) = pool.decoder(Kind::Sentence, None) {
            pool.put_back(decoder);
        }
    }
}

impl Recognizer for Sphinx {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn hear(&mut self, terms: &Terms) -> Result<Box<dyn Hearing>, Nothing> {
        let mut pool = self.pool.borrow_mut();
        let (key, grammar) = pool.grammar(terms);
        // Without a word that may be said there is nothing to listen for.
        let grammar = grammar.ok_or(Nothing::NoEngine)?;
        let kind = Kind::of(terms.expect);
        let decoder = pool.decoder(kind, Some((key, &grammar)))?;
        let pair = Some((decoder, Phones::new(&pool.model.phones, &MEAN)));
        let level = (kind == Kind::Words).then(Level::default);
        Ok(Box::new(Ear { pool: self.pool.clone(), pair, level, voice: Voice::default(), samples: 0, said: String::new() }))
    }
}

struct Pool {
    model: Arc<Model>,
    grammars: BTreeMap<Key, Option<Rc<Grammar>>>,
    idle: Vec<Tuned>,
    out: usize,
}

/// A decoder with what it knows.
struct Tuned {
    decoder: Decoder,
    kind: Kind,
    key: Option<Key>,
    words: BTreeSet<String>,
    grammar: Option<Rc<Grammar>>,
}

impl Pool {
    fn grammar(&mut self, terms: &Terms) -> (Key, Option<Rc<Grammar>>) {
        let expect = match terms.expect {
            Expect::Sentence => 0,
            Expect::Digits => 1,
            Expect::Code => 2,
            Expect::YesNo => 3,
        };
        let key = (terms.hints.key, expect, terms.hints.phrases.len());
        if self.grammars.len() >= MOST_GRAMMARS && !self.grammars.contains_key(&key) {
            self.grammars.pop_first();
        }
        let made = self.grammars.entry(key).or_insert_with(|| {
            let grammar = Grammar::of(terms.expect, &terms.hints, self.model.dictionary())?;
            if !grammar.unknown.is_empty() {
                tracing::warn!(words = ?grammar.unknown, "words of a menu that pocketsphinx cannot hear; what needs them is left out");
            }
            Some(Rc::new(grammar))
        });
        (key, made.clone())
    }

    /// An idle decoder of the same grammar, else any idle one, else a new one.
    fn decoder(&mut self, kind: Kind, wanted: Option<(Key, &Rc<Grammar>)>) -> Result<Tuned, Nothing> {
        if self.out >= MOST_UTTERANCES {
            return Err(Nothing::Overloaded);
        }
        let key = wanted.map(|(key, _)| key);
        let fits = |tuned: &Tuned| tuned.kind == kind && tuned.key == key;
        let place =
            self.idle.iter().position(fits).or_else(|| self.idle.iter().position(|tuned| tuned.kind == kind && tuned.key.is_none()));
        let place = place.or_else(|| self.idle.iter().position(|tuned| tuned.kind == kind).filter(|_| self.idle.len() >= MOST_IDLE));
        let reused = place.map(|place| self.idle.remove(place));
        let mut tuned = match reused {
            Some(tuned) => tuned,
            None => Tuned { decoder: self.load(kind.settings())?, kind, key: None, words: BTreeSet::new(), grammar: None },
        };
        if let Some((key, grammar)) = wanted
            && tuned.key != Some(key)
        {
            tuned.tune(key, grammar, &self.model)?;
        }
        self.out += 1;
        Ok(tuned)
    }

    fn load(&self, settings: &[(&str, &str)]) -> Result<Decoder, Nothing> {
        Decoder::new(&self.model.acoustic, settings).ok_or_else(|| {
            tracing::error!("pocketsphinx does not load {}", self.model.acoustic.display());
            Nothing::Failed
        })
    }

    fn put_back(&mut self, decoder: Tuned) {
        self.out -= 1;
        if self.idle.len() < MOST_IDLE {
            self.idle.push(decoder);
        }
    }
}

impl Tuned {
    fn tune(&mut self, key: Key, grammar: &Rc<Grammar>, model: &Model) -> Result<(), Nothing> {
        for word in &grammar.words {
            if self.words.insert(word.clone()) {
                for (name, phones) in model.dictionary().pronunciations(word) {
                    self.decoder.add_word(&name, phones);
                }
            }
        }
        if !self.decoder.listen_for_grammar(&grammar.jsgf) {
            tracing::error!(grammar = grammar.jsgf, "pocketsphinx does not take this grammar");
            return Err(Nothing::Failed);
        }
        self.key = Some(key);
        self.grammar = Some(grammar.clone());
        Ok(())
    }

    fn without_lead<'t>(&self, text: &'t str) -> &'t str {
        self.grammar.as_ref().map_or(text, |grammar| grammar.without_lead(text))
    }

    fn is_one_word(&self, text: &str) -> bool {
        self.kind == Kind::Sentence && self.grammar.as_ref().is_some_and(|grammar| grammar.is_one_word(text))
    }
}

/// One utterance: the grammar and the free phones hear the same sound.
struct Ear {
    pool: Rc<RefCell<Pool>>,
    pair: Option<(Tuned, Phones)>,
    level: Option<Level>,
    voice: Voice,
    samples: usize,
    said: String,
}

impl Ear {
    /// Gives both the same sound.
    fn feed(&mut self, pcm: &[i16]) {
        let Some((tuned, phones)) = self.pair.as_mut() else { return };
        if pcm.is_empty() || (self.samples == 0 && !tuned.decoder.begin(&MEAN)) {
            return;
        }
        tuned.decoder.push(pcm, |cepstra| phones.push(cepstra));
        self.samples += pcm.len();
    }
}

impl Hearing for Ear {
    fn push(&mut self, pcm: &[i16]) -> Option<String> {
        let before = self.samples / PARTIAL_EVERY;
        self.voice.push(pcm);
        match self.level.as_mut().map(|level| level.even(pcm)) {
            Some(even) => self.feed(&even),
            None => self.feed(pcm),
        }
        if self.samples / PARTIAL_EVERY == before {
            return None;
        }
        let (tuned, phones) = self.pair.as_mut()?;
        let (text, belief) = judge(tuned, phones, self.voice.millis())?;
        // Noise becomes what people say around a choice first: that is no word of the menu yet.
        let text = tuned.without_lead(&text).to_owned();
        let is_news = belief >= REFUSED && text != self.said && !text.is_empty() && fits(&text, self.voice.millis());
        is_news.then(|| {
            self.said.clone_from(&text);
            text
        })
    }

    fn finish(mut self: Box<Self>) -> Result<Reading, Nothing> {
        if let Some(rest) = self.level.as_mut().map(Level::rest) {
            self.feed(&rest);
        }
        if self.samples == 0 {
            return Err(Nothing::Rejected);
        }
        let (tuned, phones) = self.pair.as_mut().ok_or(Nothing::Failed)?;
        tuned.decoder.end();
        phones.end();
        let judged = judge(tuned, phones, self.voice.millis());
        self.samples = 0;
        let (text, confidence) = judged.ok_or(Nothing::Rejected)?;
        let voiced = self.voice.millis();
        tracing::debug!(confidence, text, voiced, "pocketsphinx judged");
        if confidence < REFUSED || !fits(&text, voiced) {
            return Err(Nothing::Rejected);
        }
        let confidence = if tuned.is_one_word(&text) { confidence.min(MOST_FOR_ONE_WORD) } else { confidence };
        Ok(Reading { text, alternatives: Vec::new(), confidence, pinyin: None })
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let Some((mut decoder, _)) = self.pair.take() else { return };
        if self.samples > 0 {
            decoder.decoder.end();
        }
        self.pool.borrow_mut().put_back(decoder);
    }
}

/// Brings an utterance to the level that [`MEAN`] was measured at: single words gain five points in a hundred by it.
#[derive(Default)]
struct Level {
    waiting: Vec<i16>,
    peak: i32,
    loud: usize,
    is_set: bool,
}

impl Level {
    /// The sound that is ready to be heard; the first second waits until its level is known.
    fn even(&mut self, pcm: &[i16]) -> Vec<i16> {
        self.peak = pcm.iter().map(|sample| i32::from(*sample).abs()).fold(self.peak, i32::max);
        if self.is_set {
            return self.scaled(pcm);
        }
        self.waiting.extend_from_slice(pcm);
        self.loud += if self.peak > QUIETEST_PEAK { pcm.len() } else { 0 };
        let is_known = self.loud >= LEVEL_SAMPLES || self.waiting.len() >= LEVEL_WAITS;
        if is_known { self.rest() } else { Vec::new() }
    }

    /// What still waits.
    fn rest(&mut self) -> Vec<i16> {
        self.is_set = true;
        let waiting = std::mem::take(&mut self.waiting);
        self.scaled(&waiting)
    }

    fn scaled(&self, pcm: &[i16]) -> Vec<i16> {
        let gain = LEVEL_PEAK as f32 / self.peak.max(QUIETEST_PEAK) as f32;
        pcm.iter().map(|sample| (f32::from(*sample) * gain) as i16).collect()
    }
}

/// How long a voice was heard.
struct Voice {
    detector: Box<Detector>,
    waiting: Vec<i16>,
    steps: u32,
}

impl Default for Voice {
    fn default() -> Voice {
        Voice { detector: Detector::default_boxed(), waiting: Vec::new(), steps: 0 }
    }
}

impl Voice {
    fn push(&mut self, pcm: &[i16]) {
        self.waiting.extend_from_slice(pcm);
        let whole = self.waiting.len() / VOICE_STEP * VOICE_STEP;
        for step in self.waiting[..whole].chunks_exact(VOICE_STEP) {
            self.steps += u32::from(self.detector.predict_i16(step) >= VOICE_SCORE);
        }
        self.waiting.drain(..whole);
    }

    fn millis(&self) -> u32 {
        self.steps * (VOICE_STEP as u32 / 16)
    }
}

/// The grammar's words and how far they are believed beside free phones.
fn judge(grammar: &mut Tuned, phones: &mut Phones, voiced_ms: u32) -> Option<(String, f32)> {
    let (text, score) = grammar.decoder.best()?;
    let free = phones.score()?;
    let frames = (voiced_ms / FRAME_MS).max(LEAST_FRAMES) as f32;
    if text.is_empty() {
        return None;
    }
    let behind = (score - free) as f32;
    let words = text.split(' ').count() as f32;
    tracing::trace!(text, behind, words, frames, "pocketsphinx scored");
    let belief = match grammar.kind {
        Kind::Sentence => {
            belief(behind / frames, EVEN, STEEPNESS).min(belief((behind + SPEECH_ENDS) / words, EVEN_SENTENCE, WORD_STEEPNESS))
        }
        Kind::Words => belief(behind / words, EVEN_WORDS, WORD_STEEPNESS).min(MOST_FOR_WORDS),
    };
    Some((text, belief))
}

/// Fillers take in whatever does not fit: a long speech is no single word.
fn fits(text: &str, voiced_ms: u32) -> bool {
    let words = u32::try_from(text.split(' ').count()).unwrap_or(u32::MAX);
    voiced_ms <= VOICE_GRACE_MS.saturating_add(VOICE_A_WORD_MS.saturating_mul(words))
}

fn belief(behind: f32, even: f32, steepness: f32) -> f32 {
    1.0 / (1.0 + (-(behind - even) * steepness).exp())
}

#[cfg(test)]
mod tests;
