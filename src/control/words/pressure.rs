//! How short the machine's time is, and what is left undone for it.
//!
//! What is needed most is left undone last: sound, then signalling, then queues, then live recognition, then transcripts after the call,
//! then scores. Each level gives up one more step of that ladder, from its end.

/// The governor's word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Pressure {
    /// Everything is done.
    #[default]
    Calm,
    /// Transcripts and scores of ended calls wait.
    Tight,
    /// New callers are asked for keys too; who is being listened to goes on speaking.
    Short,
}

impl Pressure {
    /// `calm`, `tight`, `short`
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Pressure::Calm => "calm",
            Pressure::Tight => "tight",
            Pressure::Short => "short",
        }
    }

    /// One step down the ladder.
    #[must_use]
    pub fn eased(self) -> Pressure {
        match self {
            Pressure::Short => Pressure::Tight,
            Pressure::Tight | Pressure::Calm => Pressure::Calm,
        }
    }
}
