//! Values for the ear and for the eye, by language.

use serde_json::Value;

use super::expr::{number, plain};
use super::template::Form;

const ZH_DIGITS: [&str; 10] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
const EN_DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
/// Above this a sum is said digit by digit by whatever reads it.
const LARGEST_SUM: f64 = 1e12;

/// An amount: 五千三百二十一元五角; 5321.50 yuan.
#[must_use]
pub fn money(value: &Value, lang: &str, form: Form) -> String {
    let Some(sum) = number(value).filter(|sum| sum.abs() < LARGEST_SUM) else { return plain(value) };
    let cents = (sum.abs() * 100.0).round();
    let (whole, rest) = ((cents / 100.0).trunc(), cents % 100.0);
    let sign = if sum < 0.0 { if lang == "zh" { "负" } else { "minus " } } else { "" };
    if lang != "zh" {
        let body = if rest == 0.0 { format!("{whole}") } else { format!("{whole}.{rest:02}") };
        return format!("{sign}{body} yuan");
    }
    if form != Form::Spoken {
        let body = if rest == 0.0 { format!("{whole}") } else { format!("{whole}.{rest:02}") };
        return format!("{}{body}元", if sum < 0.0 { "-" } else { "" });
    }
    let digit = |value: f64| ZH_DIGITS.get(value as usize).copied().unwrap_or("零");
    let mut text = format!("{sign}{}元", zh_number(whole as u64));
    let (jiao, fen) = ((rest / 10.0).trunc(), rest % 10.0);
    if jiao > 0.0 {
        text.push_str(&format!("{}角", digit(jiao)));
    }
    if fen > 0.0 {
        text.push_str(&format!("{}{}分", if jiao == 0.0 { "零" } else { "" }, digit(fen)));
    }
    text
}

/// A whole number in Chinese: 5321 is 五千三百二十一, 10 is 十.
fn zh_number(value: u64) -> String {
    if value == 0 {
        return "零".to_owned();
    }
    let mut text = String::new();
    let mut gap = false;
    for (scale, name) in [(100_000_000, "亿"), (10_000, "万"), (1, "")] {
        let group = value / scale % if scale == 100_000_000 { u64::MAX } else { 10_000 };
        if group == 0 {
            gap = !text.is_empty();
            continue;
        }
        if !text.is_empty() && (gap || group < 1_000) {
            text.push('零');
        }
        gap = false;
        text.push_str(&zh_group(group));
        text.push_str(name);
    }
    match text.strip_prefix("一十") {
        Some(rest) => format!("十{rest}"),
        None => text,
    }
}

/// A number below ten thousand.
fn zh_group(group: u64) -> String {
    let mut text = String::new();
    let mut gap = false;
    for (scale, name) in [(1_000, "千"), (100, "百"), (10, "十"), (1, "")] {
        let digit = group / scale % 10;
        if digit == 0 {
            gap = !text.is_empty();
            continue;
        }
        if gap {
            text.push('零');
        }
        gap = false;
        text.push_str(ZH_DIGITS[usize::try_from(digit).unwrap_or(0)]);
        text.push_str(name);
    }
    text
}

/// A day, and the time when there is one: 十一月十日; November 10.
#[must_use]
pub fn date(value: &Value, lang: &str, form: Form) -> String {
    const MONTHS: [&str; 12] =
        ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
    let text = plain(value);
    let stamp = text.trim_end_matches('Z');
    let Ok(at) = stamp.parse::<jiff::civil::DateTime>().or_else(|_| stamp.parse::<jiff::civil::Date>().map(|date| date.at(0, 0, 0, 0)))
    else {
        return text;
    };
    let (month, day) = (u64::try_from(at.month()).unwrap_or(1), u64::try_from(at.day()).unwrap_or(1));
    let has_time = text.contains('T') && (at.hour(), at.minute()) != (0, 0);
    let (hour, minute) = (u64::try_from(at.hour()).unwrap_or(0), u64::try_from(at.minute()).unwrap_or(0));
    if lang != "zh" {
        let name = MONTHS[usize::try_from(month).unwrap_or(1).saturating_sub(1).min(11)];
        return if has_time { format!("{name} {day} at {hour}:{minute:02}") } else { format!("{name} {day}") };
    }
    let write = |value: u64| if form == Form::Spoken { zh_number(value) } else { value.to_string() };
    let day = format!("{}月{}日", write(month), write(day));
    match (has_time, minute) {
        (false, _) => day,
        (true, 0) => format!("{day}{}点", write(hour)),
        (true, _) => format!("{day}{}点{}分", write(hour), write(minute)),
    }
}

/// Digits one by one: 一二三; one two three.
#[must_use]
pub fn digits(value: &Value, lang: &str, form: Form) -> String {
    let text = plain(value);
    if form != Form::Spoken {
        return text;
    }
    let (words, gap) = if lang == "zh" { (&ZH_DIGITS, "") } else { (&EN_DIGITS, " ") };
    let said = |c: char| match c.to_digit(10) {
        Some(digit) => words[usize::try_from(digit).unwrap_or(0)].to_owned(),
        None => c.to_string(),
    };
    text.chars().map(said).collect::<Vec<_>>().join(gap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sums_days_and_digits_are_said_as_people_say_them() {
        for (sum, said) in
            [(5321.5, "五千三百二十一元五角"), (10.0, "十元"), (100_005.07, "十万零五元零七分"), (20_300.0, "二万零三百元"), (0.0, "零元")]
        {
            assert_eq!(money(&json!(sum), "zh", Form::Spoken), said);
        }
        assert_eq!(money(&json!(5321.5), "zh", Form::Written), "5321.50元");
        assert_eq!(money(&json!("12"), "en", Form::Spoken), "12 yuan");
        assert_eq!(date(&json!("2026-11-10"), "zh", Form::Spoken), "十一月十日");
        assert_eq!(date(&json!("2026-11-10T15:30"), "en", Form::Spoken), "November 10 at 15:30");
        assert_eq!(date(&json!("soon"), "en", Form::Spoken), "soon");
        assert_eq!(digits(&json!("1001"), "zh", Form::Spoken), "一零零一");
        assert_eq!(digits(&json!(42), "en", Form::Spoken), "four two");
    }
}
