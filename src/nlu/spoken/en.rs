//! English.

use jiff::civil::{Date, Time};

use crate::nlu::english::{SMALL, TENS};

const SCALES: [(&str, u64); 4] = [("trillion", 1_000_000_000_000), ("billion", 1_000_000_000), ("million", 1_000_000), ("thousand", 1_000)];
const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

pub(super) fn digits(text: &str) -> String {
    let said = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(10).map_or_else(|| c.to_string(), |digit| SMALL[digit as usize].to_owned()));
    said.collect::<Vec<_>>().join(" ")
}

pub(super) fn cardinal(value: u64) -> String {
    let mut parts = Vec::new();
    let mut rest = value;
    for (name, size) in SCALES {
        if rest >= size {
            parts.push(format!("{} {name}", cardinal(rest / size)));
            rest %= size;
        }
    }
    if rest >= 100 {
        parts.push(format!("{} hundred", SMALL[(rest / 100) as usize]));
        rest %= 100;
    }
    if rest > 0 || parts.is_empty() {
        parts.push(below_hundred(rest as usize));
    }
    parts.join(" ")
}

fn below_hundred(value: usize) -> String {
    match (value / 10, value % 10) {
        (0 | 1, _) => SMALL[value].to_owned(),
        (tens, 0) => TENS[tens - 2].to_owned(),
        (tens, unit) => format!("{}-{}", TENS[tens - 2], SMALL[unit]),
    }
}

fn ordinal(value: i8) -> String {
    let cardinal = below_hundred(value as usize);
    let (head, last) = cardinal.rsplit_once('-').map_or(("", cardinal.as_str()), |(head, last)| (head, last));
    let last = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        _ => last.strip_suffix('y').map_or_else(|| format!("{last}th"), |stem| format!("{stem}ieth")),
    };
    if head.is_empty() { last } else { format!("{head}-{last}") }
}

/// One and many of the currency and of its hundredth.
fn currency(code: &str) -> [&str; 4] {
    match code {
        "CNY" => ["yuan", "yuan", "fen", "fen"],
        "USD" | "HKD" | "AUD" | "CAD" | "SGD" => ["dollar", "dollars", "cent", "cents"],
        "EUR" => ["euro", "euros", "cent", "cents"],
        "GBP" => ["pound", "pounds", "penny", "pence"],
        "JPY" => ["yen", "yen", "sen", "sen"],
        other => [other, other, "hundredth", "hundredths"],
    }
}

pub(super) fn money(cents: u64, code: &str) -> String {
    let [one, many, cent, cents_name] = currency(code);
    let (whole, rest) = (cents / 100, cents % 100);
    let units = format!("{} {}", cardinal(whole), if whole == 1 { one } else { many });
    let parts = format!("{} {}", cardinal(rest), if rest == 1 { cent } else { cents_name });
    match (whole, rest) {
        (_, 0) => units,
        (0, _) => parts,
        _ => format!("{units} and {parts}"),
    }
}

pub(super) fn day(date: Date, year: Option<i16>) -> String {
    let day = format!("{} {}", MONTHS[date.month() as usize - 1], ordinal(date.day()));
    year.map_or(day.clone(), |year| format!("{day}, {}", self::year(year.unsigned_abs().into())))
}

/// "twenty twenty-seven", "two thousand five".
fn year(year: u64) -> String {
    match (year / 100, year % 100) {
        (century @ 10..=99, rest @ 10..) if century % 10 != 0 || rest >= 10 => format!("{} {}", cardinal(century), cardinal(rest)),
        _ => cardinal(year),
    }
}

pub(super) fn time(time: Time) -> String {
    match (time.hour(), time.minute()) {
        (12, 0) => return "noon".to_owned(),
        (0, 0) => return "midnight".to_owned(),
        _ => {}
    }
    let hour = cardinal(match time.hour() % 12 {
        0 => 12,
        hour => hour as u64,
    });
    let half = if time.hour() < 12 { "a.m." } else { "p.m." };
    match time.minute() {
        0 => format!("{hour} {half}"),
        minute @ 1..10 => format!("{hour} oh {} {half}", cardinal(minute as u64)),
        minute => format!("{hour} {} {half}", cardinal(minute as u64)),
    }
}
