//! The vocabulary shared with the edges: ids, commands, events. Plain data; no rule, no I/O.

pub mod agent;
pub mod chat;
pub mod decision;
pub mod directory;
pub mod guard;
pub mod ice;
pub mod id;
pub mod live;
pub mod lookup;
pub mod media;
pub mod net;
pub mod outbound;
pub mod phone;
pub mod pressure;
pub mod seen;
pub mod sip;
pub mod speech;
pub mod srtp;
pub mod suggestion;
pub mod ticket;
pub mod trunk;

pub use id::*;

/// A BCP 47 language tag as the plan writes it: `zh-CN`, `en-US`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Lang(pub std::sync::Arc<str>);

impl Lang {
    /// Makes a tag from text as it is.
    #[must_use]
    pub fn new(tag: &str) -> Lang {
        Lang(tag.into())
    }

    /// The primary subtag: `zh` of `zh-CN`.
    #[must_use]
    pub fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }

    /// Whose sentences, numbers and dates it has: the languages of China share those of `zh`, all else has its primary subtag.
    #[must_use]
    pub fn speech(&self) -> &str {
        match self.primary() {
            "yue" | "cmn" | "wuu" | "hak" | "nan" => "zh",
            other => other,
        }
    }
}

impl std::fmt::Display for Lang {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
