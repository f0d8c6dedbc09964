//! Who may call to the outside. Read from `[outbound]` of `sip-config/hotline.toml`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::control::dialplan::calendar::Calendar;
use crate::control::words::outbound::{Allowance, Outbound};

use super::problem::{Problem, did_you_mean};
use super::toml_file::{Section, Value};

/// Millionths in one of the currency.
const MILLION: f64 = 1_000_000.0;
const MOST_CALLS: u64 = 1_000_000;

/// What was read, with the names that can be looked up only when all files are known.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Read {
    /// The rules.
    pub rules: Outbound,
    /// The calendar of `hours`, and the problem when there is none of that name.
    pub hours: Option<(String, Problem)>,
    /// The problem of each name in `free`, should there be no such trunk.
    pub free: Vec<Problem>,
}

/// Reads `[outbound]`.
pub fn read(section: &mut Section<'_>, out: &mut Vec<Problem>) -> Read {
    let mut rules = Outbound::default();
    rules.always = section.read("always", rules.always.clone(), out, |value| value.list(pattern));
    rules.allow = section.read("allow", Vec::new(), out, |value| value.list(pattern));
    rules.deny = section.read("deny", Vec::new(), out, |value| value.list(pattern));
    rules.at_once = section.maybe("at_once", out, number);
    rules.longest = section.maybe("longest", out, Value::duration);
    let named = |value: &Value<'_>| value.text().map(|name| (name, value.problem(String::new(), String::new())));
    let hours = section.maybe("hours", out, named);
    let free = section.read("free", Vec::new(), out, |value| value.list(named));
    if let Some(mut rates) = section.section("rates", out) {
        for (beginning, price) in rates.entries() {
            match price.fraction() {
                Ok(price) => rules.rates.push((beginning, millionths(price))),
                Err(problem) => out.push(problem),
            }
        }
    }
    let payers = [("agent", &mut rules.agent), ("key", &mut rules.key), ("plan", &mut rules.plan), ("house", &mut rules.house)];
    for (name, allowance) in payers {
        if let Some(section) = section.section(name, out) {
            *allowance = read_allowance(section, *allowance, out);
        }
    }
    rules.free = free.iter().map(|(name, _)| name.clone()).collect();
    Read { rules, hours, free: free.into_iter().map(|(_, problem)| problem).collect() }
}

fn read_allowance(mut section: Section<'_>, usual: Allowance, out: &mut Vec<Problem>) -> Allowance {
    let at_once = section.maybe("at_once", out, number).or(usual.at_once);
    let an_hour = section.maybe("an_hour", out, number).or(usual.an_hour);
    let a_day = section.maybe("a_day", out, |value| value.fraction().map(millionths));
    section.finish(out);
    Allowance { at_once, an_hour, a_day }
}

fn number(value: &Value<'_>) -> Result<u32, Problem> {
    value.number(0..=MOST_CALLS).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

fn millionths(amount: f32) -> u64 {
    // Money of a call center is far below where a float loses millionths.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rounded = (f64::from(amount) * MILLION).round() as u64;
    rounded
}

fn pattern(value: &Value<'_>) -> Result<String, Problem> {
    value.parsed("a number such as \"0900123\", or a beginning such as \"00*\"", |text| match text.matches('*').count() {
        _ if text.trim().is_empty() => Err("it is empty"),
        0 | 1 => Ok(text.to_owned()),
        _ => Err("one * stands for any run of digits, a second one for nothing"),
    })
}

impl Read {
    /// The rules, once calendars and trunks are known.
    pub fn settle<'n>(
        self,
        calendars: &BTreeMap<String, Calendar>,
        trunks: impl Iterator<Item = &'n str> + Clone,
        out: &mut Vec<Problem>,
    ) -> Outbound {
        let Read { mut rules, hours, free } = self;
        if let Some((name, problem)) = hours {
            rules.hours = calendars.get(&name).cloned().map(Arc::new);
            if rules.hours.is_none() {
                let mend = did_you_mean(&name, calendars.keys().map(String::as_str));
                out.push(Problem { what: format!("no calendar of desk.yaml is called `{name}`"), mend, ..problem });
            }
        }
        for (name, problem) in rules.free.iter().zip(free) {
            if !trunks.clone().any(|known| known == name) {
                let mend = did_you_mean(name, trunks.clone());
                out.push(Problem { what: format!("no trunk is called `{name}`"), mend, ..problem });
            }
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::super::server;
    use super::*;
    use std::time::Duration;

    fn said(text: &str) -> (Outbound, String) {
        let mut out = Vec::new();
        let (_, calls) = server::read("hotline.toml", text, &mut out);
        let calendars = BTreeMap::from([("office".to_owned(), Calendar::default())]);
        let rules = calls.outbound.settle(&calendars, ["pbx"].into_iter(), &mut out);
        (rules, out.iter().map(|problem| format!("{problem}\n")).collect())
    }

    #[test]
    fn without_a_word_an_agent_may_what_a_person_does_and_every_key_is_read() {
        let (rules, problems) = said("");
        assert_eq!((problems.as_str(), rules.agent.at_once, rules.plan), ("", Some(4), Allowance::default()));
        let text = "[outbound]\nallow = [\"0*\"]\ndeny = [\"00*\"]\nhours = \"office\"\nat_once = 50\nlongest = \"2h\"\nhouse = {at_once = 9}\nfree = [\"pbx\"]\n\
                    rates = {\"+86\" = 0.05, \"+\" = 2}\nagent = {at_once = 1, an_hour = 10, a_day = 20.5}\nkey = {a_day = 100}\n";
        let (rules, problems) = said(text);
        assert_eq!(problems, "");
        assert_eq!(rules.rates, [("+".to_owned(), 2_000_000), ("+86".to_owned(), 50_000)]);
        assert_eq!(rules.agent, Allowance { at_once: Some(1), an_hour: Some(10), a_day: Some(20_500_000) });
        assert_eq!((rules.longest, rules.house.at_once), (Some(Duration::from_hours(2)), Some(9)));
        assert!(rules.hours.is_some() && rules.key.a_day == Some(100_000_000));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_mend() {
        let text = "[outbound]\ndeny = [\"0*0*\"]\nhours = \"ofice\"\nfree = [\"pxb\"]\nagent = {at_onc = 1}\nrates = {\"+\" = -1}\n";
        let (_, problems) = said(text);
        for part in ["one * stands for", "did you mean `office`?", "did you mean `pbx`?", "did you mean `at_once`?", "a number from 0 up"] {
            assert!(problems.contains(part), "{part} is missing in\n{problems}");
        }
    }
}
