//! Days: 大后天, 下周一, 月底, 三月二十五号, 五一, "next monday", "the third of april".

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::{DayPart, Part};
use crate::nlu::slots::lex::{Kind, Piece, any_phrase, phrase};
use crate::nlu::slots::{holidays, numeral_en, numeral_zh};

/// A word, its distance from today, and the part of the day in it.
const NEAR: [(&str, i64, Option<DayPart>); 36] = [
    ("今天", 0, None),
    ("今日", 0, None),
    ("今早", 0, Some(DayPart::Morning)),
    ("今晚", 0, Some(DayPart::Evening)),
    ("明天", 1, None),
    ("明日", 1, None),
    ("明早", 1, Some(DayPart::Morning)),
    ("明晚", 1, Some(DayPart::Evening)),
    ("后天", 2, None),
    ("大后天", 3, None),
    ("昨天", -1, None),
    ("昨日", -1, None),
    ("昨晚", -1, Some(DayPart::Evening)),
    ("前天", -2, None),
    ("大前天", -3, None),
    ("today", 0, None),
    ("tonight", 0, Some(DayPart::Evening)),
    ("this morning", 0, Some(DayPart::Morning)),
    ("this afternoon", 0, Some(DayPart::Afternoon)),
    ("this evening", 0, Some(DayPart::Evening)),
    ("tomorrow", 1, None),
    ("the day after tomorrow", 2, None),
    ("day after tomorrow", 2, None),
    ("yesterday", -1, None),
    ("last night", -1, Some(DayPart::Evening)),
    ("the day before yesterday", -2, None),
    ("day before yesterday", -2, None),
    ("下周", 7, None),
    ("下个星期", 7, None),
    ("下星期", 7, None),
    ("上周", -7, None),
    ("next week", 7, None),
    ("last week", -7, None),
    ("a fortnight from today", 14, None),
    ("a week today", 7, None),
    ("a week tomorrow", 8, None),
];
const MONTHS: [&str; 12] =
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// What moves a week or a month: 下下 two on, 上 one back.
const SHIFTS: [(&str, i64); 10] =
    [("上上", -2), ("上", -1), ("这", 0), ("本", 0), ("下", 1), ("下下", 2), ("last", -1), ("this", 0), ("coming", 0), ("next", 1)];

/// What day stands at `i`.
pub(super) fn read(pieces: &[Piece], i: usize, today: Date) -> Option<(Vec<Part>, usize)> {
    let one = |found: Option<(Date, usize)>| found.map(|(day, n)| (vec![Part::Day(day)], n));
    week(pieces, i, today)
        .or_else(|| one(month_edge(pieces, i, today)))
        .or_else(|| one(day_of_month_zh(pieces, i, today)))
        .or_else(|| one(written(pieces, i)))
        .or_else(|| one(month_day_en(pieces, i, today)))
        .or_else(|| near(pieces, i, today))
        .or_else(|| one(holiday(pieces, i, today)))
}

fn near(pieces: &[Piece], i: usize, today: Date) -> Option<(Vec<Part>, usize)> {
    let found = NEAR.iter().filter_map(|&(word, days, part)| phrase(pieces, i, word).map(|n| (days, part, n)));
    let (days, part, n) = found.max_by_key(|&(.., n)| n)?;
    let day = today.checked_add(days.days()).ok()?;
    Some(([Part::Day(day)].into_iter().chain(part.map(Part::DayPart)).collect(), n))
}

/// 上/这/下 and how many pieces; 个 after it belongs to it.
fn shift(pieces: &[Piece], i: usize) -> Option<(i64, usize)> {
    let found = SHIFTS.iter().filter_map(|&(word, by)| phrase(pieces, i, word).map(|n| (by, n)));
    let (by, n) = found.max_by_key(|&(_, n)| n)?;
    Some((by, n + usize::from(pieces.get(i + n).is_some_and(|piece| piece.text == "个"))))
}

fn monday_of(day: Date) -> Option<Date> {
    day.checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days()).ok()
}

/// 下周三, 周六, 周末, "next monday", "on saturday".
fn week(pieces: &[Piece], i: usize, today: Date) -> Option<(Vec<Part>, usize)> {
    let (by, lead) = shift(pieces, i).map_or((None, 0), |(by, n)| (Some(by), n));
    let at = i + lead;
    let name = pieces.get(at)?.text.as_str();
    if let Some(index) = WEEKDAYS.iter().position(|&weekday| weekday == name || name.len() == 3 && weekday.starts_with(name)) {
        // "last sunday" is the one just gone, "this friday" of this week, "friday" the next to come.
        let day = match by {
            Some(-1) => before(today, index)?,
            by => weekday(today, by, index)?,
        };
        return Some((vec![Part::Day(day)], lead + 1));
    }
    let named = any_phrase(pieces, at, &["周", "星期", "礼拜"]);
    let weekend = phrase(pieces, at, "weekend").map(|n| (n, "末"));
    let (n, which) = weekend.or_else(|| named.and_then(|n| Some((n + 1, pieces.get(at + n)?.text.as_str()))))?;
    let index = match which {
        "日" | "天" => 6,
        "末" => {
            let saturday = weekday(today, Some(by.unwrap_or(0)), 5)?;
            return Some((vec![Part::Days(saturday, saturday.tomorrow().ok()?)], lead + n));
        }
        other => numeral_zh::digit(other).filter(|day| (1..=6).contains(day)).map(|day| usize::from(day) - 1)?,
    };
    Some((vec![Part::Day(weekday(today, by, index)?)], lead + n))
}

/// A weekday of this week moved by whole weeks, or the next to come.
fn weekday(today: Date, by: Option<i64>, index: usize) -> Option<Date> {
    let of_week = |weeks: i64| monday_of(today)?.checked_add((7 * weeks + index as i64).days()).ok();
    match by {
        Some(weeks) => of_week(weeks),
        None => of_week(0).filter(|&day| day > today).or_else(|| of_week(1)),
    }
}

fn before(today: Date, index: usize) -> Option<Date> {
    let weekday = Weekday::from_monday_zero_offset(index as i8).ok()?;
    today.nth_weekday(-1, weekday).ok()
}

/// 月底, 下个月初, "end of the month".
fn month_edge(pieces: &[Piece], i: usize, today: Date) -> Option<(Date, usize)> {
    let (by, lead) = shift(pieces, i).unwrap_or((0, 0));
    let first = first_of_month(today, by)?;
    if let Some(n) = any_phrase(pieces, i + lead, &["月底", "月末"]) {
        return Some((first.last_of_month(), lead + n));
    }
    if let Some(n) = any_phrase(pieces, i + lead, &["月初"]) {
        return Some((first, lead + n));
    }
    let n = any_phrase(pieces, i, &["end of", "the end of"])?;
    let n = n + any_phrase(pieces, i + n, &["the", "this"]).unwrap_or(0);
    let (by, more) = any_phrase(pieces, i + n, &["next"]).map_or((0, 0), |more| (1, more));
    let month = any_phrase(pieces, i + n + more, &["month"])?;
    Some((first_of_month(today, by)?.last_of_month(), n + more + month))
}

fn first_of_month(today: Date, by: i64) -> Option<Date> {
    today.first_of_month().checked_add(by.months()).ok()
}

/// 二零二六年五月一日, 三月二十五号, 下个月三号, 三号.
fn day_of_month_zh(pieces: &[Piece], i: usize, today: Date) -> Option<(Date, usize)> {
    let number = |at: usize| numeral_zh::cardinal(pieces, at).filter(|&(value, _)| value.fract() == 0.0);
    let is = |at: usize, words: &[&str]| any_phrase(pieces, at, words).is_some();
    let mut at = i;
    let year = number(at).filter(|&(_, n)| is(at + n, &["年"])).map(|(value, n)| (value as i16, n + 1));
    at += year.map_or(0, |(_, n)| n);
    let moved = shift(pieces, at).filter(|&(_, n)| is(at + n, &["月"])).map(|(by, n)| (by, n + 1));
    let month = number(at).filter(|&(_, n)| is(at + n, &["月", "月份"])).map(|(value, n)| (value as i8, n + 1));
    at += moved.or(month.map(|(_, n)| (0, n))).map_or(0, |(_, n)| n);
    let (day, n) = number(at)?;
    let unit = usize::from(is(at + n, &["号", "日"]));
    // A bare number is a day only behind its month.
    if unit == 0 && month.is_none() {
        return None;
    }
    let length = at + n + unit - i;
    let day = day as i8;
    let found = match (year, moved, month) {
        (Some((year, _)), _, Some((month, _))) => Date::new(if year < 100 { year + 2000 } else { year }, month, day).ok(),
        (None, Some((by, _)), _) => with_day(first_of_month(today, by)?, day),
        (None, None, Some((month, _))) => coming(today, month, day),
        (None, None, None) => with_day(today, day).filter(|&date| date >= today).or_else(|| with_day(first_of_month(today, 1)?, day)),
        _ => None,
    };
    found.map(|date| (date, length))
}

fn with_day(month: Date, day: i8) -> Option<Date> {
    Date::new(month.year(), month.month(), day).ok()
}

/// The next such day, today included.
fn coming(today: Date, month: i8, day: i8) -> Option<Date> {
    Date::new(today.year(), month, day).ok().filter(|&date| date >= today).or_else(|| Date::new(today.year() + 1, month, day).ok())
}

/// 2026-03-25, 2026/3/25.
fn written(pieces: &[Piece], i: usize) -> Option<(Date, usize)> {
    let number = |n: usize| pieces.get(i + n).filter(|piece| piece.kind == Kind::Number)?.text.parse::<i16>().ok();
    let sign = |n: usize| pieces.get(i + n).is_some_and(|piece| matches!(piece.text.as_str(), "-" | "/"));
    let (year, month, day) = (number(0).filter(|&year| year >= 1900)?, number(2)?, number(4)?);
    (sign(1) && sign(3)).then(|| Date::new(year, month as i8, day as i8).ok()).flatten().map(|date| (date, 5))
}

/// "march twenty fifth", "the third of april", "april 3 2027", "on the 25th".
fn month_day_en(pieces: &[Piece], i: usize, today: Date) -> Option<(Date, usize)> {
    let month = |at: usize| {
        let name = pieces.get(at)?.text.as_str();
        let is = |month: &&str| *month == name || name.len() >= 3 && name != "mar" && name.len() <= 4 && month.starts_with(name);
        MONTHS.iter().position(is).map(|index| index as i8 + 1)
    };
    let the = any_phrase(pieces, i, &["the"]).unwrap_or(0);
    if let Some(month) = month(i) {
        let the = any_phrase(pieces, i + 1, &["the"]).unwrap_or(0);
        let (day, n) =
            numeral_en::ordinal(pieces, i + 1 + the).or_else(|| numeral_en::cardinal(pieces, i + 1).map(|(day, n)| (day as u32, n)))?;
        return with_year(pieces, i, 1 + the + n, today, month, day as i8);
    }
    let (day, n) = numeral_en::ordinal(pieces, i + the)?;
    let of = any_phrase(pieces, i + the + n, &["of"]).unwrap_or(0);
    if let Some(month) = month(i + the + n + of) {
        return with_year(pieces, i, the + n + of + 1, today, month, day as i8);
    }
    if let Some(more) = any_phrase(pieces, i + the + n + of, &["next month"]) {
        return with_day(first_of_month(today, 1)?, day as i8).map(|date| (date, the + n + of + more));
    }
    // "the 25th" alone, but not "the second one".
    let alone = the > 0 && day > 2 && of == 0;
    let day = with_day(today, day as i8).filter(|&date| date >= today).or_else(|| with_day(first_of_month(today, 1)?, day as i8));
    day.filter(|_| alone).map(|date| (date, the + n))
}

fn with_year(pieces: &[Piece], i: usize, n: usize, today: Date, month: i8, day: i8) -> Option<(Date, usize)> {
    let comma = usize::from(pieces.get(i + n).is_some_and(|piece| piece.text == ","));
    let year = pieces
        .get(i + n + comma)
        .filter(|piece| piece.kind == Kind::Number && piece.text.len() == 4)
        .and_then(|piece| piece.text.parse().ok());
    match year {
        Some(year) => Date::new(year, month, day).ok().map(|date| (date, n + comma + 1)),
        None => coming(today, month, day).map(|date| (date, n)),
    }
}

fn holiday(pieces: &[Piece], i: usize, today: Date) -> Option<(Date, usize)> {
    let (name, n) = holidays::names().filter_map(|name| phrase(pieces, i, name).map(|n| (name, n))).max_by_key(|&(_, n)| n)?;
    // 五一 may begin a number, 十一点 an hour.
    let ends = pieces.get(i + n).is_none_or(|next| {
        numeral_zh::digit(&next.text).is_none() && !matches!(next.text.as_str(), "点" | "月" | "号" | "日" | "个" | "块" | "元")
    });
    let begins = i == 0 || numeral_zh::digit(&pieces[i - 1].text).is_none();
    let day = holidays::next(name, today).filter(|_| ends && begins)?;
    let more = any_phrase(pieces, i + n, &["节", "当天", "那天"]).unwrap_or(0);
    Some((day, n + more))
}
