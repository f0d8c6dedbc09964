//! From what was said to a date, a moment or a span.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use super::{Clock, DayPart, Said};
use crate::nlu::slots::duration::Unit;

/// A bare hour is meant between these.
const WAKING_HOURS: std::ops::RangeInclusive<i8> = 7..=21;
/// Nobody means a time farther off than so many units; spans have limits.
const FARTHEST: f64 = 10_000.0;
const MINUTES_A_DAY: f64 = 24.0 * 60.0;

/// A moment so far from another; true when whole days were counted, so that the hour says nothing.
pub(super) fn moved(from: DateTime, value: f64, unit: Unit) -> Option<(DateTime, bool)> {
    if value.abs() > FARTHEST {
        return None;
    }
    let whole = value.fract() == 0.0;
    let minutes = |minutes: f64| from.checked_add((minutes.round() as i64).minutes()).ok();
    let count = value as i64;
    let moment = match unit {
        Unit::Years if whole => from.checked_add(count.years()).ok()?,
        Unit::Months if whole => from.checked_add(count.months()).ok()?,
        Unit::Years => from.checked_add(((value * 12.0) as i64).months()).ok()?,
        Unit::Months => from.checked_add(((value * 30.0) as i64).days()).ok()?,
        Unit::Weeks => from.checked_add(((value * 7.0) as i64).days()).ok()?,
        Unit::Days if whole => from.checked_add(count.days()).ok()?,
        Unit::Days => minutes(value * MINUTES_A_DAY)?,
        Unit::BusinessDays => business(from, count)?,
        Unit::Hours => minutes(value * 60.0)?,
        Unit::Minutes => minutes(value)?,
        Unit::Seconds => minutes(value / 60.0)?,
    };
    let days = matches!(unit, Unit::Years | Unit::Months | Unit::Weeks | Unit::BusinessDays) || unit == Unit::Days && whole;
    Some((moment, days))
}

/// So many days on, Saturdays and Sundays not counted.
fn business(from: DateTime, count: i64) -> Option<DateTime> {
    let mut day = from;
    for _ in 0..count.unsigned_abs().min(400) {
        loop {
            day = day.checked_add(count.signum().days()).ok()?;
            if day.weekday().to_monday_zero_offset() < 5 {
                break;
            }
        }
    }
    Some(day)
}

/// ISO 8601 of what was said.
pub(super) fn resolve(said: &Said, now: DateTime) -> Option<String> {
    if let Some(until) = said.until {
        return Some(span(now, until));
    }
    if let (Some(moment), true) = (said.moment, said.clocks.is_empty()) {
        return Some(minutes(moment));
    }
    let day = said.days.first().copied();
    match (said.clocks.as_slice(), said.part) {
        ([], None) => match said.days.as_slice() {
            [] => None,
            [day] => Some(day.to_string()),
            [from, .., to] => Some(format!("{from}/{to}")),
        },
        ([], Some(part)) => {
            let (from, to) = hours_of(part);
            let day = day.unwrap_or_else(|| now.date());
            Some(span(day.at(from, 0, 0, 0), day.at(to, 0, 0, 0)))
        }
        ([clock], part) => Some(minutes(moment(*clock, part, day, now)?)),
        ([from, .., to], part) => {
            let from = moment(*from, part, day, now)?;
            let to = moment(*to, part, Some(from.date()), now)?;
            // 下午三点到五点: the end is after the beginning.
            let to = if to <= from { to.checked_add(12.hours()).ok()? } else { to };
            Some(span(from, to))
        }
    }
}

fn minutes(moment: DateTime) -> String {
    moment.strftime("%Y-%m-%dT%H:%M").to_string()
}

fn span(from: DateTime, to: DateTime) -> String {
    format!("{}/{}", minutes(from), minutes(to))
}

/// From when to when a part of the day lasts.
fn hours_of(part: DayPart) -> (i8, i8) {
    match part {
        DayPart::Night => (0, 6),
        DayPart::Morning => (6, 12),
        DayPart::Noon => (11, 13),
        DayPart::Afternoon => (12, 18),
        DayPart::Evening => (18, 22),
    }
}

/// The moment a clock means, with the part of the day and the day said, or else the next that fits.
fn moment(clock: Clock, part: Option<DayPart>, day: Option<Date>, now: DateTime) -> Option<DateTime> {
    let at = |day: Date, hour: i8| day.at(hour, clock.minute, 0, 0);
    let next = |hour: i8| {
        let today = at(now.date(), hour);
        if today > now { Some(today) } else { now.date().tomorrow().ok().map(|day| at(day, hour)) }
    };
    if let Some(part) = part.filter(|_| !clock.exact) {
        let hour = half_day(clock.hour, part);
        // 晚上十二点 is the midnight that ends the day.
        if part == DayPart::Evening && clock.hour == 12 {
            return day.unwrap_or_else(|| now.date()).tomorrow().ok().map(|day| at(day, 0));
        }
        return day.map_or_else(|| next(hour), |day| Some(at(day, hour)));
    }
    if clock.exact {
        return day.map_or_else(|| next(clock.hour), |day| Some(at(day, clock.hour)));
    }
    let awake = |hour: &i8| WAKING_HOURS.contains(hour) && (*hour < *WAKING_HOURS.end() || clock.minute == 0);
    let waking = [clock.hour, clock.hour + 12].into_iter().filter(awake);
    match day {
        Some(day) => {
            let still = |hour: &i8| day != now.date() || at(day, *hour) > now;
            waking.clone().find(still).or_else(|| waking.clone().next()).map(|hour| at(day, hour))
        }
        None => {
            let today = waking.clone().map(|hour| at(now.date(), hour)).find(|&moment| moment > now);
            today.or_else(|| Some(at(now.date().tomorrow().ok()?, waking.clone().next()?)))
        }
    }
}

fn half_day(hour: i8, part: DayPart) -> i8 {
    match part {
        DayPart::Night | DayPart::Morning => hour % 12 + if part == DayPart::Morning && hour == 12 { 12 } else { 0 },
        DayPart::Noon if hour >= 10 => hour,
        _ if hour < 12 => hour + 12,
        _ => hour,
    }
}
