//! Values in a sentence: what a caller says becomes what a plan can use.
//!
//! Each kind has its own grammar over the pieces of a sentence; zh and en may be mixed in one sentence.

mod age;
mod choice;
mod code;
mod date;
mod digits;
mod duration;
mod email;
mod holidays;
mod lex;
mod money;
mod name;
mod number;
mod numeral_en;
mod numeral_zh;
pub(crate) mod secrets;
mod yes_no;

use std::ops::Range;

use jiff::civil::DateTime;

pub use choice::choose;
pub(crate) use code::{is_identity, luhn};

/// What kind of value is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A phone number: `13800138000`, `+14155552671`; [`CALLER_ID`] when he means the one he calls from.
    Phone,
    /// Digits only, so many of them.
    Digits {
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
    },
    /// Digits, letters and dashes: `AB7709`, `PL-2000000`.
    Code,
    /// A Chinese licence plate: `京A12345`, new energy `沪AD38806`.
    Plate,
    /// A bank card (Luhn).
    Card,
    /// A Chinese identity number (ISO 7064 mod 11-2).
    Identity,
    /// A quantity: `2.5`, `3.5%`.
    Number,
    /// Somebody's age in whole years, when it is said to be one: `5` of "5岁".
    Age,
    /// An amount: `52.3 CNY`.
    Money,
    /// A date, a time or a span: `2026-03-19`, `2026-03-19T15:00`, `…/…` (ISO 8601).
    Date,
    /// A length of time: `PT3H30M`, business days `P10BD` (ISO 8601).
    Duration,
    /// `yes` or `no`.
    YesNo,
    /// The place of an option: `2`, `-1` the last, `0` none of them.
    Choice,
    /// A person's name.
    Name,
    /// An e-mail address.
    Email,
}

/// What the grammars need to know besides the sentence.
#[derive(Clone, PartialEq, Debug)]
pub struct Context<'a> {
    /// The local date and time where the caller is taken to be.
    pub now: DateTime,
    /// The language of the call, by its primary subtag: decides what a bare sum is in.
    pub lang: &'a str,
    /// ISO 4217 code of a sum without a currency; by language where `None` (zh CNY, en USD).
    pub currency: Option<&'a str>,
}

/// The caller means the number he calls from.
pub const CALLER_ID: &str = "CALLER_ID";

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// Its one written form, as [`Kind`] shows it.
    pub text: String,
    /// The number in it, where there is one: an amount, a quantity, a choice.
    pub number: Option<f64>,
    /// Its bytes in the sentence.
    pub at: Range<usize>,
}

impl Found {
    fn new(text: impl Into<String>, at: Range<usize>) -> Found {
        Found { text: text.into(), number: None, at }
    }

    fn numbered(text: impl Into<String>, number: f64, at: Range<usize>) -> Found {
        Found { text: text.into(), number: Some(number), at }
    }
}

/// Why there is no value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Miss {
    /// Nothing of the kind was said.
    #[error("nothing of that kind was said")]
    Absent,
    /// Something was heard that cannot be right: ask again, reading back what was heard.
    #[error("{heard} was heard, but {why}")]
    Invalid {
        /// What was heard.
        heard: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Finds a value of a kind in a sentence.
///
/// # Errors
/// [`Miss`]: nothing was said, or what was heard does not hold.
pub fn find(kind: Kind, text: &str, context: &Context<'_>) -> Result<Found, Miss> {
    let pieces = lex::pieces(text);
    match kind {
        Kind::Phone => code::phone(&pieces),
        Kind::Digits { min, max } => code::digits(&pieces, min, max),
        Kind::Code => code::code(&pieces),
        Kind::Plate => code::plate(&pieces),
        Kind::Card => code::card(&pieces),
        Kind::Identity => code::identity(&pieces),
        Kind::Number => number::find(&pieces).ok_or(Miss::Absent),
        Kind::Age => age::find(&pieces).ok_or(Miss::Absent),
        Kind::Money => money::find(&pieces, context).ok_or(Miss::Absent),
        Kind::Date => date::find(&pieces, context.now).ok_or(Miss::Absent),
        Kind::Duration => duration::find(&pieces).ok_or(Miss::Absent),
        Kind::YesNo => yes_no::find(&pieces).ok_or(Miss::Absent),
        Kind::Choice => choice::place(&pieces).ok_or(Miss::Absent),
        Kind::Name => name::find(&pieces).ok_or(Miss::Absent),
        Kind::Email => email::find(&pieces),
    }
}

/// A number without needless zeros: 52.3, 300.
fn plain(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
