//! Values in what people say: one place between the slots of a plan and `nlu`.

use serde_json::Value;

use super::plan::{Choices, Slot, SlotType};
use crate::control::words::Lang;
use crate::nlu::slots::{self, Kind};

/// What a sentence gave for a slot.
#[derive(Clone, PartialEq, Debug)]
pub enum Found {
    /// A value.
    Value(Value),
    /// "The number I am calling from."
    CallerId,
    /// A value of the wrong form.
    Wrong,
    /// "I don't know."
    Unknown,
    /// Nothing of the kind.
    Nothing,
}

/// Where a value is looked for.
pub struct Search<'s> {
    /// The words.
    pub text: &'s str,
    /// The language.
    pub lang: &'s Lang,
    /// The moment where the center is, for dates.
    pub local: jiff::civil::DateTime,
    /// Items of a choice from a list.
    pub items: &'s [Value],
}

impl Search<'_> {
    fn context(&self) -> slots::Context<'_> {
        slots::Context { now: self.local, lang: self.lang.speech(), currency: None }
    }
}

/// Looks for a slot's value.
#[must_use]
pub fn find(slot: &Slot, search: &Search<'_>) -> Found {
    const MOST_DIGITS: usize = 32;
    let kind = match slot.kind {
        SlotType::Text | SlotType::Recording => return Found::Value(search.text.into()),
        SlotType::Choice => return choice(slot, search),
        SlotType::Digits => {
            let (min, max) = slot.length.unwrap_or((1, MOST_DIGITS));
            Kind::Digits { min, max }
        }
        SlotType::Code => Kind::Code,
        SlotType::Phone => Kind::Phone,
        SlotType::PlateCn => Kind::Plate,
        SlotType::Date | SlotType::DateTime => Kind::Date,
        SlotType::Money => Kind::Money,
        SlotType::Number => Kind::Number,
        SlotType::Age => Kind::Age,
        SlotType::Name => Kind::Name,
        SlotType::Email => Kind::Email,
        SlotType::Duration => Kind::Duration,
        SlotType::YesNo => Kind::YesNo,
        SlotType::IdCn => Kind::Identity,
        SlotType::Card => Kind::Card,
    };
    match slots::find(kind, search.text, &search.context()) {
        Ok(found) if found.text == slots::CALLER_ID => Found::CallerId,
        Ok(found) => sized(slot, typed(kind, found)),
        Err(slots::Miss::Absent) if slot.kind == SlotType::Name => Found::Value(search.text.into()),
        Err(slots::Miss::Absent) => Found::Nothing,
        Err(slots::Miss::Invalid { .. }) => Found::Wrong,
    }
}

/// Sums and quantities are numbers, yes and no booleans, all else text.
fn typed(kind: Kind, found: slots::Found) -> Value {
    match (kind, found.number) {
        (Kind::YesNo, _) => (found.text == "yes").into(),
        (Kind::Money | Kind::Number, Some(number)) => as_said(number),
        (Kind::Age, Some(years)) => as_said(years),
        _ => found.text.into(),
    }
}

/// Five is 5, not 5.0: that is how it is read back, compared and sent.
#[must_use]
pub fn as_said(number: f64) -> Value {
    /// From here on not every whole number has a place of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT { (number as i64).into() } else { number.into() }
}

/// The answer to a question for an age may be the bare number.
#[must_use]
pub fn bare_age(search: &Search<'_>) -> Found {
    let number = slots::find(Kind::Number, search.text, &search.context()).ok().and_then(|found| found.number);
    number.map_or(Found::Nothing, |years| Found::Value(as_said(years.floor())))
}

/// Does a value of this kind stand out in a free sentence?
#[must_use]
pub fn stands_out(slot: &Slot) -> bool {
    !matches!(slot.kind, SlotType::Text | SlotType::Recording | SlotType::Name | SlotType::YesNo | SlotType::Number | SlotType::Code)
        && !matches!(slot.choices, Choices::List(..))
}

/// What a sentence says of these slots by itself, each word counting for one of them.
#[must_use]
pub fn told(slots: &[(&String, &Slot)], search: &Search<'_>) -> Vec<(String, Value)> {
    let (fixed, open): (Vec<_>, Vec<_>) = slots.iter().copied().partition(|(_, slot)| matches!(slot.choices, Choices::Fixed(_)));
    let mut values: Vec<(String, Value)> = closed(&fixed, None, search).into_iter().map(|(name, value)| (name.clone(), value)).collect();
    for (name, slot) in open.into_iter().filter(|(_, slot)| stands_out(slot)) {
        if let Found::Value(value) = find(slot, search) {
            values.push((name.clone(), value));
        }
    }
    values
}

fn sized(slot: &Slot, value: Value) -> Found {
    let length = super::expr::plain(&value).chars().count();
    match slot.length {
        Some((least, most)) if !(least..=most).contains(&length) => Found::Wrong,
        _ => Found::Value(value),
    }
}

/// Yes, no, or neither.
#[must_use]
pub fn yes_no(text: &str, search: &Search<'_>) -> Option<bool> {
    slots::find(Kind::YesNo, text, &search.context()).ok().map(|found| found.text == "yes")
}

/// 嗯, ok: the listener nods.
#[must_use]
pub fn is_backchannel(text: &str) -> bool {
    const NODS: [&str; 16] = ["嗯", "啊", "哦", "噢", "喔", "唔", "呃", "嗯嗯", "ok", "okay", "uh", "uh huh", "mm", "mhm", "hm", "um"];
    let bare: String = text.chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect::<String>().to_lowercase();
    bare.trim().is_empty() || NODS.contains(&bare.trim())
}

/// 你好, hello: it is said to be said, and asks for nothing.
#[must_use]
pub fn is_greeting(text: &str) -> bool {
    const GREETINGS: [&str; 18] = [
        "喂",
        "喂喂",
        "你好",
        "您好",
        "喂你好",
        "喂您好",
        "你好啊",
        "在吗",
        "有人吗",
        "早上好",
        "hello",
        "hello hello",
        "hi",
        "hi there",
        "hey",
        "good morning",
        "good afternoon",
        "good evening",
    ];
    GREETINGS.contains(&plain_words(text).as_str()) || GREETINGS.contains(&plain_words(text).replace(' ', "").as_str())
}

/// Is it one of these phrases, and none of them goes on from there?
#[must_use]
pub fn is_whole(text: &str, phrases: &[String]) -> bool {
    let text = plain_words(text);
    let Some(first) = text.chars().next() else { return false };
    let begins = |phrase: &&String| phrase.chars().next().is_some_and(|c| c.to_lowercase().eq(first.to_lowercase()));
    let mut is_one = false;
    for phrase in phrases.iter().filter(begins) {
        match plain_words(phrase).strip_prefix(text.as_str()) {
            Some("") => is_one = true,
            Some(_) => return false,
            None => {}
        }
    }
    is_one
}

/// Is it a value of a slot that can have no more signs?
#[must_use]
pub fn is_full(slot: &Slot, search: &Search<'_>) -> bool {
    match (&slot.kind, &slot.choices, slot.length) {
        (SlotType::Digits, _, Some((_, most))) => {
            matches!(find(slot, search), Found::Value(value) if super::expr::plain(&value).chars().count() == most)
        }
        (SlotType::Phone | SlotType::Card | SlotType::IdCn, ..) => matches!(find(slot, search), Found::Value(_)),
        (SlotType::Choice, Choices::Fixed(values), _) => {
            let words = values.iter().flat_map(|choice| choice.words.get(search.lang).into_iter().flatten().chain([&choice.value]));
            is_whole(search.text, &words.cloned().collect::<Vec<_>>())
        }
        _ => false,
    }
}

/// A mark from 1 to 5.
#[must_use]
pub fn mark(search: &Search<'_>) -> Option<u8> {
    let number = slots::find(Kind::Number, search.text, &search.context()).ok().and_then(|found| found.number)?;
    (1u8..=5).find(|mark| f64::from(*mark) == number)
}

/// "The second one", or the option's name: its index.
#[must_use]
pub fn which(text: &str, labels: &[String]) -> Option<usize> {
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    slots::choose(text, &labels).filter(|at| *at < labels.len())
}

/// The words of a fixed choice in a sentence, the longest first among all slots: what one slot takes, another cannot
/// ("medium roast" is no size).
#[must_use]
pub fn closed<'n>(slots: &[(&'n String, &Slot)], taken: Option<&str>, search: &Search<'_>) -> Vec<(&'n String, Value)> {
    let mut rest = plain_words(search.text);
    let mut open: Vec<&(&'n String, &Slot)> = slots.iter().collect();
    let mut found = Vec::new();
    if let Some(words) = taken {
        rest = without(&rest, words);
    }
    loop {
        let here = Search { text: &rest, lang: search.lang, local: search.local, items: &[] };
        let best = open.iter().enumerate().filter_map(|(at, (_, slot))| Some((at, words_of(slot, &here)?)));
        let Some((at, words)) = best.max_by_key(|(at, words)| (words.chars().count(), std::cmp::Reverse(*at))) else { return found };
        let (name, slot) = open.remove(at);
        if let Found::Value(value) = choice(slot, &here) {
            found.push((*name, value));
        }
        rest = without(&rest, &words);
    }
}

fn without(text: &str, words: &str) -> String {
    format!(" {text} ").replacen(&format!(" {words} "), " | ", 1).replacen(words, "|", usize::from(!words.is_ascii()))
}

/// The words that name a fixed choice in the sentence.
#[must_use]
pub fn words_of(slot: &Slot, search: &Search<'_>) -> Option<String> {
    let Choices::Fixed(values) = &slot.choices else { return None };
    let text = format!(" {} ", plain_words(search.text));
    let words = values.iter().flat_map(|choice| {
        let said = choice.words.get(search.lang).into_iter().flatten().map(String::as_str);
        said.chain(std::iter::once(choice.value.as_str())).map(plain_words)
    });
    words.filter(|word| !word.is_empty() && holds(&text, word)).max_by_key(|word| word.chars().count())
}

fn choice(slot: &Slot, search: &Search<'_>) -> Found {
    match &slot.choices {
        Choices::Fixed(values) => {
            let words = values.iter().map(|choice| {
                let said = choice.words.get(search.lang).into_iter().flatten().map(String::as_str);
                said.chain(std::iter::once(choice.value.as_str())).collect::<Vec<_>>()
            });
            match longest(search.text, &words.collect::<Vec<_>>()) {
                Some(at) => Found::Value(values[at].value.clone().into()),
                None => Found::Nothing,
            }
        }
        Choices::List(list) => {
            let titles: Vec<String> =
                search.items.iter().map(|item| item.get(&list.label).map(super::expr::plain).unwrap_or_default()).collect();
            let words: Vec<Vec<&str>> = titles.iter().map(|title| vec![title.as_str()]).collect();
            let at = longest(search.text, &words).or_else(|| which(search.text, &titles)).or_else(|| overlapping(search.text, &titles));
            at.map_or(Found::Nothing, |at| Found::Value(search.items[at].clone()))
        }
        Choices::None => Found::Nothing,
    }
}

/// "Neither of them", to something that was offered.
#[must_use]
pub fn is_none_of_them(search: &Search<'_>) -> bool {
    slots::find(Kind::Choice, search.text, &search.context()).is_ok_and(|found| found.text == "0")
}

/// The choice with the longest words in the sentence, words being whole in Latin script.
fn longest(text: &str, choices: &[Vec<&str>]) -> Option<usize> {
    let text = format!(" {} ", plain_words(text));
    let length = |words: &Vec<&str>| {
        let found = words.iter().filter(|word| !word.trim().is_empty() && holds(&text, &plain_words(word)));
        found.map(|word| word.chars().count()).max()
    };
    let best = choices.iter().enumerate().filter_map(|(at, words)| Some((length(words)?, std::cmp::Reverse(at))));
    best.max().map(|(_, std::cmp::Reverse(at))| at)
}

fn plain_words(text: &str) -> String {
    let kept: String = text.to_lowercase().chars().map(|c| if c.is_alphanumeric() || matches!(c, '\'' | '|') { c } else { ' ' }).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn holds(text: &str, word: &str) -> bool {
    if word.chars().any(|c| c.is_ascii_alphabetic()) { text.contains(&format!(" {word} ")) } else { text.contains(word) }
}

/// The title that shares the most with the sentence, when one does so alone.
fn overlapping(text: &str, titles: &[String]) -> Option<usize> {
    let shared = |title: &String| title.chars().filter(|c| c.is_alphanumeric() && text.contains(*c)).count();
    let mut counts: Vec<(usize, usize)> = titles.iter().enumerate().map(|(at, title)| (shared(title), at)).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    match counts.as_slice() {
        [(best, at), (second, _), ..] if *best >= 2 && best > second => Some(*at),
        [(best, at)] if *best >= 2 => Some(*at),
        _ => None,
    }
}

/// "I don't know."
#[must_use]
pub fn is_unknown(text: &str) -> bool {
    const WORDS: [&str; 12] =
        ["不知道", "不清楚", "不记得", "忘了", "没有", "跳过", "don't know", "do not know", "no idea", "not sure", "skip", "forgot"];
    let lower = text.to_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

/// A phone number that is asked for outside of any plan's slots.
#[must_use]
pub fn phone_slot() -> Slot {
    Slot {
        kind: SlotType::Phone,
        length: None,
        from: None,
        ask: super::plan::Texts::default(),
        readback: super::plan::Readback::No,
        need: super::plan::Need::Required,
        mask: super::plan::Mask::Open,
        max: std::time::Duration::ZERO,
        choices: Choices::None,
        valid: None,
        tries: None,
        hints: std::collections::BTreeMap::new(),
    }
}
