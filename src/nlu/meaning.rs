//! Sentences as vectors of a sentence model, where one is configured: near in meaning is near in space, whatever the words.
//!
//! The model itself runs elsewhere, before a sentence comes to the rules; here are only its results, by sentence. Without them everything
//! works from n-grams alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clause::clauses;

/// The vectors of some sentences, each of length 1.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Meanings(Option<Arc<BTreeMap<String, Vec<f32>>>>);

impl Meanings {
    /// The vector of a sentence, if it is among them.
    #[must_use]
    pub fn of(&self, text: &str) -> Option<&[f32]> {
        self.0.as_ref()?.get(text).map(Vec::as_slice)
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl FromIterator<(String, Vec<f32>)> for Meanings {
    fn from_iter<I: IntoIterator<Item = (String, Vec<f32>)>>(vectors: I) -> Meanings {
        let vectors: BTreeMap<String, Vec<f32>> = vectors.into_iter().collect();
        Meanings((!vectors.is_empty()).then(|| Arc::new(vectors)))
    }
}

/// Gives sentences their vectors: always the same for the same sentence.
pub trait Meaning: std::fmt::Debug + Send + Sync {
    /// The vectors of all these sentences, or of none: a set with gaps teaches nothing.
    fn meanings(&self, texts: &[&str]) -> Meanings;
}

/// Where no sentence model is configured.
#[derive(Clone, Copy, Debug)]
pub struct WordsOnly;

impl Meaning for WordsOnly {
    fn meanings(&self, _texts: &[&str]) -> Meanings {
        Meanings::default()
    }
}

/// The sentence model of an installation, where it has one.
#[derive(Clone, Debug, Default)]
pub struct SentenceModel(Option<Arc<dyn Meaning>>);

impl SentenceModel {
    /// This one.
    #[must_use]
    pub fn of(model: Arc<dyn Meaning>) -> SentenceModel {
        SentenceModel(Some(model))
    }

    /// What it says of a sentence and its clauses. For tools that have the time: in a call this is done before the rules are told.
    #[must_use]
    pub fn of_sentence(&self, text: &str) -> Meanings {
        let texts = judged(text);
        self.meanings(&texts.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

impl Meaning for SentenceModel {
    fn meanings(&self, texts: &[&str]) -> Meanings {
        self.0.as_ref().map(|model| model.meanings(texts)).unwrap_or_default()
    }
}

/// What a sentence is judged by: itself, and its clauses when it has several.
#[must_use]
pub fn judged(text: &str) -> Vec<String> {
    let text = text.trim();
    let mut all = vec![text.to_owned()];
    let parts = clauses(text);
    if parts.len() > 1 {
        all.extend(parts);
    }
    all.retain(|text| !text.is_empty());
    all
}
