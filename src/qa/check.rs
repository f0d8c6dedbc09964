//! What a rule may ask: the leaves and operators of the scorecard format.

use serde::Deserialize;

/// A question about a dialogue.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Check {
    /// Each of them holds.
    All(Vec<Check>),
    /// One of them holds.
    Any(Vec<Check>),
    /// It does not hold.
    Not(Box<Check>),
    /// They hold one after the other.
    Sequence(Sequence),
    /// It holds in so many turns.
    Count(Count),
    /// Words were said.
    Said(Said),
    /// The plan understood an intent; `*` is any.
    Intent(Named),
    /// The plan learned a slot; `*` is any.
    Entity(Named),
    /// Nobody spoke for so long.
    Silence(Longer),
    /// Two spoke at once for so long.
    Overlap(Longer),
    /// How fast somebody spoke, in words (or Chinese characters) a minute.
    Speed(Speed),
    /// Somebody said nearly the same so often.
    Repeat(Repeat),
    /// How long the customer waited for the next word.
    ResponseTime(ResponseTime),
    /// Which share of the speaking time was somebody's.
    TalkRatio(TalkRatio),
    /// How long the contact was.
    Duration(Between),
    /// A fact of the session: `channel`, `queue`, `waited_ms`, `ending`, `disposition`, `contained`, `agent` …
    Attr(Attr),
}

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The customer.
    Customer,
    /// A human agent.
    Agent,
    /// The plan.
    Bot,
}

/// In which part of the dialogue.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Only these speakers; empty = everybody.
    #[serde(default)]
    pub by: Vec<By>,
    /// Only the first seconds.
    pub first_s: Option<u64>,
    /// Only the last seconds.
    pub last_s: Option<u64>,
    /// Only the first turns of these speakers.
    pub first_turns: Option<usize>,
    /// Only the last turns of these speakers.
    pub last_turns: Option<usize>,
    /// Only after this held first.
    pub after: Option<Box<Check>>,
    /// Only before this held first.
    pub before: Option<Box<Check>>,
}

/// Words that were said in one turn.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// One of these.
    #[serde(default)]
    pub any: Vec<String>,
    /// Each of these, in whatever turns.
    #[serde(default)]
    pub all: Vec<String>,
    /// None of these.
    #[serde(default)]
    pub none: Vec<String>,
    /// So many different ones of `of`.
    pub at_least: Option<AtLeast>,
    /// A regular expression.
    pub regex: Option<String>,
    /// Words near each other in one turn.
    pub near: Option<Near>,
    /// Where.
    #[serde(default)]
    pub within: Scope,
}

/// So many different ones.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtLeast {
    /// How many.
    pub count: usize,
    /// Of which.
    pub of: Vec<String>,
}

/// Words near each other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Near {
    /// The words, in any order.
    pub words: Vec<String>,
    /// Within so many characters from the beginning of the first to the end of the last.
    pub characters: usize,
}

/// Names of intents or slots.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// One of these; `*` is any.
    pub any: Vec<String>,
}

/// Longer than so much.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Longer {
    /// Seconds.
    pub longer_than_s: f64,
    /// Between turns of this part.
    #[serde(default)]
    pub within: Scope,
}

/// Speed of speech.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// At least this, in words or Chinese characters a minute.
    pub at_least: Option<f64>,
    /// At most this.
    pub at_most: Option<f64>,
    /// Whose.
    #[serde(default)]
    pub within: Scope,
}

/// The same again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// So often.
    pub at_least: usize,
    /// Whose.
    #[serde(default)]
    pub within: Scope,
}

/// From the customer's last word to the next word of another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseTime {
    /// Whose answer.
    pub by: By,
    /// Each within this, in seconds.
    pub at_most_s: f64,
}

/// A share of the speaking time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TalkRatio {
    /// Whose.
    pub by: By,
    /// At least this share, 0.0 to 1.0.
    pub at_least: Option<f64>,
    /// At most this share.
    pub at_most: Option<f64>,
}

/// A span of time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// At least so many seconds.
    pub at_least_s: Option<f64>,
    /// At most so many seconds.
    pub at_most_s: Option<f64>,
}

/// A fact of the session.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attr {
    /// Its name.
    pub name: String,
    /// It is this.
    pub is: Option<serde_json::Value>,
    /// It is one of these.
    #[serde(default)]
    pub any: Vec<serde_json::Value>,
    /// It is a number of at least this.
    pub at_least: Option<f64>,
    /// It is a number of at most this.
    pub at_most: Option<f64>,
}

/// One after the other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// The steps.
    pub of: Vec<Check>,
    /// From the first to the last within so many seconds.
    pub within_s: Option<f64>,
    /// From the first to the last within so many turns.
    pub within_turns: Option<usize>,
}

/// So many turns.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// What is counted.
    pub of: Box<Check>,
    /// At least.
    pub at_least: Option<usize>,
    /// At most.
    pub at_most: Option<usize>,
}
