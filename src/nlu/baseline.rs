//! What a classifier must beat: key words and BM25, over the same examples and tokens.

use std::collections::BTreeMap;

use super::feature::hash;
use super::normalise::normalise;
use super::token::{Token, tokens};

/// Key words an intent.
const KEY_WORDS: usize = 10;
/// BM25 (Robertson and Zaragoza 2009) with its usual constants.
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// A ranking by a baseline: (intent, score), best first.
pub type Scores = Vec<(usize, f32)>;

/// Words, and characters alone and in pairs, hashed.
fn terms(text: &str) -> Vec<u64> {
    let text = normalise(text);
    let mut out = Vec::new();
    let mut before = None;
    for token in tokens(&text) {
        let part = match token {
            Token::Word(word) | Token::Number(word) => word,
            Token::Han(_, text) => text,
            Token::Mask | Token::Break => continue,
        };
        let term = hash(part.as_bytes(), 0);
        out.push(term);
        let han = matches!(token, Token::Han(..));
        out.extend(before.filter(|_| han).map(|before| hash(part.as_bytes(), before)));
        before = han.then_some(term);
    }
    out
}

fn unique(text: &str) -> Vec<u64> {
    let mut terms = terms(text);
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// Each intent's most telling words; a sentence goes where most of them are.
pub struct KeyWords {
    of: BTreeMap<u64, Vec<(usize, f32)>>,
    classes: usize,
}

impl KeyWords {
    /// Picks the words of each intent by their weight in it.
    pub fn train(examples: &[(usize, &str)], classes: usize) -> KeyWords {
        let mut counts = vec![BTreeMap::<u64, f32>::new(); classes];
        let mut spread = BTreeMap::<u64, f32>::new();
        for &(class, text) in examples {
            for term in unique(text) {
                let count = counts[class].entry(term).or_insert(0.0);
                if *count == 0.0 {
                    *spread.entry(term).or_insert(0.0) += 1.0;
                }
                *count += 1.0;
            }
        }
        let mut of = BTreeMap::<u64, Vec<(usize, f32)>>::new();
        for (class, counts) in counts.iter().enumerate() {
            let weight = |term: &u64, count: f32| count * (classes as f32 / spread[term]).ln();
            let mut words: Vec<(u64, f32)> = counts.iter().map(|(term, &count)| (*term, weight(term, count))).collect();
            words.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            words.iter().take(KEY_WORDS).for_each(|&(term, weight)| of.entry(term).or_default().push((class, weight)));
        }
        KeyWords { of, classes }
    }

    /// The intents whose words are in the sentence.
    pub fn rank(&self, text: &str) -> Scores {
        let mut scores = vec![0.0; self.classes];
        for (class, weight) in unique(text).iter().filter_map(|term| self.of.get(term)).flatten() {
            scores[*class] += 1.0 + weight * 1e-3;
        }
        ranked(scores)
    }
}

/// The example that fits best, by BM25.
pub struct Bm25 {
    /// By term: (example, weight).
    postings: BTreeMap<u64, Vec<(usize, f32)>>,
    labels: Vec<usize>,
    classes: usize,
}

impl Bm25 {
    /// Indexes the examples.
    pub fn train(examples: &[(usize, &str)], classes: usize) -> Bm25 {
        let documents: Vec<Vec<u64>> = examples.iter().map(|(_, text)| terms(text)).collect();
        let mean = documents.iter().map(Vec::len).sum::<usize>() as f32 / documents.len().max(1) as f32;
        let mut postings = BTreeMap::<u64, Vec<(usize, f32)>>::new();
        for (number, document) in documents.iter().enumerate() {
            let mut sorted = document.clone();
            sorted.sort_unstable();
            for same in sorted.chunk_by(|a, b| a == b) {
                let tf = same.len() as f32;
                let weight = tf * (K1 + 1.0) / (tf + K1 * (1.0 - B + B * document.len() as f32 / mean));
                postings.entry(same[0]).or_default().push((number, weight));
            }
        }
        let count = documents.len() as f32;
        for entries in postings.values_mut() {
            let df = entries.len() as f32;
            let idf = (1.0 + (count - df + 0.5) / (df + 0.5)).ln();
            entries.iter_mut().for_each(|entry| entry.1 *= idf);
        }
        Bm25 { postings, labels: examples.iter().map(|&(class, _)| class).collect(), classes }
    }

    /// Each intent by its best example.
    pub fn rank(&self, text: &str) -> Scores {
        let mut examples = vec![0.0; self.labels.len()];
        for &(example, weight) in unique(text).iter().filter_map(|term| self.postings.get(term)).flatten() {
            examples[example] += weight;
        }
        let mut scores = vec![0.0f32; self.classes];
        for (score, &class) in examples.iter().zip(&self.labels) {
            scores[class] = scores[class].max(*score);
        }
        ranked(scores)
    }
}

fn ranked(scores: Vec<f32>) -> Scores {
    let mut order: Scores = scores.into_iter().enumerate().filter(|&(_, score)| score > 0.0).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    order.truncate(3);
    order
}
