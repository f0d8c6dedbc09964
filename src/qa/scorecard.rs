//! Scorecards: YAML files of rules, checked at load and compiled once.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::check::{Check, Said, Scope};
use super::phrases::Phrases;
use crate::control::dialplan::problem::{Problem, Severity};
use crate::control::dialplan::syntax::{self, Kind, Yaml};

/// The scorecard that ships with the server.
pub const FIRST: &str = include_str!("../../scorecards/first.yaml");
/// The format that this version reads.
const FORMAT: u64 = 1;
/// Rules of one scorecard.
const RULES: usize = 200;

/// A set of rules.
#[derive(Clone, Debug)]
pub struct Scorecard {
    /// `name@version`
    pub id: String,
    /// The name people see.
    pub title: String,
    /// The rules.
    pub rules: Vec<Rule>,
    /// All their words.
    pub phrases: Phrases,
}

/// One question with its points.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in evaluations.
    pub id: String,
    /// The name people see.
    pub title: String,
    /// What it is worth.
    #[serde(default)]
    pub points: f32,
    /// Failing it makes the whole score 0.
    #[serde(default)]
    pub fatal: bool,
    /// Put on the session when it fails.
    pub tag: Option<String>,
    /// The rule is asked only when this holds.
    pub when: Option<Check>,
    /// The question.
    pub check: Check,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    scorecard: u64,
    id: String,
    version: String,
    title: String,
}

/// Reads a scorecard.
///
/// # Errors
/// Every problem with its place and mend.
pub fn load(file: &str, text: &str) -> Result<Scorecard, Vec<Problem>> {
    let whole = syntax::parse(file, text)?;
    let problem = |at: syntax::Place, what: String| Problem {
        id: "Q100",
        severity: Severity::Error,
        file: file.to_owned(),
        line: at.line,
        column: at.column,
        what,
        mend: Some("scorecards/first.yaml shows the form".to_owned()),
    };
    let Kind::Map(pairs) = &whole.kind else { return Err(vec![problem(whole.at, "a scorecard is a map".to_owned())]) };
    let head = pairs.iter().filter(|pair| pair.key != "rules").map(|pair| (pair.key.clone(), json(&pair.value))).collect::<Map<_, _>>();
    let head: Head = serde_json::from_value(Value::Object(head)).map_err(|why| vec![problem(whole.at, why.to_string())])?;
    if head.scorecard != FORMAT {
        return Err(vec![problem(
            whole.at,
            format!("scorecard: {} is a format this version does not read; it reads {FORMAT}", head.scorecard),
        )]);
    }
    let Some(Yaml { kind: Kind::List(list), .. }) = whole.get("rules") else {
        return Err(vec![problem(whole.at, "rules: a list of rules is wanted".to_owned())]);
    };
    let (mut rules, mut problems): (Vec<Rule>, Vec<Problem>) = (Vec::new(), Vec::new());
    for one in list.iter().take(RULES) {
        match serde_json::from_value::<Rule>(json(one)) {
            Ok(rule) if rules.iter().any(|other| other.id == rule.id) => {
                problems.push(problem(one.at, format!("rule '{}' stands here twice", rule.id)))
            }
            Ok(rule) => rules.push(rule),
            Err(why) => problems.push(problem(one.at, why.to_string())),
        }
    }
    let phrases = compile(&rules).map_err(|why| vec![problem(whole.at, why)])?;
    if problems.is_empty() {
        Ok(Scorecard { id: format!("{}@{}", head.id, head.version), title: head.title, rules, phrases })
    } else {
        Err(problems)
    }
}

fn json(yaml: &Yaml) -> Value {
    match &yaml.kind {
        Kind::Null => Value::Null,
        Kind::Bool(bool) => Value::Bool(*bool),
        Kind::Number(text) => text.parse::<serde_json::Number>().map_or_else(|_| Value::from(text.as_str()), Value::Number),
        Kind::Text(text) => Value::from(text.as_str()),
        Kind::List(list) => list.iter().map(json).collect(),
        Kind::Map(pairs) => Value::Object(pairs.iter().map(|pair| (pair.key.clone(), json(&pair.value))).collect()),
    }
}

fn compile(rules: &[Rule]) -> Result<Phrases, String> {
    let (mut phrases, mut expressions) = (BTreeSet::new(), BTreeSet::new());
    for rule in rules {
        for check in rule.when.iter().chain([&rule.check]) {
            collect(check, &mut phrases, &mut expressions);
        }
    }
    Phrases::compile(phrases, expressions)
}

fn collect(check: &Check, phrases: &mut BTreeSet<String>, expressions: &mut BTreeSet<String>) {
    match check {
        Check::All(all) | Check::Any(all) => all.iter().for_each(|one| collect(one, phrases, expressions)),
        Check::Sequence(sequence) => sequence.of.iter().for_each(|one| collect(one, phrases, expressions)),
        Check::Not(one) => collect(one, phrases, expressions),
        Check::Count(count) => collect(&count.of, phrases, expressions),
        Check::Said(said) => {
            phrases.extend(words(said).cloned());
            expressions.extend(said.regex.clone());
            collect_scope(&said.within, phrases, expressions);
        }
        Check::Speed(speed) => collect_scope(&speed.within, phrases, expressions),
        Check::Repeat(repeat) => collect_scope(&repeat.within, phrases, expressions),
        _ => {}
    }
}

fn collect_scope(scope: &Scope, phrases: &mut BTreeSet<String>, expressions: &mut BTreeSet<String>) {
    scope.after.iter().chain(&scope.before).for_each(|one| collect(one, phrases, expressions));
}

fn words(said: &Said) -> impl Iterator<Item = &String> {
    let near = said.near.iter().flat_map(|near| &near.words);
    let least = said.at_least.iter().flat_map(|least| &least.of);
    said.any.iter().chain(&said.all).chain(&said.none).chain(near).chain(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_scorecard_loads() {
        let card = load("first.yaml", FIRST).unwrap();
        assert!(card.rules.len() >= 6);
        let points: f32 = card.rules.iter().map(|rule| rule.points).sum();
        assert_eq!(points, 100.0);
    }

    #[test]
    fn a_wrong_rule_is_named_with_its_place() {
        let text = "scorecard: 1\nid: a\nversion: \"1\"\ntitle: t\nrules:\n  - {id: x, title: x, check: {sayd: {any: [a]}}}\n";
        let problems = load("a.yaml", text).unwrap_err();
        assert_eq!((problems[0].file.as_str(), problems[0].line), ("a.yaml", 6));
        assert!(problems[0].what.contains("sayd"), "{}", problems[0].what);
    }
}
