//! Asterisk's variables, conditions and times in the words of a plan.

use std::collections::BTreeSet;

/// The plan's variable for an Asterisk one, when there is one.
#[must_use]
pub fn variable(name: &str, known: &BTreeSet<String>) -> Option<String> {
    let name = name.trim();
    match name {
        "CALLERID(num)" | "CALLERID(number)" | "CALLERIDNUM" => Some("caller.phone".to_owned()),
        "CALLERID(name)" => Some("customer.name".to_owned()),
        "EXTEN" | "DNID" | "CALLERID(dnid)" => Some("call.to".to_owned()),
        _ => Some(slot_name(name)).filter(|name| known.contains(name)),
    }
}

/// The name of a slot or variable.
#[must_use]
pub fn slot_name(name: &str) -> String {
    let name: String = name.trim_start_matches('_').chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if name.is_empty() { "value".to_owned() } else { name.to_lowercase() }
}

/// A text with `${X}` as `{x}`; `None` where one has no counterpart.
#[must_use]
pub fn template(text: &str, known: &BTreeSet<String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out += &rest[..at].replace('{', "{{");
        let end = rest[at..].find('}')?;
        out += &format!("{{{}}}", variable(&rest[at + 2..at + end], known)?);
        rest = &rest[at + end + 1..];
    }
    if rest.contains("$[") { None } else { Some(out + &rest.replace('{', "{{")) }
}

/// `$["${X}" = "1"]` as `x == "1"`; `None` where it has no counterpart.
#[must_use]
pub fn condition(text: &str, known: &BTreeSet<String>) -> Option<String> {
    let body = text.trim().strip_prefix("$[").and_then(|rest| rest.strip_suffix(']'))?;
    for (sign, word) in [(" & ", "and"), (" | ", "or")] {
        if let Some((left, right)) = body.split_once(sign) {
            let half = |part: &str| condition(&format!("$[{part}]"), known);
            return Some(format!("({}) {word} ({})", half(left)?, half(right)?));
        }
    }
    let signs = [("!=", "!="), (">=", ">="), ("<=", "<="), ("==", "=="), ("=", "=="), (">", ">"), ("<", "<")];
    let (left, sign, right) = signs.iter().find_map(|(sign, word)| body.split_once(sign).map(|(left, right)| (left, *word, right)))?;
    Some(format!("{} {sign} {}", operand(left, known)?, operand(right, known)?))
}

fn operand(text: &str, known: &BTreeSet<String>) -> Option<String> {
    let bare = text.trim().trim_matches('"').trim();
    if let Some(name) = bare.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        return variable(name, known);
    }
    if bare.contains(['$', '"', '\\']) {
        return None;
    }
    Some(format!("\"{bare}\""))
}

/// `09:00-17:00,mon-fri,*,*` as a calendar's opening hours; the second says what was left out.
#[must_use]
pub fn opening(times: &[String]) -> Option<(String, Option<&'static str>)> {
    let part = |at: usize| times.get(at).map_or("*", |part| if part.is_empty() { "*" } else { part.as_str() });
    let clock = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour <= 24 && minute < 60).then(|| format!("{hour:02}:{minute:02}"))
    };
    let hours = match part(0) {
        "*" => "00:00-24:00".to_owned(),
        span => {
            let (from, until) = span.split_once('-')?;
            let until = if until.trim() == "23:59" { "24:00" } else { until };
            format!("{}-{}", clock(from)?, clock(until)?)
        }
    };
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let days: Vec<String> = match part(1).to_ascii_lowercase().as_str() {
        "*" => vec!["daily".to_owned()],
        days => days.split('&').map(|day| day.trim().to_owned()).collect(),
    };
    let good = |days: &String| days == "daily" || days.split('-').all(|day| DAYS.contains(&day));
    if !days.iter().all(good) {
        return None;
    }
    let open: Vec<String> = days.iter().map(|day| format!("{day}: \"{hours}\"")).collect();
    let left_out =
        (part(2) != "*" || part(3) != "*").then_some("days of the month and months are left out; write them under special or closed");
    Some((format!("{{{}}}", open.join(", ")), left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_times_are_translated_or_refused() {
        let known = BTreeSet::from(["choice".to_owned()]);
        assert_eq!(condition("$[\"${CHOICE}\" = \"1\"]", &known).as_deref(), Some("choice == \"1\""));
        assert_eq!(
            condition("$[${CHOICE} != 2 & ${CALLERID(num)} = 5]", &known).as_deref(),
            Some("(choice != \"2\") and (caller.phone == \"5\")")
        );
        assert_eq!(condition("$[${DB(x/y)} = 1]", &known), None);
        assert_eq!(template("Hello ${CHOICE} {x}", &known).as_deref(), Some("Hello {choice} {{x}"));
        let times = |text: &str| opening(&text.split(',').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(times("9:00-17:30,mon-fri,*,*"), Some(("{mon-fri: \"09:00-17:30\"}".to_owned(), None)));
        assert_eq!(times("*,sat&sun,*,*").map(|(open, _)| open).as_deref(), Some("{sat: \"00:00-24:00\", sun: \"00:00-24:00\"}"));
        assert!(times("*,*,25,dec").is_some_and(|(_, left)| left.is_some()));
        assert_eq!(times("noon,mon,*,*"), None);
    }
}
