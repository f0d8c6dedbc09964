//! Dates and times, zh and en, mixed too: parts are read one after the other, then put together.

mod day;
mod resolve;
mod time;

use jiff::civil::{Date, DateTime};

use super::lex::{Piece, any_phrase, span};
use super::{Found, duration};
use resolve::resolve;

/// A part of the day without an hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum DayPart {
    Night,
    Morning,
    Noon,
    Afternoon,
    Evening,
}

/// An hour as said.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Clock {
    hour: i8,
    minute: i8,
    /// Said in a form that leaves no choice of half day: 15:00, 09:00, noon.
    exact: bool,
}

/// What one stretch of the sentence says.
#[derive(Clone, PartialEq, Debug)]
enum Part {
    Day(Date),
    Days(Date, Date),
    DayPart(DayPart),
    Clock(Clock),
    /// A moment counted from now.
    Moment(DateTime),
    /// From now up to this moment.
    Until(DateTime),
    /// 到, to, and: what follows may be the end.
    Joint,
    /// at, between: a bare number that follows is an hour.
    Hour,
}

/// All that a sentence says about time.
#[derive(Default, Debug)]
struct Said {
    days: Vec<Date>,
    part: Option<DayPart>,
    clocks: Vec<Clock>,
    moment: Option<DateTime>,
    until: Option<DateTime>,
}

impl Said {
    fn add(&mut self, part: Part) {
        match part {
            Part::Day(day) => self.days.push(day),
            Part::Days(from, to) => self.days.extend([from, to]),
            Part::DayPart(part) => self.part = Some(part),
            Part::Clock(clock) => self.clocks.push(clock),
            Part::Moment(moment) => self.moment = Some(moment),
            Part::Until(moment) => self.until = Some(moment),
            Part::Joint | Part::Hour => {}
        }
    }
}

/// The date, time or span of a sentence.
pub(super) fn find(pieces: &[Piece], now: DateTime) -> Option<Found> {
    let mut said = Said::default();
    let (mut first, mut last) = (None, 0);
    let mut before = None;
    let mut i = 0;
    while i < pieces.len() {
        let Some((parts, n)) = read(pieces, i, now, before.as_ref(), &said) else {
            before = None;
            i += 1;
            continue;
        };
        if !matches!(parts[0], Part::Joint | Part::Hour) {
            first.get_or_insert(i);
            last = i + n;
        }
        before = parts.last().cloned();
        parts.into_iter().for_each(|part| said.add(part));
        i += n;
    }
    Some(Found::new(resolve(&said, now)?, span(&pieces[first?..last])))
}

/// What stands at `i`.
fn read(pieces: &[Piece], i: usize, now: DateTime, before: Option<&Part>, said: &Said) -> Option<(Vec<Part>, usize)> {
    if let Some((part, n)) = counted(pieces, i, now) {
        return Some((vec![part], n));
    }
    if let Some(day) = day::read(pieces, i, now.date()) {
        return Some(day);
    }
    if let Some((part, n)) = time::day_part(pieces, i) {
        return Some((vec![Part::DayPart(part)], n));
    }
    let bare = matches!(before, Some(Part::Hour)) || matches!(before, Some(Part::Joint)) && !said.clocks.is_empty();
    if let Some((clock, n)) = time::clock(pieces, i, bare) {
        return Some((vec![Part::Clock(clock)], n));
    }
    if let Some(n) = any_phrase(pieces, i, &["at", "between", "around", "about", "by", "before", "after", "until", "till", "from"]) {
        return Some((vec![Part::Hour], n));
    }
    any_phrase(pieces, i, &["到", "至", "和", "to", "and", "-", "~"]).map(|n| (vec![Part::Joint], n))
}

/// 两个小时以后, 半个小时之内, 三天前, "in two hours", "a week from today", "two days ago".
fn counted(pieces: &[Piece], i: usize, now: DateTime) -> Option<(Part, usize)> {
    let lead = any_phrase(pieces, i, &["in", "within"]);
    let within = any_phrase(pieces, i, &["within"]).is_some();
    let start = i + lead.unwrap_or(0);
    let (value, unit, n) = duration::at(pieces, start)?;
    let end = start + n;
    let after = any_phrase(pieces, end, &["以后", "之后", "过后", "后", "from now", "later", "from today"]);
    let inside = any_phrase(pieces, end, &["以内", "之内", "内"]);
    let ago = any_phrase(pieces, end, &["以前", "之前", "前", "ago"]);
    let from_tomorrow = any_phrase(pieces, end, &["from tomorrow"]);
    let moved = |sign: f64| resolve::moved(now, sign * value, unit);
    match (inside, ago, after, from_tomorrow) {
        (Some(more), ..) => Some((Part::Until(moved(1.0)?.0), end - i + more)),
        (_, Some(more), ..) => Some((as_part(moved(-1.0)?), end - i + more)),
        (_, _, Some(more), _) => Some((as_part(moved(1.0)?), end - i + more)),
        (.., Some(more)) => Some((Part::Day(moved(1.0)?.0.date().tomorrow().ok()?), end - i + more)),
        _ if within => Some((Part::Until(moved(1.0)?.0), end - i)),
        _ if lead.is_some() => Some((as_part(moved(1.0)?), end - i)),
        _ => None,
    }
}

/// A moment, or a whole day when days were counted.
fn as_part((moment, whole_days): (DateTime, bool)) -> Part {
    if whole_days { Part::Day(moment.date()) } else { Part::Moment(moment) }
}
