//! Texts: bare where that is the same text for every reader of YAML, else in quotes.

use crate::control::dialplan::syntax::{Kind, typed};

/// Where a text stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Around {
    /// In braces or brackets.
    Flow,
    /// In lines.
    Lines,
}

/// Other readers, of YAML 1.1, take these for true and false.
const TAKEN_FOR_TRUTH: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];

/// The text in one line.
#[must_use]
pub fn line(text: &str, around: Around) -> String {
    if needs_quotes(text, around) { in_quotes(text) } else { text.to_owned() }
}

/// The text in quotes, needed or not: what is said to people begins and ends where everybody sees it, and bears a comma more.
#[must_use]
pub fn in_quotes(text: &str) -> String {
    let escapes = text.chars().any(is_special);
    if !escapes && !text.contains('\'') && text.contains(['"', '\\']) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_special(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

/// Lines of a text that reads better as a block, with the sign that begins it; `None` where quotes are needed.
#[must_use]
pub fn block(text: &str) -> Option<(&'static str, Vec<&str>)> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let lines: Vec<&str> = body.split('\n').collect();
    let plain = |line: &&str| !line.chars().any(is_special) && !line.ends_with(' ') && !line.contains('\t');
    let first = lines.first().is_some_and(|line| !line.is_empty() && !line.starts_with(' '));
    let good = lines.len() > 1 && first && !body.ends_with('\n') && lines.iter().all(plain);
    good.then_some((if text.ends_with('\n') { "|" } else { "|-" }, lines))
}

fn is_special(c: char) -> bool {
    c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn needs_quotes(text: &str, around: Around) -> bool {
    let Some(first) = text.chars().next() else { return true };
    if !matches!(typed(text.to_owned()), Kind::Text(_)) || TAKEN_FOR_TRUTH.contains(&text.to_ascii_lowercase().as_str()) {
        return true;
    }
    let signs: &[char] = if around == Around::Flow { &[',', '[', ']', '{', '}'] } else { &['{', '}'] };
    "-?:,[]{}#&*!|>'\"%@`=<".contains(first)
        || text.starts_with("...")
        || text.trim() != text
        || text.contains(signs)
        || text.contains(": ")
        || text.contains(" #")
        || text.ends_with(':')
        || text.chars().any(is_special)
        || is_time_or_number_elsewhere(text)
}

/// A day, a time or a number to readers of other versions of YAML.
fn is_time_or_number_elsewhere(text: &str) -> bool {
    let digit = |c: char| c.is_ascii_digit();
    let starts = text.starts_with(|c: char| digit(c) || matches!(c, '+' | '.'));
    let parts = text.chars().all(|c| digit(c) || matches!(c, '.' | ':' | '_' | '-' | '+' | 'T' | 'Z'));
    let power = text.contains(['e', 'E']) && text.chars().all(|c| digit(c) || matches!(c, '.' | 'e' | 'E' | '-' | '+'));
    let based = text.starts_with("0x") || text.starts_with("0o");
    let named = matches!(text.trim_start_matches('+').to_ascii_lowercase().as_str(), ".inf" | ".nan");
    starts && (parts && text.contains([':', '-', '_']) || power || based) || named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_stand_only_where_they_are_needed() {
        for (text, flow, lines) in [
            ("工资问题", "工资问题", "工资问题"),
            ("Hello, world", "\"Hello, world\"", "Hello, world"),
            ("pay.status == \"paid\"", "pay.status == \"paid\"", "pay.status == \"paid\""),
            ("{plate}出险了", "\"{plate}出险了\"", "\"{plate}出险了\""),
            ("yes", "\"yes\"", "\"yes\""),
            ("0123", "\"0123\"", "\"0123\""),
            ("20s", "20s", "20s"),
            ("6..8", "6..8", "6..8"),
            ("08:00-24:00", "\"08:00-24:00\"", "\"08:00-24:00\""),
            ("note: this", "\"note: this\"", "\"note: this\""),
            ("\"{x}\" is it", "'\"{x}\" is it'", "'\"{x}\" is it'"),
            ("a\nb", "\"a\\nb\"", "\"a\\nb\""),
            ("", "\"\"", "\"\""),
            ("*", "\"*\"", "\"*\""),
        ] {
            assert_eq!((line(text, Around::Flow).as_str(), line(text, Around::Lines).as_str()), (flow, lines), "{text}");
        }
    }
}
