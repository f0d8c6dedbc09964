//! Values of a plan's texts: for the eye here, for the ear by [`crate::nlu::spoken`].

use serde_json::Value;

use super::expr::{number, plain};
use super::template::Form;
use crate::nlu::spoken;

/// Above this a sum is left as it is written.
const LARGEST_SUM: f64 = 1e12;
/// The currency of sums in plans (ISO 4217).
const CURRENCY: &str = "CNY";

/// An amount: 五千三百二十一元五角; 5321.50 yuan.
#[must_use]
pub fn money(value: &Value, lang: &str, form: Form) -> String {
    let Some(sum) = number(value).filter(|sum| sum.abs() < LARGEST_SUM) else { return plain(value) };
    if form == Form::Spoken {
        return spoken::money(sum, CURRENCY, lang);
    }
    let cents = (sum.abs() * 100.0).round();
    let (whole, rest) = ((cents / 100.0).trunc(), cents % 100.0);
    let sign = if sum < 0.0 { "-" } else { "" };
    let body = if rest == 0.0 { format!("{whole}") } else { format!("{whole}.{rest:02}") };
    if lang == "zh" { format!("{sign}{body}元") } else { format!("{sign}{body} yuan") }
}

/// A day, and the time when there is one: 十一月十日; November 10. The year is understood.
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
    let (hour, minute) = (at.hour(), at.minute());
    let has_time = text.contains('T') && (hour, minute) != (0, 0);
    if form == Form::Spoken {
        let said = if has_time { at.to_string() } else { at.date().to_string() };
        return spoken::date(&said, lang, at.date());
    }
    if lang == "zh" {
        let day = format!("{}月{}日", at.month(), at.day());
        return match (has_time, minute) {
            (false, _) => day,
            (true, 0) => format!("{day}{hour}点"),
            (true, _) => format!("{day}{hour}点{minute}分"),
        };
    }
    let name = MONTHS[usize::try_from(at.month()).unwrap_or(1).saturating_sub(1).min(11)];
    if has_time { format!("{name} {} at {hour}:{minute:02}", at.day()) } else { format!("{name} {}", at.day()) }
}

/// Digits one by one: 一二三; one two three.
#[must_use]
pub fn digits(value: &Value, lang: &str, form: Form) -> String {
    let text = plain(value);
    if form == Form::Spoken { spoken::digits(&text, lang) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sums_days_and_digits_are_said_as_people_say_them() {
        for (sum, said) in
            [(5321.5, "五千三百二十一元五角"), (10.0, "十元"), (100_005.07, "十万零五元零七分"), (20_300.0, "两万零三百元"), (0.0, "零元")]
        {
            assert_eq!(money(&json!(sum), "zh", Form::Spoken), said);
        }
        assert_eq!(money(&json!("12"), "en", Form::Spoken), "twelve yuan");
        assert_eq!(date(&json!("2026-11-10"), "zh", Form::Spoken), "十一月十日");
        assert_eq!(date(&json!("2026-11-10T15:30"), "en", Form::Spoken), "November tenth at three thirty p.m.");
        assert_eq!(date(&json!("soon"), "en", Form::Spoken), "soon");
        assert_eq!(digits(&json!("1001"), "zh", Form::Spoken), "一零零一");
        assert_eq!(digits(&json!(42), "en", Form::Spoken), "four two");
    }

    #[test]
    fn what_is_read_keeps_its_figures() {
        assert_eq!(money(&json!(5321.5), "zh", Form::Written), "5321.50元");
        assert_eq!(money(&json!(-5321.5), "en", Form::Written), "-5321.50 yuan");
        assert_eq!(date(&json!("2026-11-10T15:00"), "zh", Form::Written), "11月10日15点");
        assert_eq!(date(&json!("2026-11-10T15:30"), "en", Form::Written), "November 10 at 15:30");
        assert_eq!(digits(&json!("1001"), "zh", Form::Written), "1001");
    }
}
