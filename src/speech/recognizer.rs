//! What a recognizer is: it opens an ear per utterance, the ear takes sound and ends in words or in the reason why not.

use std::sync::Arc;
use std::time::Duration;

use crate::control::words::Lang;
use crate::control::words::speech::{Alternative, Expect, Hints, Listening, Nothing};

/// What an utterance is listened to with.
#[derive(Clone, PartialEq, Debug)]
pub struct Terms {
    /// The language spoken.
    pub lang: Lang,
    /// What kind of value is asked for.
    pub expect: Expect,
    /// The node's hints.
    pub hints: Arc<Hints>,
    /// An answer later than this after the end of speech is of no use.
    pub budget: Duration,
}

/// The usual limit from the end of speech to the text.
pub const LIVE_BUDGET: Duration = Duration::from_secs(3);

impl Terms {
    /// Terms without hints: after-call transcripts.
    #[must_use]
    pub fn plain(lang: Lang, budget: Duration) -> Terms {
        Terms { lang, expect: Expect::Sentence, hints: Arc::new(Hints::default()), budget }
    }
}

impl From<&Listening> for Terms {
    fn from(turn: &Listening) -> Terms {
        Terms { lang: turn.lang.clone(), expect: turn.expect, hints: turn.hints.clone(), budget: LIVE_BUDGET }
    }
}

/// What an engine made of an utterance.
#[derive(Clone, PartialEq, Debug)]
pub struct Reading {
    /// The words; pinyin for an engine that writes no characters.
    pub text: String,
    /// Other readings, best first.
    pub alternatives: Vec<Alternative>,
    /// 0.0 to 1.0.
    pub confidence: f32,
    /// Toneless pinyin syllables separated by spaces, for engines that write no characters.
    pub pinyin: Option<String>,
}

/// An engine with all that one thread needs of it.
pub trait Recognizer {
    /// Its name in the journal: `whisper:mini-q8_0`.
    fn name(&self) -> &Arc<str>;
    /// Opens an ear for one utterance. An error says why this engine cannot listen under these terms.
    fn hear(&mut self, terms: &Terms) -> Result<Box<dyn Hearing>, Nothing>;
}

/// One utterance under way.
pub trait Hearing {
    /// Takes more sound (16 kHz). Answers with the words so far when they changed.
    fn push(&mut self, pcm: &[i16]) -> Option<String>;
    /// The utterance has ended. An ear that has an [`Errand`] waits for another machine here.
    fn finish(self: Box<Self>) -> Result<Reading, Nothing>;
    /// What is left to do by waiting for somebody else, instead of `finish`: for a thread that may wait.
    fn errand(&mut self) -> Option<Errand> {
        None
    }
}

/// The end of an utterance that another machine hears.
pub type Errand = Box<dyn FnOnce() -> Result<Reading, Nothing> + Send>;
