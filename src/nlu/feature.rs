//! Sentences as sparse vectors: hashed n-grams in blocks, TF-IDF, each block of length 1.
//!
//! W: words 1–2-grams and characters 1–3-grams. C: letters inside words, 2–5-grams. P: toneless pinyin 1–3-grams. S: concepts of the thesaurus.
//! Beside them stands E, where a sentence model is configured: the sentence's vector as it is, one value a feature.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use pinyin::ToPinyin;

use super::normalise::masked;
use super::phonetic;
use super::thesaurus::Thesaurus;
use super::token::{Token, tokens};

/// A kind of feature; each is scaled by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Block {
    /// Words and characters.
    W,
    /// Letters inside words.
    C,
    /// Pinyin.
    P,
    /// Concepts.
    S,
}

/// How many blocks there are.
const BLOCKS: usize = 4;
/// Longest n-gram of words.
const WORD_GRAM: usize = 2;
/// Longest n-gram of characters and of pinyin syllables.
const HAN_GRAM: usize = 3;
/// A longer word counts by its beginning.
const LONGEST_WORD: usize = 34;
/// FNV-1a's multiplier.
const PRIME: u64 = 0x0100_0000_01b3;
/// The seed of the letters' hashes.
const LETTERS: u64 = 0xcbf2_9ce4_8422_2325;
/// The seed of the sounds' hashes.
const SOUND: u64 = 0x20;
/// N-grams of letters, the word's edges counted as letters.
const LETTER_GRAMS: std::ops::RangeInclusive<usize> = 2..=5;

/// What each block weighs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Weights {
    /// In the order W, C, P, S.
    pub grams: [f32; BLOCKS],
    /// E.
    pub meaning: f32,
}

impl Weights {
    /// The same for the n-grams, and so much for E.
    pub(super) fn with_meaning(self, meaning: f32) -> Weights {
        Weights { grams: self.grams, meaning }
    }
}

/// The n-grams of one sentence, hashed, by block, repeats included.
#[derive(Clone, Default, Debug)]
pub(super) struct Grams(pub [Vec<u64>; BLOCKS]);

/// All that a model is told of a sentence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sentence<'s> {
    pub grams: &'s Grams,
    /// Its vector by the sentence model, of length 1.
    pub meaning: Option<&'s [f32]>,
}

/// Hashes are spread already.
#[derive(Default)]
pub(super) struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes, self.0);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// A table for look-ups by a hash.
pub(super) type Hashed<V> = HashMap<u64, V, BuildHasherDefault<Same>>;

/// FNV-1a with a last mix, so that the low bits are good too.
pub(super) fn hash(bytes: &[u8], seed: u64) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for &byte in bytes {
        state = (state ^ u64::from(byte)).wrapping_mul(PRIME);
    }
    mixed(state)
}

/// Spreads a hash over all its bits.
fn mixed(mut state: u64) -> u64 {
    state ^= state >> 32;
    state = state.wrapping_mul(0xd6e8_feb8_6659_fd93);
    state ^ (state >> 32)
}

/// The toneless syllables of Chinese words; `None` where anything else stands among them.
#[must_use]
pub fn syllables(text: &str) -> Option<Vec<&'static str>> {
    text.chars().map(|c| c.to_pinyin().map(|sound| sound.plain())).collect()
}

impl Grams {
    /// The n-grams of a sentence as said or typed; `pinyin` is what a recognizer without characters gave.
    pub(super) fn of(text: &str, pinyin: Option<&str>, thesaurus: &Thesaurus) -> Grams {
        let mut grams = Grams::default();
        let text = masked(text);
        let tokens = tokens(&text);
        for run in tokens.split(|token| *token == Token::Break) {
            grams.words(run);
            if pinyin.is_none() {
                grams.sounds(run.iter().map(sound_of));
            }
        }
        for token in &tokens {
            if let Token::Word(word) = token {
                grams.letters(word);
            }
        }
        if let Some(pinyin) = pinyin {
            grams.sounds(pinyin.split_whitespace().map(|syllable| Some(hash(syllable.as_bytes(), SOUND))));
        }
        thesaurus.concepts(&tokens, &mut grams.0[Block::S as usize]);
        grams
    }

    fn words(&mut self, run: &[Token<'_>]) {
        for (start, first) in run.iter().enumerate() {
            let longest = if matches!(first, Token::Han(..) | Token::Mask) { HAN_GRAM } else { WORD_GRAM };
            let mut state = Block::W as u64;
            for token in run[start..].iter().take(longest) {
                let part = match token {
                    Token::Word(word) | Token::Number(word) | Token::Han(_, word) => word.as_bytes(),
                    Token::Mask | Token::Break => b"\0",
                };
                state = hash(part, state.wrapping_add(1));
                self.0[Block::W as usize].push(state);
            }
        }
    }

    fn letters(&mut self, word: &str) {
        let mut edged = [0u32; LONGEST_WORD];
        let mut length = 0;
        for (place, c) in edged.iter_mut().zip(std::iter::once(' ').chain(word.chars()).chain(std::iter::once(' '))) {
            *place = u32::from(c);
            length += 1;
        }
        let out = &mut self.0[Block::C as usize];
        for start in 0..length {
            let mut state = LETTERS;
            for (count, &letter) in edged[start..length].iter().take(*LETTER_GRAMS.end()).enumerate() {
                // FNV over whole letters; the mix at the end spreads it.
                state = (state ^ u64::from(letter)).wrapping_mul(PRIME);
                if LETTER_GRAMS.contains(&(count + 1)) {
                    out.push(mixed(state));
                }
            }
        }
    }

    fn sounds(&mut self, sounds: impl Iterator<Item = Option<u64>>) {
        let sounds: Vec<Option<u64>> = sounds.collect();
        for start in 0..sounds.len() {
            let mut state = SOUND;
            for sound in sounds[start..].iter().take(HAN_GRAM) {
                let Some(sound) = sound else { break };
                state = hash(&sound.to_le_bytes(), state.wrapping_add(1));
                self.0[Block::P as usize].push(state);
            }
        }
    }
}

/// A character's pinyin without tone, a word's consonants.
fn sound_of(token: &Token<'_>) -> Option<u64> {
    match token {
        Token::Han(c, _) => c.to_pinyin().map(|pinyin| hash(pinyin.plain().as_bytes(), SOUND)),
        Token::Word(word) => {
            let (key, length) = phonetic::key(word);
            Some(hash(&key[..length], SOUND + 1))
        }
        _ => None,
    }
}

/// A sentence's vector: known features by ascending number, and how much of the sentence is known.
#[derive(Clone, Default, Debug)]
pub(super) struct Vector {
    /// (feature, value), ascending by feature.
    pub items: Vec<(u32, f32)>,
    /// E, weighed; empty where it does not count.
    pub meaning: Vec<f32>,
    /// The known share of the sentence's n-gram weight, 0.0 to 1.0.
    pub known: f32,
}

impl Vector {
    /// The product with itself.
    pub(super) fn square(&self) -> f32 {
        self.items.iter().map(|item| item.1 * item.1).sum::<f32>() + dot(&self.meaning, &self.meaning)
    }

    /// Does nothing of the sentence count?
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.meaning.is_empty()
    }
}

/// How many products are summed side by side.
const LANES: usize = 8;

/// The product of two rows of the same length, summed in lanes, which the machine does at once.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a, b) = (a.chunks(LANES), b.chunks(LANES));
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

/// The vocabulary of the examples.
#[derive(Clone, Debug)]
pub(super) struct Vocabulary {
    ids: Hashed<u32>,
    idf: Vec<f32>,
    /// Features below this number occur in an intent's examples; the rest only out of scope.
    inside: u32,
    /// What an n-gram that no sentence has would weigh.
    unknown_idf: f32,
}

/// In how many sentences each n-gram occurs.
#[derive(Default)]
struct Count {
    ids: Hashed<u32>,
    seen_in: Vec<u32>,
    last: Vec<u32>,
    total: u32,
}

impl Count {
    fn add(&mut self, grams: &Grams, weights: Weights) {
        self.total += 1;
        for (block, _) in grams.0.iter().zip(weights.grams).filter(|(_, weight)| *weight > 0.0) {
            for &gram in block {
                let id = *self.ids.entry(gram).or_insert(self.seen_in.len() as u32) as usize;
                if id == self.seen_in.len() {
                    self.seen_in.push(0);
                    self.last.push(0);
                }
                if self.last[id] != self.total {
                    self.last[id] = self.total;
                    self.seen_in[id] += 1;
                }
            }
        }
    }
}

impl Vocabulary {
    /// Counts the n-grams of the intents' examples and of the sentences out of scope.
    pub(super) fn build(inside: &[&Grams], outside: &[&Grams], weights: Weights) -> Vocabulary {
        let mut count = Count::default();
        inside.iter().for_each(|grams| count.add(grams, weights));
        let known = count.seen_in.len() as u32;
        outside.iter().for_each(|grams| count.add(grams, weights));
        let idf = |df: f32| ((1.0 + count.total as f32) / (1.0 + df)).ln() + 1.0;
        let all = count.seen_in.iter().map(|&df| idf(df as f32)).collect();
        Vocabulary { idf: all, inside: known, unknown_idf: idf(0.0), ids: count.ids }
    }

    /// How many n-grams are known.
    pub(super) fn len(&self) -> usize {
        self.idf.len()
    }

    /// The vector of a sentence.
    pub(super) fn vector(&self, sentence: Sentence<'_>, weights: Weights) -> Vector {
        let grams = sentence.grams;
        let meaning = sentence.meaning.filter(|_| weights.meaning > 0.0).unwrap_or_default();
        let mut vector = Vector { meaning: meaning.iter().map(|value| value * weights.meaning).collect(), ..Vector::default() };
        let (mut known, mut all) = (0.0, 0.0);
        for (block, scale) in grams.0.iter().zip(weights.grams) {
            if scale <= 0.0 || block.is_empty() {
                continue;
            }
            let start = vector.items.len();
            let mut ids: Vec<u32> = block.iter().filter_map(|gram| self.ids.get(gram).copied()).collect();
            let unknown = (block.len() - ids.len()) as f32 * self.unknown_idf;
            ids.sort_unstable();
            for same in ids.chunk_by(|a, b| a == b) {
                vector.items.push((same[0], (1.0 + (same.len() as f32).ln()) * self.idf[same[0] as usize]));
            }
            let items = &mut vector.items[start..];
            let (sum, squares) = items.iter().fold((0.0, 0.0), |(sum, squares), &(_, v)| (sum + v, squares + v * v));
            known += scale * items.iter().filter(|item| item.0 < self.inside).map(|item| item.1).sum::<f32>();
            all += scale * (sum + unknown);
            let factor = scale / f32::sqrt(squares).max(f32::MIN_POSITIVE);
            items.iter_mut().for_each(|item| item.1 *= factor);
        }
        // The blocks are in order already: the stable sort finds these runs.
        vector.items.sort_by_key(|item| item.0);
        vector.known = if all > 0.0 { known / all } else { 0.0 };
        vector
    }
}
