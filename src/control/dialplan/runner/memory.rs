//! What is known in a conversation, and how expressions and texts see it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::temper::Temper;
use super::{Medium, Start};
use crate::control::dialplan::expr::{Path, Scope};
use crate::control::dialplan::plan::{Mask, Plan};
use crate::control::time::Time;
use crate::control::words::Lang;
use crate::nlu::Meanings;

/// Transcript lines kept for the agent.
const MOST_LINES: usize = 60;

/// All that was said, filled and found.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What was known at the start.
    pub start: Start,
    /// Slot values.
    pub slots: BTreeMap<String, Value>,
    /// Slots whose value needs no read-back any more.
    pub sure: BTreeSet<String>,
    /// `set` and `save_as`.
    pub vars: BTreeMap<String, Value>,
    /// What lookups picked.
    pub found: BTreeMap<String, Value>,
    /// The last accepted intent, and all of them.
    pub intents: Vec<String>,
    /// Who said what.
    pub transcript: Vec<(&'static str, String)>,
    /// Caller turns so far.
    pub turn: u32,
    /// The caller's last sentence.
    pub last_said: String,
    /// What a sentence model says of it.
    pub last_meant: Meanings,
    /// How he sounds.
    pub temper: Temper,
}

impl Memory {
    /// At the start.
    #[must_use]
    pub fn new(start: Start) -> Memory {
        Memory {
            start,
            slots: BTreeMap::new(),
            sure: BTreeSet::new(),
            vars: BTreeMap::new(),
            found: BTreeMap::new(),
            intents: Vec::new(),
            transcript: Vec::new(),
            turn: 0,
            last_said: String::new(),
            last_meant: Meanings::default(),
            temper: Temper::default(),
        }
    }

    /// Call or chat.
    #[must_use]
    pub fn medium(&self) -> Medium {
        self.start.medium
    }

    /// A line of the transcript.
    pub fn line(&mut self, who: &'static str, text: &str) {
        if self.transcript.len() == MOST_LINES {
            self.transcript.remove(0);
        }
        self.transcript.push((who, text.to_owned()));
    }

    /// An intent was taken.
    pub fn intent(&mut self, name: &str) {
        self.intents.retain(|known| known != name);
        self.intents.push(name.to_owned());
    }

    /// What an agent sees, by the names of the plan's `context`.
    #[must_use]
    pub fn context(&self, names: &[String], plan: &Plan, node: &str) -> Map<String, Value> {
        let mut context = Map::new();
        context.insert("node".to_owned(), node.into());
        for name in names {
            match name.as_str() {
                "intent" => {
                    context.insert("intent".to_owned(), self.intents.last().cloned().into());
                    context.insert("intents".to_owned(), self.intents.clone().into());
                }
                "slots" => drop(context.insert("slots".to_owned(), Value::Object(self.shown_slots(plan)))),
                "lookups" => drop(context.insert("lookups".to_owned(), json!(self.found))),
                "transcript" => drop(context.insert("transcript".to_owned(), self.lines())),
                "customer" => drop(context.insert("customer".to_owned(), Value::Object(self.start.customer.clone()))),
                _ => {}
            }
        }
        context
    }

    /// The transcript as JSON.
    #[must_use]
    pub fn lines(&self) -> Value {
        self.transcript.iter().map(|(who, text)| json!({"by": who, "text": text})).collect()
    }

    fn shown_slots(&self, plan: &Plan) -> Map<String, Value> {
        let masked = |name: &str| plan.values.slots.get(name).is_some_and(|slot| slot.mask == Mask::Masked);
        let known = self.slots.iter().filter(|(_, value)| !value.is_null());
        known.map(|(name, value)| (name.clone(), if masked(name) { "***".into() } else { value.clone() })).collect()
    }
}

/// Memory with the moment, for expressions and texts.
pub struct View<'m> {
    /// What is known.
    pub memory: &'m Memory,
    /// The plan.
    pub plan: &'m Plan,
    /// The moment.
    pub now: Time,
    /// The language spoken.
    pub lang: &'m Lang,
}

impl Scope for View<'_> {
    fn value(&self, path: &Path) -> Option<Value> {
        let memory = self.memory;
        let below = |root: &Value| path.follow(root).cloned();
        let of_map = |map: &Map<String, Value>| below(&Value::Object(map.clone()));
        let root = path.root.as_str();
        if let Some(value) = memory.vars.get(root).or_else(|| memory.slots.get(root)).or_else(|| memory.found.get(root)) {
            return below(value);
        }
        match root {
            "lang" => below(&self.lang.to_string().into()),
            "now" => below(&self.now.millis().into()),
            "intent" => below(&memory.intents.last().cloned().into()),
            "caller" => below(&json!({"phone": memory.start.caller.phone, "external_id": memory.start.caller.external_id})),
            "caller_id" => below(&memory.start.caller.phone.clone().into()),
            "customer" => of_map(&memory.start.customer),
            "session" => of_map(&memory.start.session),
            "call" => of_map(&memory.start.call),
            "lookups" => below(&json!({"used": !memory.found.is_empty()})),
            "calendar" => below(&self.calendar()),
            _ => None,
        }
    }
}

impl View<'_> {
    /// Date and clock where the center is.
    #[must_use]
    pub fn local(&self) -> jiff::civil::DateTime {
        let around = &self.plan.surroundings;
        let calendar = around.calendar.as_ref().and_then(|name| around.calendars.get(name));
        calendar.cloned().unwrap_or_default().local(self.now).datetime()
    }

    fn calendar(&self) -> Value {
        let around = &self.plan.surroundings;
        match around.calendar.as_ref().and_then(|name| around.calendars.get(name)) {
            Some(calendar) => json!({"open": calendar.is_open(self.now), "open_text": calendar.open_text(self.lang.speech())}),
            None => json!({"open": true, "open_text": ""}),
        }
    }
}
