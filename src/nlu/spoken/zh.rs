//! Chinese.

use jiff::civil::{Date, Time};

const DIGITS: [char; 10] = ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'];
/// Sections of four digits: how they are called, and their size.
const SECTIONS: [(&str, u64); 4] = [("万亿", 1_000_000_000_000), ("亿", 100_000_000), ("万", 10_000), ("", 1)];

pub(super) fn digits(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(10).map_or(c, |digit| DIGITS[digit as usize])).collect()
}

pub(super) fn cardinal(value: u64) -> String {
    if value == 0 {
        return "零".to_owned();
    }
    let mut text = String::new();
    let mut rest = value;
    for (name, size) in SECTIONS {
        let section = rest / size % 10_000;
        rest %= size;
        if section == 0 {
            continue;
        }
        // A gap before a section that does not fill its four places.
        if !text.is_empty() && section < 1_000 {
            text.push('零');
        }
        let said = if section == 2 && !name.is_empty() { "两".to_owned() } else { self::section(section, text.is_empty()) };
        text += &said;
        text += name;
    }
    text
}

/// 1 to 9999; `first`: 十五, not 一十五.
fn section(value: u64, first: bool) -> String {
    let mut text = String::new();
    let mut gap = false;
    for (unit, name) in [(1_000, "千"), (100, "百"), (10, "十"), (1, "")] {
        let digit = value / unit % 10;
        if digit == 0 {
            gap = !text.is_empty();
            continue;
        }
        if gap {
            text.push('零');
            gap = false;
        }
        match (digit, unit) {
            (1, 10) if first && text.is_empty() => {}
            (2, 1_000) => text.push('两'),
            _ => text.push(DIGITS[digit as usize]),
        }
        text += name;
    }
    text
}

/// The currency's name.
fn currency(code: &str) -> &str {
    match code {
        "CNY" => "元",
        "USD" => "美元",
        "HKD" => "港币",
        "JPY" => "日元",
        "EUR" => "欧元",
        "GBP" => "英镑",
        other => other,
    }
}

pub(super) fn money(cents: u64, code: &str) -> String {
    let (whole, tenth, cent) = (cents / 100, cents / 10 % 10, cents % 10);
    let name = currency(code);
    if code != "CNY" && (tenth > 0 || cent > 0) {
        let places = format!("{:02}", cents % 100);
        return format!("{}点{}{name}", cardinal(whole), digits(places.trim_end_matches('0')));
    }
    let mut text = if whole > 0 || cents == 0 { cardinal(whole) + name } else { String::new() };
    if tenth > 0 {
        text = format!("{text}{}角", DIGITS[tenth as usize]);
    } else if cent > 0 && whole > 0 {
        text.push('零');
    }
    if cent > 0 {
        text = format!("{text}{}分", DIGITS[cent as usize]);
    }
    text
}

pub(super) fn day(date: Date, year: Option<i16>) -> String {
    let year = year.map_or_else(String::new, |year| digits(&year.to_string()) + "年");
    format!("{year}{}月{}日", cardinal(date.month() as u64), cardinal(date.day() as u64))
}

pub(super) fn time(time: Time) -> String {
    let part = match time.hour() {
        0..6 => "凌晨",
        6..12 => "上午",
        12 => "中午",
        13..18 => "下午",
        _ => "晚上",
    };
    let hour = match time.hour() {
        hour @ 0..=12 => hour,
        hour => hour - 12,
    };
    // 两点, not 二点.
    let hour = if hour == 2 { "两".to_owned() } else { cardinal(hour as u64) };
    let minute = match time.minute() {
        0 => String::new(),
        30 => "半".to_owned(),
        minute @ 1..10 => format!("零{}分", cardinal(minute as u64)),
        minute => cardinal(minute as u64) + "分",
    };
    format!("{part}{hour}点{minute}")
}
