//! Opening hours: weekly ranges, closed days, special days, in a time zone.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time as Clock};
use jiff::tz::TimeZone;

use crate::control::time::Time;

/// From, up to (24:00 is the end of the day).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// Minutes since midnight, included.
    pub from: u16,
    /// Minutes since midnight, not included.
    pub until: u16,
}

const MINUTES_A_DAY: u16 = 24 * 60;

impl Range {
    /// Parses `08:00-24:00`.
    pub fn parse(text: &str) -> Option<Range> {
        let (from, until) = text.split_once('-')?;
        let range = Range { from: minutes(from)?, until: minutes(until)? };
        (range.from < range.until).then_some(range)
    }

    fn clock(minutes: u16) -> String {
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", Range::clock(self.from), Range::clock(self.until))
    }
}

fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let sum = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && sum <= MINUTES_A_DAY).then_some(sum)
}

/// One calendar.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Calendar {
    /// The time zone; `None` is UTC.
    pub zone: Option<TimeZone>,
    /// Hours by day of the week, Monday = 0.
    pub week: [Vec<Range>; 7],
    /// Closed, both ends included.
    pub closed: Vec<(Date, Date)>,
    /// Days with their own hours; they win over all else.
    pub special: BTreeMap<Date, Vec<Range>>,
}

/// The days a word means, Monday = 0: `daily`, `mon-fri`, `sat`.
#[must_use]
pub fn days(word: &str) -> Option<Vec<usize>> {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let day = |name: &str| NAMES.iter().position(|known| *known == name.trim());
    match word.trim() {
        "daily" => Some((0..7).collect()),
        "weekdays" => Some((0..5).collect()),
        "weekend" => Some(vec![5, 6]),
        word => match word.split_once('-') {
            None => Some(vec![day(word)?]),
            Some((from, until)) => {
                let (from, until) = (day(from)?, day(until)?);
                Some((0..=(until + 7 - from) % 7).map(|step| (from + step) % 7).collect())
            }
        },
    }
}

impl Calendar {
    fn zone(&self) -> TimeZone {
        self.zone.clone().unwrap_or(TimeZone::UTC)
    }

    /// Date and clock there.
    #[must_use]
    pub fn local(&self, now: Time) -> jiff::Zoned {
        let at = jiff::Timestamp::from_millisecond(i64::try_from(now.millis()).unwrap_or(i64::MAX)).unwrap_or_default();
        at.to_zoned(self.zone())
    }

    /// The hours of a day.
    #[must_use]
    pub fn hours(&self, date: Date) -> &[Range] {
        if let Some(special) = self.special.get(&date) {
            return special;
        }
        if self.closed.iter().any(|(from, until)| *from <= date && date <= *until) {
            return &[];
        }
        let weekday = date.weekday().to_monday_zero_offset();
        &self.week[usize::try_from(weekday).unwrap_or(0)]
    }

    /// Is it open now?
    #[must_use]
    pub fn is_open(&self, now: Time) -> bool {
        let local = self.local(now);
        let minute = minute_of(local.time());
        self.hours(local.date()).iter().any(|range| range.from <= minute && minute < range.until)
    }

    /// The weekly hours in words: 每天8点到24点; daily 08:00 to 24:00.
    #[must_use]
    pub fn open_text(&self, lang: &str) -> String {
        let mut groups: Vec<(usize, usize)> = Vec::new();
        for day in 0..7 {
            match groups.last_mut() {
                Some((from, until)) if self.week[*from] == self.week[day] => *until = day,
                _ => groups.push((day, day)),
            }
        }
        let spoken = |(from, until): &(usize, usize)| group_text(*from, *until, &self.week[*from], lang);
        let texts: Vec<String> = groups.iter().filter(|(from, _)| !self.week[*from].is_empty()).map(spoken).collect();
        texts.join(if lang == "zh" { "，" } else { ", " })
    }
}

fn minute_of(clock: Clock) -> u16 {
    u16::try_from(i32::from(clock.hour()) * 60 + i32::from(clock.minute())).unwrap_or(0)
}

fn group_text(from: usize, until: usize, ranges: &[Range], lang: &str) -> String {
    const ZH: [&str; 7] = ["周一", "周二", "周三", "周四", "周五", "周六", "周日"];
    const EN: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let zh = lang == "zh";
    let days = match (zh, from, until) {
        (true, 0, 6) => "每天".to_owned(),
        (false, 0, 6) => "daily".to_owned(),
        (true, _, _) if from == until => ZH[from].to_owned(),
        (false, _, _) if from == until => EN[from].to_owned(),
        (true, _, _) => format!("{}到{}", ZH[from], ZH[until]),
        (false, _, _) => format!("{} to {}", EN[from], EN[until]),
    };
    let hours: Vec<String> = ranges.iter().map(|range| range_text(*range, zh)).collect();
    if zh { format!("{days}{}", hours.join("和")) } else { format!("{days} {}", hours.join(" and ")) }
}

fn range_text(range: Range, zh: bool) -> String {
    if (range.from, range.until) == (0, MINUTES_A_DAY) {
        return if zh { "二十四小时" } else { "around the clock" }.to_owned();
    }
    let clock = |minutes: u16| match (zh, minutes % 60) {
        (true, 0) => format!("{}点", minutes / 60),
        (true, _) => format!("{}点{}分", minutes / 60, minutes % 60),
        (false, _) => Range::clock(minutes),
    };
    if zh { format!("{}到{}", clock(range.from), clock(range.until)) } else { format!("{} to {}", clock(range.from), clock(range.until)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        let stamp: jiff::Timestamp = text.parse().expect("a time");
        Time(u64::try_from(stamp.as_microsecond()).expect("after 1970"))
    }

    fn shop() -> Calendar {
        let mut calendar = Calendar { zone: TimeZone::get("Asia/Shanghai").ok(), ..Calendar::default() };
        for day in days("mon-fri").expect("days") {
            calendar.week[day] = vec![Range::parse("09:00-21:00").expect("range")];
        }
        calendar.closed.push((jiff::civil::date(2027, 2, 6), jiff::civil::date(2027, 2, 12)));
        calendar.special.insert(jiff::civil::date(2026, 11, 11), vec![Range::parse("00:00-24:00").expect("range")]);
        calendar
    }

    #[test]
    fn s35_special_days_win_over_closed_days_and_these_over_the_week() {
        let shop = shop();
        assert!(shop.is_open(at("2026-11-12T09:00:00+08:00")));
        assert!(!shop.is_open(at("2026-11-12T21:00:00+08:00")), "the end is not included");
        assert!(shop.is_open(at("2026-11-11T03:00:00+08:00")), "peak day");
        assert!(!shop.is_open(at("2027-02-08T10:00:00+08:00")), "holiday");
        assert!(!shop.is_open(at("2026-11-14T10:00:00+08:00")), "Saturday");
    }

    #[test]
    fn hours_are_said_in_both_languages() {
        assert_eq!(shop().open_text("zh"), "周一到周五9点到21点");
        assert_eq!(shop().open_text("en"), "Monday to Friday 09:00 to 21:00");
        assert_eq!(days("sat-mon"), Some(vec![5, 6, 0]));
        assert_eq!(Range::parse("9-10"), None);
        assert_eq!(Range::parse("10:00-09:00"), None);
    }
}
