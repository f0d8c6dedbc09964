//! Quality: every contact is measured against scorecards after it ended, and each verdict cites what was said and when.

pub mod check;
pub mod dialogue;
pub mod evaluate;
pub mod leaves;
pub mod phrases;
pub mod scorecard;
pub mod worker;

pub use scorecard::Scorecard;
pub use worker::{Transcribed, Utterance, Worker};
