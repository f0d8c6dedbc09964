//! Values as a voice says them, zh and en: the filters `money`, `date`, `digits` and `titles` of a plan's texts.
//!
//! A language is given by its primary subtag; what is not `zh` is said in English.

mod en;
mod zh;

use jiff::civil::{Date, DateTime, Time};

/// A number: 五千三百二十一点五, "five thousand three hundred twenty-one point five".
pub fn number(value: f64, lang: &str) -> String {
    let (whole, fraction) = parts(value);
    let minus = if value < 0.0 { if lang == "zh" { "负" } else { "minus " } } else { "" };
    let digits = fraction.trim_end_matches('0');
    let said = match (lang, digits.is_empty()) {
        ("zh", true) => zh::cardinal(whole),
        ("zh", false) => format!("{}点{}", zh::cardinal(whole), zh::digits(digits)),
        (_, true) => en::cardinal(whole),
        (_, false) => format!("{} point {}", en::cardinal(whole), en::digits(digits)),
    };
    format!("{minus}{said}")
}

/// The whole part and four places behind the point.
fn parts(value: f64) -> (u64, String) {
    const PLACES: u64 = 10_000;
    let scaled = (value.abs() * PLACES as f64).round() as u64;
    (scaled / PLACES, format!("{:04}", scaled % PLACES))
}

/// A sum in a currency of ISO 4217: 五千三百二十一元五角, "twenty dollars and fifty cents".
pub fn money(value: f64, currency: &str, lang: &str) -> String {
    let cents = (value.abs() * 100.0).round() as u64;
    let said = if lang == "zh" { zh::money(cents, currency) } else { en::money(cents, currency) };
    match (value < 0.0, lang) {
        (false, _) => said,
        (true, "zh") => format!("负{said}"),
        (true, _) => format!("minus {said}"),
    }
}

/// Digits and letters one by one: 一二三四, "one two three four".
pub fn digits(text: &str, lang: &str) -> String {
    if lang == "zh" { zh::digits(text) } else { en::digits(text) }
}

/// A date, a time of a day, or both, from ISO 8601; other text is returned as it is. The year is said when it is not `today`'s.
pub fn date(text: &str, lang: &str, today: Date) -> String {
    if let Some((from, to)) = text.split_once('/') {
        let joint = if lang == "zh" { "到" } else { " to " };
        return format!("{}{joint}{}", date(from, lang, today), date(to, lang, today));
    }
    // A zone or an offset says nothing to a caller: the local time is read.
    let moment = text.parse::<DateTime>().or_else(|_| text.get(..19).unwrap_or(text).parse::<DateTime>());
    let with_time = text.contains(['T', ' ']) && text.contains(':');
    match (moment, text.parse::<Time>()) {
        (Ok(moment), _) if with_time => in_order(&day(moment.date(), lang, today), &time(moment.time(), lang), lang),
        (Ok(moment), _) => day(moment.date(), lang, today),
        (Err(_), Ok(clock)) => time(clock, lang),
        (Err(_), Err(_)) => text.to_owned(),
    }
}

fn in_order(day: &str, time: &str, lang: &str) -> String {
    if lang == "zh" { format!("{day}{time}") } else { format!("{day} at {time}") }
}

fn day(date: Date, lang: &str, today: Date) -> String {
    let year = (date.year() != today.year()).then(|| date.year());
    if lang == "zh" { zh::day(date, year) } else { en::day(date, year) }
}

fn time(time: Time, lang: &str) -> String {
    if lang == "zh" { zh::time(time) } else { en::time(time) }
}

/// A list read out: 甲、乙和丙, "a, b and c".
pub fn titles<T: AsRef<str>>(items: &[T], lang: &str) -> String {
    let (comma, and) = if lang == "zh" { ("、", "和") } else { (", ", " and ") };
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{}{and}{last}", first.join(comma)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = jiff::civil::date(2026, 11, 11);

    #[test]
    fn sums_are_said_in_both_languages() {
        assert_eq!(money(5321.5, "CNY", "zh"), "五千三百二十一元五角");
        assert_eq!(money(100.05, "CNY", "zh"), "一百元零五分");
        assert_eq!(money(0.0, "CNY", "zh"), "零元");
        assert_eq!(money(12.0, "USD", "zh"), "十二美元");
        assert_eq!(money(0.5, "CNY", "zh"), "五角");
        assert_eq!(money(5321.5, "CNY", "en"), "five thousand three hundred twenty-one yuan and fifty fen");
        assert_eq!(money(1.01, "USD", "en"), "one dollar and one cent");
        assert_eq!(money(-20.0, "USD", "en"), "minus twenty dollars");
    }

    #[test]
    fn numbers_have_their_gaps() {
        for (value, said) in [
            (0.0, "零"),
            (10.0, "十"),
            (15.0, "十五"),
            (105.0, "一百零五"),
            (110.0, "一百一十"),
            (2_000.0, "两千"),
            (2_222.0, "两千二百二十二"),
            (10_005.0, "一万零五"),
            (20_000.0, "两万"),
            (100_100.0, "十万零一百"),
            (1_0500_0000.0, "一亿零五百万"),
            (3.15, "三点一五"),
            (-2.5, "负二点五"),
        ] {
            assert_eq!(number(value, "zh"), said);
        }
        assert_eq!(number(1_000_342.0, "en"), "one million three hundred forty-two");
        assert_eq!(number(3.05, "en"), "three point zero five");
    }

    #[test]
    fn what_is_said_is_read_again() {
        let context = crate::nlu::slots::Context { now: TODAY.at(10, 0, 0, 0), lang: "zh", currency: None };
        for value in [
            1,
            7,
            10,
            12,
            20,
            99,
            100,
            101,
            110,
            119,
            999,
            1_000,
            1_001,
            1_010,
            1_100,
            9_999,
            10_000,
            10_010,
            123_456,
            1_000_000,
            20_304_050,
            100_000_001,
        ] {
            for lang in ["zh", "en"] {
                let said = number(f64::from(value), lang);
                let found = crate::nlu::slots::find(crate::nlu::slots::Kind::Number, &said, &context).expect("a number");
                assert_eq!(found.text, value.to_string(), "{said}");
            }
        }
    }

    #[test]
    fn dates_are_said_with_a_year_only_when_it_is_another() {
        assert_eq!(date("2026-11-10", "zh", TODAY), "十一月十日");
        assert_eq!(date("2027-05-01", "zh", TODAY), "二零二七年五月一日");
        assert_eq!(date("2026-11-10T15:30", "zh", TODAY), "十一月十日下午三点半");
        assert_eq!(date("2026-11-10T09:05:00+08:00", "zh", TODAY), "十一月十日上午九点零五分");
        assert_eq!(date("2026-11-10", "en", TODAY), "November tenth");
        assert_eq!(date("2027-05-21T12:00", "en", TODAY), "May twenty-first, twenty twenty-seven at noon");
        assert_eq!(date("18:20", "en", TODAY), "six twenty p.m.");
        assert_eq!(date("soon", "en", TODAY), "soon");
    }

    #[test]
    fn digits_and_lists() {
        assert_eq!(digits("120", "zh"), "一二零");
        assert_eq!(digits("A12", "en"), "A one two");
        assert_eq!(titles(&["红裙", "耳机", "水杯"], "zh"), "红裙、耳机和水杯");
        assert_eq!(titles(&["dress", "cup"], "en"), "dress and cup");
        assert_eq!(titles::<&str>(&[], "en"), "");
    }
}
