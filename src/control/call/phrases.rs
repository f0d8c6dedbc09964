//! The few sentences the center says by itself while somebody waits in a line; everything else is a plan's.

use crate::control::words::Lang;
use crate::control::words::media::Prompt;

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phrase {
    /// So many wait before him.
    Ahead(usize),
    /// The callback offer.
    OfferCallback,
    /// It was taken.
    CallbackTaken,
}

/// The phrase in the nearest language we speak.
#[must_use]
pub fn prompt(phrase: Phrase, lang: &Lang) -> Prompt {
    let chinese = lang.speech() == "zh";
    let (id, text) = match (phrase, chinese) {
        (Phrase::Ahead(0), true) => ("queue_next", "您是下一位，请稍候。".to_owned()),
        (Phrase::Ahead(0), false) => ("queue_next", "You are next in line.".to_owned()),
        (Phrase::Ahead(n), true) => ("", format!("您前面还有{n}位，请稍候。")),
        (Phrase::Ahead(n), false) => ("", format!("There are {n} callers ahead of you.")),
        (Phrase::OfferCallback, true) => ("callback_offer", "如果不想等待，请按1，我们会尽快给您回电。".to_owned()),
        (Phrase::OfferCallback, false) => ("callback_offer", "If you would rather be called back, press 1.".to_owned()),
        (Phrase::CallbackTaken, true) => ("callback_taken", "好的，我们会尽快给您回电，再见。".to_owned()),
        (Phrase::CallbackTaken, false) => ("callback_taken", "Thank you. We will call you back. Goodbye.".to_owned()),
    };
    Prompt::Text { id: (!id.is_empty()).then(|| id.to_owned()), text, lang: lang.clone() }
}
