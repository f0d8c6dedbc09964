//! Language understanding: text to intents and slot values. Pure: no clock, no chance from outside, no I/O.
//!
//! `normalise` → `token` → `feature` (n-gram blocks) → `svm` (margins) → `confidence` → [`Classifier`] decides.
//! Values in a sentence are found by `slots`, taken out of it by `redact`, and said again by `spoken`.

pub mod background;
pub mod baseline;
pub mod classifier;
pub mod clause;
pub mod cluster;
mod confidence;
mod english;
mod feature;
pub mod hot;
pub mod meaning;
pub mod measure;
mod model;
pub mod normalise;
pub mod packs;
mod phonetic;
mod random;
mod rank;
pub mod redact;
pub mod sentiment;
pub mod slots;
pub mod spoken;
mod svm;
mod thesaurus;
mod token;
mod traditional;

pub use classifier::{Classifier, Focus, Intent, Options, TrainError};
pub use feature::syllables;
pub use meaning::{Meaning, Meanings, SentenceModel, WordsOnly};
pub use rank::{Decision, Hit, Medium, Ranked, Thresholds};
pub use token::is_han;
