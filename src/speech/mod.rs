//! Speech: recognizers behind one trait, the threads that run them, and prompts spoken by a synthesizer or recorded by people.
//!
//! `engines` decides which recognizer serves which language; `worker` runs them at low priority and answers with
//! `words::speech::Event`; `prompts` turns a `Prompt` into sound without ever blocking its caller.

pub mod engines;
pub mod governor;
mod guard;
mod kept;
pub mod models;
pub mod prompts;
pub mod recognizer;
pub mod remote;
pub mod resample;
pub mod segment;
pub mod sphinx;
pub mod tones;
pub mod transcribe;
pub mod wav;
pub mod whisper;
pub mod worker;
pub mod zipformer;

pub use engines::{Config, Engines};
pub use recognizer::{Hearing, Reading, Recognizer, Terms};
pub use worker::{Handle, start};

/// Samples a second that recognizers are given.
pub const RATE: u32 = 16_000;
