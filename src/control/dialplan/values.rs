//! Values in what people say: one place between the slots of a plan and `nlu`.

use serde_json::Value;

use super::plan::{Choices, Slot, SlotType};
use crate::control::time::Time;
use crate::control::words::Lang;
use crate::nlu::packs::Pack;

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
    /// The moment, for dates.
    pub now: Time,
    /// Items of a choice from a list.
    pub items: &'s [Value],
}

/// Looks for a slot's value.
#[must_use]
pub fn find(slot: &Slot, search: &Search<'_>) -> Found {
    let text = search.text;
    match slot.kind {
        SlotType::Digits | SlotType::Card => sized(slot, digits(text)),
        SlotType::Phone => match digits(text) {
            number if (7..=15).contains(&number.len()) => Found::Value(number.into()),
            number if number.is_empty() && is_caller_id(text) => Found::CallerId,
            number if number.is_empty() => Found::Nothing,
            _ => Found::Wrong,
        },
        SlotType::PlateCn => plate(text).map_or(Found::Nothing, |plate| Found::Value(plate.into())),
        SlotType::YesNo => yes_no(text, search.lang.primary()).map_or(Found::Nothing, |yes| Found::Value(yes.into())),
        SlotType::Choice => choice(slot, search),
        SlotType::Text | SlotType::Recording | SlotType::Name => Found::Value(text.into()),
        _ => Found::Nothing,
    }
}

fn sized(slot: &Slot, digits: String) -> Found {
    if digits.is_empty() {
        return Found::Nothing;
    }
    match slot.length {
        Some((least, most)) if !(least..=most).contains(&digits.len()) => Found::Wrong,
        _ => Found::Value(digits.into()),
    }
}

fn digits(text: &str) -> String {
    const ZH: &str = "零一二三四五六七八九";
    let digit = |c: char| match c {
        '0'..='9' => Some(c),
        '幺' => Some('1'),
        '两' => Some('2'),
        '洞' | '〇' => Some('0'),
        '拐' => Some('7'),
        '勾' => Some('9'),
        _ => ZH.chars().position(|zh| zh == c).and_then(|at| char::from_digit(u32::try_from(at).unwrap_or(0), 10)),
    };
    text.chars().filter_map(digit).collect()
}

fn plate(text: &str) -> Option<String> {
    const PROVINCES: &str = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼";
    let chars: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let start = chars.iter().position(|c| PROVINCES.contains(*c))?;
    let rest: String = chars[start + 1..].iter().flat_map(|c| c.to_uppercase()).collect();
    let body: String = rest.chars().map_while(|c| if c.is_ascii_alphanumeric() { Some(c) } else { digits(&c.to_string()).chars().next() }).collect();
    (body.len() == 6 || body.len() == 7).then(|| format!("{}{body}", chars[start]))
}

fn is_caller_id(text: &str) -> bool {
    ["来电", "这个号码", "calling from", "this number"].iter().any(|words| text.contains(words))
}

/// Yes, no, or neither.
#[must_use]
pub fn yes_no(text: &str, lang: &str) -> Option<bool> {
    let bare: String = text.chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect::<String>().to_lowercase();
    let is = |pack: Pack| pack.phrases(lang).chain(pack.phrases("en")).any(|phrase| phrase.eq_ignore_ascii_case(bare.trim()));
    if is(Pack::No) {
        return Some(false);
    }
    is(Pack::Yes).then_some(true)
}

/// 嗯, ok: the listener nods.
#[must_use]
pub fn is_backchannel(text: &str) -> bool {
    const NODS: [&str; 16] = ["嗯", "啊", "哦", "噢", "喔", "唔", "呃", "嗯嗯", "ok", "okay", "uh", "uh huh", "mm", "mhm", "hm", "um"];
    let bare: String = text.chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect::<String>().to_lowercase();
    bare.trim().is_empty() || NODS.contains(&bare.trim())
}

/// A mark from 1 to 5.
#[must_use]
pub fn mark(text: &str, _lang: &str) -> Option<u8> {
    const WORDS: [(&str, u8); 6] = [("one", 1), ("two", 2), ("three", 3), ("four", 4), ("five", 5), ("满意", 5)];
    let digits = digits(text);
    let number = if digits.len() == 1 { digits.parse().ok() } else { None };
    let word = || WORDS.iter().find(|(word, _)| text.to_lowercase().contains(word)).map(|(_, mark)| *mark);
    number.or_else(word).filter(|mark| (1..=5).contains(mark))
}

/// "The second one" of so many: its index.
#[must_use]
pub fn ordinal(text: &str, of: usize) -> Option<usize> {
    const EN: [&str; 6] = ["first", "second", "third", "fourth", "fifth", "sixth"];
    let lower = text.to_lowercase();
    let en = EN.iter().position(|word| lower.contains(word));
    let zh = text.find('第').and_then(|at| digits(&text[at..]).chars().next()).and_then(|c| c.to_digit(10)).and_then(|n| usize::try_from(n).ok());
    let last = (lower.contains("last") || text.contains("最后")).then(|| of.wrapping_sub(1));
    let index = en.or_else(|| zh.map(|n| n.wrapping_sub(1))).or(last);
    index.filter(|index| *index < of)
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
                None => ordinal(search.text, values.len()).map_or(Found::Nothing, |at| Found::Value(values[at].value.clone().into())),
            }
        }
        Choices::List(_, label) => {
            let titles: Vec<String> = search.items.iter().map(|item| item.get(label).map(super::expr::plain).unwrap_or_default()).collect();
            let words: Vec<Vec<&str>> = titles.iter().map(|title| vec![title.as_str()]).collect();
            let at = longest(search.text, &words).or_else(|| ordinal(search.text, titles.len())).or_else(|| overlapping(search.text, &titles));
            at.map_or(Found::Nothing, |at| Found::Value(search.items[at].clone()))
        }
        Choices::None => Found::Nothing,
    }
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
    let kept: String = text.to_lowercase().chars().map(|c| if c.is_alphanumeric() || c == '\'' { c } else { ' ' }).collect();
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
    const WORDS: [&str; 12] = [
        "不知道", "不清楚", "不记得", "忘了", "没有", "跳过", "don't know", "do not know", "no idea", "not sure", "skip", "forgot",
    ];
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
