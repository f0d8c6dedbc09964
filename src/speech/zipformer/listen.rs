//! Listening with a zipformer: chunks of 320 ms through the encoder, each frame through the beam.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use rten::{RunOptions, Value};

use super::bias::Bias;
use super::fbank::{BANDS, Fbank, Stream};
use super::list::{self, Rows, SCORED};
use super::model::{ADVANCE, CHUNK, Model, WIDTH, own_thread};
use super::search::{Beam, Hypothesis};
use super::{pieces, pinyin};
use crate::control::words::speech::{Alternative, Hints, Nothing};
use crate::speech::RATE;
use crate::speech::recognizer::{Hearing, Reading, Recognizer, Terms};

/// Silence pushed after the last word, so that it leaves the encoder: 500 ms.
const TAIL: usize = RATE as usize / 2;
/// Encoder frames kept for the closed list: 30 s.
const LONGEST: usize = 750;
/// Decoder outputs kept by their two tokens; 1.3 KB each.
const DECODED_KEPT: usize = 8_192;
/// Phrases of a menu that are used.
const MOST_PHRASES: usize = 300;
/// Menus kept.
const MENUS_KEPT: usize = 128;
/// A phrase is taken for what was said when it falls behind free text by no more than this a token.
const PHRASE_BEHIND: f32 = 0.9;
/// Clarity at which free text is not believed at all, and from there to full belief: English through the Mandarin model has 0.58 in
/// the median, true speech 0.75 to 0.93.
const UNCLEAR: f32 = 0.5;
const CLEAR_SPAN: f32 = 0.45;
/// The same for a phrase that was scored as a whole.
const PHRASE_UNCLEAR: f32 = 0.3;
const PHRASE_CLEAR_SPAN: f32 = 0.65;
/// Less confidence than this is refused.
const REFUSED: f32 = 0.2;

/// A zipformer as one thread has it.
pub struct Zipformer {
    desk: Rc<RefCell<Desk>>,
    name: Arc<str>,
}

impl Zipformer {
    /// The thread's own tables and memory.
    #[must_use]
    pub fn new(model: &Arc<Model>) -> Zipformer {
        let desk =
            Desk { model: model.clone(), options: own_thread(), fbank: Fbank::new(), decoded: HashMap::new(), menus: BTreeMap::new() };
        Zipformer { desk: Rc::new(RefCell::new(desk)), name: model.name.clone() }
    }
}

impl Recognizer for Zipformer {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn hear(&mut self, terms: &Terms) -> Result<Box<dyn Hearing>, Nothing> {
        let mut desk = self.desk.borrow_mut();
        if desk.model.lang != terms.lang.primary() {
            return Err(Nothing::NoEngine);
        }
        let menu = desk.menu(&terms.hints);
        let memory = desk.model.silence();
        Ok(Box::new(Ear {
            desk: self.desk.clone(),
            menu,
            memory,
            stream: Stream::default(),
            frames: Vec::new(),
            encoded: Vec::new(),
            beam: Beam::default(),
            said: String::new(),
        }))
    }
}

/// A phrase, its tokens, and how well they fit the sound.
type Scored<'a> = (&'a str, &'a [u32], f32);

/// A menu's phrases as tokens.
struct Menu {
    phrases: Vec<(String, Vec<u32>)>,
    bias: Bias,
}

struct Desk {
    model: Arc<Model>,
    options: RunOptions,
    fbank: Fbank,
    decoded: HashMap<[i32; 2], Rc<Vec<f32>>>,
    menus: BTreeMap<(u64, usize), Rc<Menu>>,
}

impl Desk {
    fn menu(&mut self, hints: &Hints) -> Rc<Menu> {
        let key = (hints.key, hints.phrases.len());
        if let Some(kept) = self.menus.get(&key) {
            return kept.clone();
        }
        let tokens = |phrase: &String| match &self.model.pieces {
            Some(pieces) => pieces.tokens(phrase, &self.model.tokens),
            None => pinyin::tokens(phrase, &self.model.tokens),
        };
        let phrases: Vec<(String, Vec<u32>)> =
            hints.phrases.iter().take(MOST_PHRASES).filter_map(|phrase| Some((phrase.clone(), tokens(phrase)?))).collect();
        let bias = Bias::new(phrases.iter().map(|(_, tokens)| tokens.as_slice()));
        if self.menus.len() >= MENUS_KEPT {
            self.menus.pop_first();
        }
        let menu = Rc::new(Menu { phrases, bias });
        self.menus.insert(key, menu.clone());
        menu
    }

    fn decoded(&mut self, context: [i32; 2]) -> Result<Rc<Vec<f32>>, String> {
        if let Some(kept) = self.decoded.get(&context) {
            return Ok(kept.clone());
        }
        if self.decoded.len() >= DECODED_KEPT {
            self.decoded.clear();
        }
        let made = Rc::new(self.model.decode(context, &self.options)?);
        self.decoded.insert(context, made.clone());
        Ok(made)
    }

    /// Log probabilities after each context for one encoder frame.
    fn rows(&mut self, frame: &[f32], contexts: &[[i32; 2]]) -> Result<Vec<f32>, String> {
        let mut decoded = Vec::with_capacity(contexts.len() * WIDTH);
        for context in contexts {
            decoded.extend_from_slice(&self.decoded(*context)?);
        }
        self.model.join(frame.repeat(contexts.len()), decoded, &self.options)
    }

    /// The phrase that fits the sound best, and its log probability.
    fn best_phrase<'a>(&mut self, menu: &'a Menu, free: &Hypothesis, encoded: &[f32]) -> Result<Option<Scored<'a>>, String> {
        let mut near: Vec<&(String, Vec<u32>)> = menu.phrases.iter().collect();
        near.sort_by_key(|(_, tokens)| list::distance(tokens, &free.tokens));
        near.truncate(SCORED);
        let (frames, width) = (encoded.len() / WIDTH, self.model.tokens.count());
        let mut known: HashMap<[i32; 2], Rows> = HashMap::new();
        let mut best: Option<(&str, &[u32], f32)> = None;
        for (phrase, tokens) in near {
            let score = list::score(tokens, frames, width, |context| {
                if let Some(rows) = known.get(&context) {
                    return Ok::<Rows, String>(rows.clone());
                }
                let decoded = self.decoded(context)?.repeat(frames);
                let rows = Rows::new(self.model.join(encoded.to_vec(), decoded, &self.options)?);
                known.insert(context, rows.clone());
                Ok(rows)
            })?;
            if best.is_none_or(|(_, _, known)| score > known) {
                best = Some((phrase, tokens, score));
            }
        }
        Ok(best)
    }

    fn text(&self, tokens: &[u32]) -> String {
        let units = tokens.iter().map(|token| self.model.tokens.text(*token));
        if self.model.pieces.is_some() { pieces::text(units) } else { pinyin::text(units) }
    }

    fn is_pinyin(&self) -> bool {
        self.model.pieces.is_none()
    }
}

/// How far free text is believed.
fn confidence(text: &Hypothesis) -> f32 {
    span(text.clarity(), UNCLEAR, CLEAR_SPAN)
}

fn span(value: f32, nothing: f32, span: f32) -> f32 {
    ((value - nothing) / span).clamp(0.0, 1.0)
}

/// One utterance.
struct Ear {
    desk: Rc<RefCell<Desk>>,
    menu: Rc<Menu>,
    memory: Vec<Value>,
    stream: Stream,
    frames: Vec<[f32; BANDS]>,
    encoded: Vec<f32>,
    beam: Beam,
    said: String,
}

impl Ear {
    fn take(&mut self, pcm: &[i16]) -> Result<(), String> {
        let mut desk = self.desk.borrow_mut();
        self.stream.push(pcm);
        desk.fbank.run(&mut self.stream, &mut self.frames);
        while self.frames.len() >= CHUNK {
            let encoded = desk.model.encode(&self.frames, &mut self.memory, &desk.options)?;
            self.frames.drain(..ADVANCE);
            for frame in encoded.chunks_exact(WIDTH) {
                let rows = desk.rows(frame, &self.beam.contexts())?;
                self.beam.step(&rows, desk.model.tokens.count(), &self.menu.bias);
            }
            if self.encoded.len() < LONGEST * WIDTH {
                self.encoded.extend(encoded);
            }
        }
        Ok(())
    }

    fn reading(self) -> Result<Reading, String> {
        let mut desk = self.desk.borrow_mut();
        let texts = self.beam.finish(&self.menu.bias);
        let free = &texts[0];
        let phrase = desk.best_phrase(&self.menu, free, &self.encoded)?;
        let others = texts[1..].iter().filter(|other| !other.tokens.is_empty());
        let mut alternatives: Vec<Alternative> =
            others.map(|other| Alternative { text: desk.text(&other.tokens), confidence: confidence(other) }).collect();
        let clarity = free.clarity();
        let free_text = desk.text(&free.tokens);
        if let Some((phrase, tokens, score)) = phrase {
            let behind = (free.score - score).max(0.0) / tokens.len() as f32;
            if behind <= PHRASE_BEHIND {
                alternatives.insert(0, Alternative { text: free_text, confidence: confidence(free) });
                let confidence = span((-behind / 2.0).exp() * clarity.sqrt(), PHRASE_UNCLEAR, PHRASE_CLEAR_SPAN);
                let pinyin = desk.is_pinyin().then(|| pinyin::toneless(&desk.text(tokens)));
                return Ok(Reading { text: phrase.to_owned(), alternatives, confidence, pinyin });
            }
        }
        let pinyin = desk.is_pinyin().then(|| pinyin::toneless(&free_text));
        Ok(Reading { text: free_text, alternatives, confidence: confidence(free), pinyin })
    }
}

impl Hearing for Ear {
    fn push(&mut self, pcm: &[i16]) -> Option<String> {
        if let Err(why) = self.take(pcm) {
            tracing::error!("zipformer: {why}");
            return None;
        }
        let best = self.beam.best();
        if best.tokens.is_empty() || confidence(best) < REFUSED {
            return None;
        }
        let text = self.desk.borrow().text(&best.tokens);
        (text != self.said).then(|| {
            self.said.clone_from(&text);
            text
        })
    }

    fn finish(mut self: Box<Self>) -> Result<Reading, Nothing> {
        let reading = self.take(&vec![0; TAIL]).and_then(|()| self.reading()).map_err(|why| {
            tracing::error!("zipformer: {why}");
            Nothing::Failed
        })?;
        if reading.text.is_empty() || reading.confidence < REFUSED { Err(Nothing::Rejected) } else { Ok(reading) }
    }
}
