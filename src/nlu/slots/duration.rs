//! Lengths of time: 三个半小时, 两周, an hour and a half, ten business days.

use super::lex::{Piece, phrase, span};
use super::{Found, numeral_en, numeral_zh, plain};

/// What a unit is of: days, or a part of a day in minutes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Unit {
    Years,
    Months,
    Weeks,
    Days,
    BusinessDays,
    Hours,
    Minutes,
    Seconds,
}

const UNITS: [(&str, Unit); 34] = [
    ("年", Unit::Years),
    ("个月", Unit::Months),
    ("月", Unit::Months),
    ("个星期", Unit::Weeks),
    ("星期", Unit::Weeks),
    ("个礼拜", Unit::Weeks),
    ("礼拜", Unit::Weeks),
    ("周", Unit::Weeks),
    ("个工作日", Unit::BusinessDays),
    ("工作日", Unit::BusinessDays),
    ("天", Unit::Days),
    ("个小时", Unit::Hours),
    ("小时", Unit::Hours),
    ("个钟头", Unit::Hours),
    ("钟头", Unit::Hours),
    ("分钟", Unit::Minutes),
    ("分", Unit::Minutes),
    ("秒钟", Unit::Seconds),
    ("秒", Unit::Seconds),
    ("years", Unit::Years),
    ("year", Unit::Years),
    ("months", Unit::Months),
    ("month", Unit::Months),
    ("weeks", Unit::Weeks),
    ("week", Unit::Weeks),
    ("business days", Unit::BusinessDays),
    ("working days", Unit::BusinessDays),
    ("days", Unit::Days),
    ("day", Unit::Days),
    ("hours", Unit::Hours),
    ("hour", Unit::Hours),
    ("minutes", Unit::Minutes),
    ("minute", Unit::Minutes),
    ("seconds", Unit::Seconds),
];

/// A length at `i`: value, unit, pieces.
pub(super) fn at(pieces: &[Piece], i: usize) -> Option<(f64, Unit, usize)> {
    let word = |n: usize| pieces.get(i + n).map_or("", |piece| piece.text.as_str());
    let unit = |n: usize| {
        UNITS.iter().filter_map(|&(name, unit)| phrase(pieces, i + n, name).map(|length| (unit, length))).max_by_key(|&(_, length)| length)
    };
    // 半个小时, half an hour, half a day
    if let Some(n) = ["half an", "half a", "半个", "半"].iter().find_map(|half| phrase(pieces, i, half)) {
        return unit(n).map(|(unit, length)| (0.5, unit, n + length));
    }
    // 一刻钟
    if let Some(n) = phrase(pieces, i, "一刻钟").or_else(|| phrase(pieces, i, "a quarter of an hour")) {
        return Some((15.0, Unit::Minutes, n));
    }
    let (mut value, mut n) = match numeral_zh::cardinal(pieces, i).or_else(|| numeral_en::cardinal(pieces, i)) {
        Some(number) => number,
        None if matches!(word(0), "a" | "an") => (1.0, 1),
        None => phrase(pieces, i, "a couple of").map(|n| (2.0, n))?,
    };
    if let Some(half) = phrase(pieces, i + n, "and a half").or_else(|| phrase(pieces, i + n, "个半")) {
        value += 0.5;
        n += half;
    }
    let (unit, length) = unit(n)?;
    n += length;
    // "an hour and a half", 一天半
    if let Some(half) = phrase(pieces, i + n, "and a half").or_else(|| phrase(pieces, i + n, "半")) {
        value += 0.5;
        n += half;
    }
    Some((value, unit, n))
}

/// The first length, with what follows it directly (两小时三十分).
pub(super) fn find(pieces: &[Piece]) -> Option<Found> {
    let (start, mut parts, mut n) = (0..pieces.len()).find_map(|i| at(pieces, i).map(|(value, unit, n)| (i, vec![(value, unit)], n)))?;
    loop {
        let and = usize::from(pieces.get(start + n).is_some_and(|piece| matches!(piece.text.as_str(), "and" | "零" | "又")));
        let Some((value, unit, more)) = at(pieces, start + n + and) else { break };
        parts.push((value, unit));
        n += and + more;
    }
    Some(Found::new(iso(&parts), span(&pieces[start..start + n])))
}

/// ISO 8601; business days as `BD`.
fn iso(parts: &[(f64, Unit)]) -> String {
    let (mut date, mut minutes, mut seconds) = (String::new(), 0.0, 0.0);
    for &(value, unit) in parts {
        match unit {
            Unit::Years => date += &(plain(value) + "Y"),
            Unit::Months => date += &(plain(value) + "M"),
            Unit::Weeks => date += &(plain(value * 7.0) + "D"),
            Unit::Days if value.fract() == 0.0 => date += &(plain(value) + "D"),
            Unit::Days => minutes += value * 24.0 * 60.0,
            Unit::BusinessDays => date += &(plain(value) + "BD"),
            Unit::Hours => minutes += value * 60.0,
            Unit::Minutes => minutes += value,
            Unit::Seconds => seconds += value,
        }
    }
    let mut text = format!("P{date}");
    let (hours, rest) = ((minutes / 60.0_f64).floor(), minutes % 60.0);
    if minutes > 0.0 || seconds > 0.0 {
        text.push('T');
    }
    for (value, sign) in [(hours, 'H'), (rest, 'M'), (seconds, 'S')] {
        if value > 0.0 {
            text += &plain(value);
            text.push(sign);
        }
    }
    text
}
