//! What a listening turn asks for, and what was heard.

use std::sync::Arc;
use std::time::Duration;

use super::{Lang, LegId, TurnId};
use crate::control::time::Time;
use crate::nlu::Meanings;

/// What kind of value the caller is asked for; engines and end-pointing adapt to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum Expect {
    /// A free sentence or a menu choice.
    Sentence,
    /// A string of digits: longer pauses belong to it.
    Digits,
    /// A licence plate, a name, a code.
    Code,
    /// Yes or no.
    YesNo,
}

/// Hints of the node along with a turn.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Hints {
    /// A name that is the same for the same content, so that engines can keep what they build from it.
    pub key: u64,
    /// Sentences the caller may say here (options' examples, yes/no words, slot values).
    pub phrases: Vec<String>,
    /// A JSGF grammar body (rules without header) when the plan gives a closed form; else made from the phrases.
    pub grammar: Option<String>,
}

/// The terms of one turn.
#[derive(Clone, PartialEq, Debug)]
pub struct Listening {
    /// The turn.
    pub turn: TurnId,
    /// The language spoken.
    pub lang: Lang,
    /// What is asked for.
    pub expect: Expect,
    /// The node's hints.
    pub hints: Arc<Hints>,
    /// Silence that ends an utterance.
    pub end_silence: Duration,
    /// The longest utterance.
    pub max: Duration,
}

/// Another reading of the same sound.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Alternative {
    /// The words.
    pub text: String,
    /// 0.0 to 1.0.
    pub confidence: f32,
}

/// A recognised utterance.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Heard {
    /// The words; for an engine that writes pinyin only, the pinyin.
    pub text: String,
    /// Other readings, best first.
    pub alternatives: Vec<Alternative>,
    /// 0.0 to 1.0; 1.0 where the engine cannot tell.
    pub confidence: f32,
    /// The language it was recognised in.
    pub lang: Lang,
    /// Toneless pinyin syllables separated by spaces, for engines that write no characters.
    pub pinyin: Option<String>,
    /// What a sentence model says of the words, where there is one.
    pub meanings: Meanings,
    /// Which engine heard it.
    pub engine: Arc<str>,
    /// Where the utterance began, from the leg's opening.
    pub offset: Duration,
    /// How long it was.
    pub duration: Duration,
    /// From the end of the utterance (its silence heard out) to this text, the wait for a recognizer included.
    pub latency: Duration,
}

/// Why an utterance gave no text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum Nothing {
    /// Sound, but no words that may be trusted (noise, music, foreign speech refused).
    Rejected,
    /// All recognizers were busy: the plan's `asr_overload` applies.
    Overloaded,
    /// No engine serves this language: keys only.
    NoEngine,
    /// The engine failed or timed out.
    Failed,
}

/// Samples of one [`Job::Frames`]: 20 ms at 16 kHz.
pub const FRAME_SAMPLES: usize = 320;

/// What a media worker sends to a recognizer thread. One turn has any number of utterances, one after the other:
/// `Begin`, `Frames`…, then `Finish` or `Cancel`.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "frames travel inline so that a tick allocates nothing")]
pub enum Job {
    /// Speech was confirmed; its frames follow, from 300 ms before the start.
    Begin {
        /// Whose.
        leg: LegId,
        /// The terms of the turn.
        listening: Arc<Listening>,
        /// Where the first frame stands, from the leg's opening.
        offset: Duration,
    },
    /// The next 20 ms of the utterance: mono, 16 kHz.
    Frames {
        /// Whose.
        leg: LegId,
        /// In which turn.
        turn: TurnId,
        /// The sound.
        pcm: [i16; FRAME_SAMPLES],
    },
    /// The utterance ended by silence or by its longest length: recognise it.
    Finish {
        /// Whose.
        leg: LegId,
        /// In which turn.
        turn: TurnId,
        /// When it ended: what it waits in line counts as latency.
        at: Time,
    },
    /// Forget the utterance: the turn was stopped, the leg closed or frames were lost on the way.
    Cancel {
        /// Whose.
        leg: LegId,
        /// In which turn.
        turn: TurnId,
    },
}

/// What the recognizer reports.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// Words so far; may change.
    Partial {
        /// By whom.
        leg: LegId,
        /// In which turn.
        turn: TurnId,
        /// The words so far.
        text: String,
    },
    /// The utterance.
    Heard {
        /// By whom.
        leg: LegId,
        /// In which turn.
        turn: TurnId,
        /// What.
        heard: Heard,
    },
    /// Speech came, but no text.
    Nothing {
        /// By whom.
        leg: LegId,
        /// In which turn.
        turn: TurnId,
        /// Why.
        why: Nothing,
    },
}
