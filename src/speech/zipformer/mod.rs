//! The small streaming zipformer transducer: words while they are spoken, Mandarin as pinyin, English as pieces of words.
//!
//! One folder holds one language: `encoder*.onnx`, `decoder*.onnx`, `joiner*.onnx`, `tokens.txt`, and `bpe.model` for English.
//! A menu's phrases are used twice: they steer the beam a little, and at the end each of them is scored as a whole, since a
//! closed list is right far more often than free text.

mod bias;
mod fbank;
mod list;
mod listen;
mod model;
mod pieces;
mod pinyin;
mod search;
mod tokens;

pub use listen::Zipformer;
pub use model::{Model, ModelError, folders};
