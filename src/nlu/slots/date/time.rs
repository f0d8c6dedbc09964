//! Hours and parts of the day: 下午三点半, 差五分十点, "quarter to six", "oh nine hundred".

use super::{Clock, DayPart};
use crate::nlu::slots::lex::{Kind, Piece, any_phrase, phrase};
use crate::nlu::slots::{numeral_en, numeral_zh};

const PARTS: [(&str, DayPart); 27] = [
    ("凌晨", DayPart::Night),
    ("半夜", DayPart::Night),
    ("清晨", DayPart::Morning),
    ("早上", DayPart::Morning),
    ("早晨", DayPart::Morning),
    ("上午", DayPart::Morning),
    ("一早", DayPart::Morning),
    ("中午", DayPart::Noon),
    ("午间", DayPart::Noon),
    ("下午", DayPart::Afternoon),
    ("午后", DayPart::Afternoon),
    ("傍晚", DayPart::Evening),
    ("晚上", DayPart::Evening),
    ("夜里", DayPart::Evening),
    ("晚间", DayPart::Evening),
    ("in the morning", DayPart::Morning),
    ("morning", DayPart::Morning),
    ("a m", DayPart::Morning),
    ("am", DayPart::Morning),
    ("in the afternoon", DayPart::Afternoon),
    ("afternoon", DayPart::Afternoon),
    ("in the evening", DayPart::Evening),
    ("evening", DayPart::Evening),
    ("at night", DayPart::Evening),
    ("pm", DayPart::Afternoon),
    ("p m", DayPart::Afternoon),
    ("lunchtime", DayPart::Noon),
];

/// A part of the day at `i`.
pub(super) fn day_part(pieces: &[Piece], i: usize) -> Option<(DayPart, usize)> {
    PARTS.iter().filter_map(|&(name, part)| phrase(pieces, i, name).map(|n| (part, n))).max_by_key(|&(_, n)| n)
}

/// An hour at `i`; `bare`: a number without a unit is one.
pub(super) fn clock(pieces: &[Piece], i: usize, bare: bool) -> Option<(Clock, usize)> {
    fixed(pieces, i)
        .or_else(|| written(pieces, i))
        .or_else(|| before_the_hour(pieces, i))
        .or_else(|| on_the_dot(pieces, i))
        .or_else(|| military(pieces, i))
        .or_else(|| past_the_hour(pieces, i))
        .or_else(|| english(pieces, i, bare))
}

fn said(hour: f64, minute: f64) -> Option<Clock> {
    let sound = (0.0..=24.0).contains(&hour) && (0.0..60.0).contains(&minute) && hour.fract() == 0.0;
    sound.then_some(Clock { hour: hour as i8 % 24, minute: minute as i8, exact: hour == 0.0 || hour > 12.0 })
}

fn fixed(pieces: &[Piece], i: usize) -> Option<(Clock, usize)> {
    let exact = |hour| Clock { hour, minute: 0, exact: true };
    any_phrase(pieces, i, &["noon", "midday", "正午"])
        .map(|n| (exact(12), n))
        .or_else(|| any_phrase(pieces, i, &["midnight", "午夜"]).map(|n| (exact(0), n)))
}

/// 15:30.
fn written(pieces: &[Piece], i: usize) -> Option<(Clock, usize)> {
    let number = |n: usize| pieces.get(i + n).filter(|piece| piece.kind == Kind::Number).and_then(|piece| piece.text.parse::<f64>().ok());
    if !pieces.get(i + 1).is_some_and(|piece| piece.text == ":" || piece.text == "：") {
        return None;
    }
    let leading_zero = pieces[i].text.starts_with('0');
    let clock = said(number(0)?, number(2)?)?;
    Some((Clock { exact: clock.exact || leading_zero, ..clock }, 3))
}

/// 差五分十点, 差一刻八点.
fn before_the_hour(pieces: &[Piece], i: usize) -> Option<(Clock, usize)> {
    let lead = phrase(pieces, i, "差")?;
    let (mut minutes, n) = numeral_zh::cardinal(pieces, i + lead)?;
    let unit = any_phrase(pieces, i + lead + n, &["分钟", "分", "刻"])?;
    if pieces[i + lead + n].text == "刻" {
        minutes *= 15.0;
    }
    let at = lead + n + unit;
    let (hour, n) = numeral_zh::cardinal(pieces, i + at)?;
    let dot = any_phrase(pieces, i + at + n, &["点钟", "点"])?;
    Some((said(hour - 1.0, 60.0 - minutes)?, at + n + dot))
}

/// 九点半, 八点一刻, 三点二十分, 十点过五分, 十点钟.
fn on_the_dot(pieces: &[Piece], i: usize) -> Option<(Clock, usize)> {
    // 点 is also a decimal point: the hour is read without it.
    let end = (i..pieces.len()).find(|&at| matches!(pieces[at].text.as_str(), "点" | "时"))?;
    let (hour, n) = numeral_zh::cardinal(&pieces[..end], i).filter(|&(_, n)| i + n == end)?;
    let mut n = n + 1 + usize::from(pieces.get(end + 1).is_some_and(|piece| matches!(piece.text.as_str(), "钟" | "整" | "过")));
    if let Some(half) = phrase(pieces, i + n, "半") {
        return Some((said(hour, 30.0)?, n + half));
    }
    let mut minute = 0.0;
    // 零五分
    if let Some((value, length)) = numeral_zh::cardinal(pieces, i + n) {
        let after = pieces.get(i + n + length).map_or("", |piece| piece.text.as_str());
        match after {
            "刻" => (minute, n) = (value * 15.0, n + length + 1),
            "分" => (minute, n) = (value, n + length + 1),
            "到" | "" | "左" | "之" | "以" | "前" | "后" if value >= 5.0 => (minute, n) = (value, n + length),
            _ => {}
        }
    }
    Some((said(hour, minute)?, n))
}

/// "oh nine hundred", "fifteen hundred hours".
fn military(pieces: &[Piece], i: usize) -> Option<(Clock, usize)> {
    let lead = any_phrase(pieces, i, &["oh", "o", "zero"]).unwrap_or(0);
    let at = |n: usize| pieces.get(i + n).map_or("", |piece| piece.text.as_str());
    let (hour, n) = match numeral_en::digit(at(lead)) {
        Some(digit) if lead > 0 => (f64::from(digit), lead + 1),
        _ => numeral_en::cardinal(&pieces[..pieces.len().min(i + 2)], i).filter(|&(hour, _)| hour >= 10.0)?,
    };
    let hundred = any_phrase(pieces, i + n, &["hundred"])?;
    let hours = any_phrase(pieces, i + n + hundred, &["hours"]);
    (lead > 0 || hours.is_some()).then_some(())?;
    Some((Clock { exact: true, ..said(hour, 0.0)? }, n + hundred + hours.unwrap_or(0)))
}

/// "half past nine", "quarter to six", "ten past four".
fn past_the_hour(pieces: &[Piece], i: usize) -> Option<(Clock, usize)> {
    let a = any_phrase(pieces, i, &["a"]).unwrap_or(0);
    let (minutes, n) = match any_phrase(pieces, i + a, &["half", "quarter"]) {
        Some(n) => (if pieces[i + a].text == "half" { 30.0 } else { 15.0 }, a + n),
        None => numeral_en::cardinal(pieces, i).filter(|&(value, _)| value < 60.0)?,
    };
    let minute_word = any_phrase(pieces, i + n, &["minutes", "minute"]).unwrap_or(0);
    let n = n + minute_word;
    let past = any_phrase(pieces, i + n, &["past", "after"]);
    let to = any_phrase(pieces, i + n, &["to", "till", "before"]);
    let (hour, length) = numeral_en::cardinal(pieces, i + n + 1)?;
    let clock = match (past, to) {
        (Some(_), _) => said(hour, minutes)?,
        // "two to four" is a span; to the hour go five, ten, a quarter and the like.
        (None, Some(_)) if minutes % 5.0 == 0.0 && minutes < 45.0 => said(hour - 1.0, 60.0 - minutes)?,
        _ => return None,
    };
    Some((clock, n + 1 + length))
}

/// "three pm", "three thirty", "eight o'clock"; bare after "at".
fn english(pieces: &[Piece], i: usize, bare: bool) -> Option<(Clock, usize)> {
    let (hour, mut n) = numeral_en::cardinal(&pieces[..pieces.len().min(i + 1)], i)?;
    let mut minute = 0.0;
    if let Some((value, length)) = numeral_en::cardinal(pieces, i + n).filter(|&(value, _)| (10.0..60.0).contains(&value)) {
        (minute, n) = (value, n + length);
    }
    let clock = any_phrase(pieces, i + n, &["o'clock", "o clock"]);
    let marked = any_phrase(pieces, i + n, &["am", "pm", "a m", "p m", "in the morning", "in the afternoon", "in the evening", "at night"]);
    let other_unit = any_phrase(pieces, i + n, &["hours", "hour", "minutes", "days", "day", "weeks", "week", "dollars", "people"]);
    (bare && other_unit.is_none() || clock.is_some() || marked.is_some()).then_some(())?;
    Some((said(hour, minute)?, n + clock.unwrap_or(0)))
}
