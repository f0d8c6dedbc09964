//! Plans out of other systems' files: Asterisk's extensions.conf and TwiML. What has no counterpart is left out and said, with its line.

mod asterisk;
mod condition;
mod conf;
mod join;
mod twiml;
mod xml;

use std::collections::{BTreeMap, BTreeSet};

pub use asterisk::asterisk;
pub use join::{included, is_meant};
pub use twiml::twiml;

use super::format::{canonical, quoted};
use super::load::{Source, load};
use super::problem::{Problem, Severity};

/// Rounds of a circle that waits for nobody, in the imported plan.
const ROUNDS: usize = 3;
/// More nodes than this are no plan of a hotline.
const MOST_NODES: usize = 5_000;

/// Something that was left out or guessed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
pub struct Note {
    /// The source's file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What, and what to do about it.
    pub what: String,
}

/// What came of an import.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The plan's text.
    pub plan: String,
    /// The calendars and queues that it needs.
    pub desk: String,
    /// What was left out or guessed, by file and line.
    pub notes: Vec<Note>,
    /// What lint says of the plan; no errors.
    pub warnings: Vec<Problem>,
}

/// How the plan is called, and in which language it speaks.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The plan's id.
    pub id: String,
    /// Its language.
    pub lang: String,
    /// Where calls come in: a context of extensions.conf.
    pub entry: Option<String>,
}

/// A plan as it grows.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    pub start: String,
    pub numbers: Vec<String>,
    pub defaults: Vec<String>,
    pub slots: BTreeMap<String, String>,
    pub nodes: BTreeMap<String, Vec<String>>,
    pub queues: BTreeSet<String>,
    pub calendars: BTreeMap<String, String>,
    pub notes: BTreeSet<Note>,
}

impl Sketch {
    /// Notes what could not be kept.
    pub fn note(&mut self, file: &str, line: usize, what: impl Into<String>) {
        self.notes.insert(Note { file: file.to_owned(), line, what: what.into() });
    }

    fn plan(&self, wanted: &Wanted) -> String {
        let mut text =
            format!("dialplan: 1\nid: {}\nlanguages: [{}]\nstart: {}\n", quoted(&wanted.id), quoted(&wanted.lang), quoted(&self.start));
        if !self.numbers.is_empty() {
            let numbers: Vec<String> = self.numbers.iter().map(|number| format!("\"{number}\"")).collect();
            text += &format!("numbers: [{}]\n", numbers.join(", "));
        }
        if !self.defaults.is_empty() {
            text += &format!("defaults: {{{}}}\n", self.defaults.join(", "));
        }
        if !self.slots.is_empty() {
            text += "slots:\n";
            self.slots.iter().for_each(|(name, slot)| text += &format!("  {}: {slot}\n", quoted(name)));
        }
        text += "nodes:\n";
        for (name, steps) in &self.nodes {
            text += &format!("  {}:\n", quoted(name));
            steps.iter().for_each(|step| text += &format!("    - {{{step}}}\n"));
        }
        text
    }

    fn desk(&self) -> String {
        let mut text = String::new();
        if !self.calendars.is_empty() {
            text += "calendars:\n";
            self.calendars.iter().for_each(|(name, calendar)| text += &format!("  {}: {calendar}\n", quoted(name)));
        }
        if !self.queues.is_empty() {
            text += "queues:\n";
            self.queues.iter().for_each(|name| text += &format!("  {}: {{ring: 20s}}\n", quoted(name)));
        }
        text
    }

    /// Drops what nothing leads to.
    fn only_reached(&mut self) {
        let mut open = vec![self.start.clone()];
        let mut seen = BTreeSet::new();
        let names: Vec<String> = self.nodes.keys().cloned().collect();
        while let Some(node) = open.pop() {
            if seen.insert(node.clone()) {
                let text = self.nodes.get(&node).map(|steps| steps.join(" ")).unwrap_or_default() + " " + &self.defaults.join(" ");
                let words: BTreeSet<&str> = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).collect();
                open.extend(names.iter().filter(|name| words.contains(name.as_str())).cloned());
            }
        }
        self.nodes.retain(|name, _| seen.contains(name));
    }

    /// The finished plan: a circle that waits for nobody gets a limit.
    fn finish(mut self, wanted: &Wanted) -> Result<Imported, Vec<Problem>> {
        self.only_reached();
        let mut rounds = self.nodes.len().min(MOST_NODES);
        loop {
            let (plan, desk) = (self.plan(wanted), self.desk());
            let mut sources = vec![Source { name: format!("{}.yaml", wanted.id), text: plan }];
            if !desk.is_empty() {
                sources.push(Source { name: "desk.yaml".to_owned(), text: desk });
            }
            let problems = load(&sources, &BTreeMap::new()).problems;
            let error = problems.iter().find(|problem| problem.severity == Severity::Error);
            let Some(error) = error else { return Ok(self.done(&sources, problems)) };
            let circle = error.what.split('\'').nth(1).filter(|_| error.id == "D123").map(str::to_owned);
            match circle.filter(|_| rounds > 0) {
                Some(node) => self.limit(&node),
                None => return Err(problems),
            }
            rounds -= 1;
        }
    }

    fn limit(&mut self, node: &str) {
        if let Some(steps) = self.nodes.get_mut(node) {
            steps.insert(0, format!("limit: {ROUNDS}, then: end"));
        }
        let what = format!("node {node} can come back to itself without asking anything: after {ROUNDS} rounds the call ends");
        self.note("", 0, what);
    }

    fn done(self, sources: &[Source], warnings: Vec<Problem>) -> Imported {
        let text = |at: usize| sources.get(at).map(|source| canonical(source).unwrap_or_else(|_| source.text.clone()));
        Imported { plan: text(0).unwrap_or_default(), desk: text(1).unwrap_or_default(), notes: self.notes.into_iter().collect(), warnings }
    }
}

/// Letters, digits, `_` and `-`; never a reserved word.
fn name_of(parts: &[&str]) -> String {
    let joined = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("_");
    let name: String = joined.chars().map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect();
    let name = if name.is_empty() { "node".to_owned() } else { name };
    if matches!(name.as_str(), "keys" | "back" | "repeat" | "end" | "human") { format!("{name}_") } else { name }
}

/// The words that a recording's name suggests: `custom/main-menu` is "main menu".
fn words_of_file(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    let base = base.split('.').next().unwrap_or(base);
    let words: String = base.chars().map(|c| if matches!(c, '-' | '_') { ' ' } else { c }).collect();
    if words.trim().is_empty() { "prompt".to_owned() } else { words.trim().to_owned() }
}

/// A text in the plan's language; braces are no variables.
fn texts(id: Option<&str>, lang: &str, text: &str) -> String {
    let id = id.map(|id| format!("id: {}, ", quoted(id))).unwrap_or_default();
    format!("{{{id}{}: {}}}", quoted(lang), quoted(text))
}

#[cfg(test)]
mod tests;
