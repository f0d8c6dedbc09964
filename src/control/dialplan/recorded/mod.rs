//! A session of the log, as the plan met it: what the caller said and pressed, what lookups answered, where it led. What the log does
//! not have is said, not invented.

pub mod case;
pub mod look_alike;
pub mod replay;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::plan::{ARM_OF, Plan};
use super::runner::{Caller, Medium, Start};
use super::sim::{Mock, World};
use super::wish::QueueEnd;
use crate::control::discreet::{HIDDEN_KEY, SECRET};
use crate::control::event::{Author, DomainEvent, Fact};
use crate::control::session::identity::phone_number;
use crate::control::time::Time;
use crate::control::words::chat::Content;
use crate::control::words::decision::{REPROMPT, UNANSWERED, is_news};
use crate::control::words::{QueueId, RecordingId};

/// The plan's words twice with at least this between them, and nothing else: the caller was silent.
const SILENT: Duration = Duration::from_secs(3);
/// What the simulator takes for the length of a message when the log has none.
const MESSAGE: Duration = Duration::from_secs(5);

/// What the caller did.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// He said or wrote something; the recognizer was this sure.
    Said(String, f32),
    /// He pressed keys.
    Pressed(String),
    /// Sound without words.
    Noise,
    /// He said nothing until the plan went on.
    Silence,
}

/// One turn of the caller and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// What he did.
    pub input: Input,
    /// The nodes that were entered then.
    pub nodes: Vec<String>,
    /// The slots that were filled then.
    pub slots: BTreeMap<String, Value>,
    /// How it was understood.
    pub decision: Option<String>,
}

/// Where a conversation led.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "to", content = "name", rename_all = "snake_case")]
pub enum Destination {
    /// Into this line.
    Queue(String),
    /// To another phone.
    Transfer,
    /// A message was left in this mode.
    Message(String),
    /// A call back was promised.
    Callback,
    /// The plan ended in this node.
    End(String),
    /// The caller hung up in this node, or the words end there.
    Stands(String),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Destination::Queue(name) => write!(f, "queue {name}"),
            Destination::Transfer => write!(f, "transfer"),
            Destination::Message(mode) => write!(f, "left message ({mode})"),
            Destination::Callback => write!(f, "callback"),
            Destination::End(node) => write!(f, "the end in {node}"),
            Destination::Stands(node) => write!(f, "{node}, without an end"),
        }
    }
}

/// A recorded session.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// `ses_…`
    pub session: String,
    /// The plan's id and version.
    pub plan: Option<(String, String)>,
    /// When it began.
    pub began: Time,
    /// With what.
    pub start: Start,
    /// The nodes before the caller did anything.
    pub opening: Vec<String>,
    /// What he did.
    pub turns: Vec<Turn>,
    /// What lookups answered, by name and in order.
    pub lookups: BTreeMap<String, Vec<Mock>>,
    /// How the wait in a line ended.
    pub queue: Option<QueueEnd>,
    /// The length of what was recorded for a slot or a message.
    pub message: Option<Duration>,
    /// Where it led.
    pub destination: Destination,
    /// Is it over?
    pub closed: bool,
    /// What the log does not have, or what was inferred.
    pub gaps: Vec<String>,
}

impl Recorded {
    /// What the outside answered.
    #[must_use]
    pub fn world(&self) -> World {
        let mock = |answers: &Vec<Mock>| match answers.as_slice() {
            [one] => one.clone(),
            many => Mock::InTurn(many.to_vec()),
        };
        let lookups = self.lookups.iter().map(|(name, answers)| (name.clone(), mock(answers))).collect();
        World { lookups, queue: self.queue.clone(), transfer: None, recorded: self.message }
    }

    /// All nodes in order.
    #[must_use]
    pub fn nodes(&self) -> Vec<&str> {
        self.opening.iter().chain(self.turns.iter().flat_map(|turn| &turn.nodes)).map(String::as_str).collect()
    }
}

/// Reads a session's facts, in the order of the log. `plan` names the queues; `customer` is what was known of the caller.
#[must_use]
pub fn reconstruct(facts: &[DomainEvent], customer: Map<String, Value>, plan: Option<&Plan>) -> Option<Recorded> {
    let (began, created) = facts.iter().find_map(|event| match &event.fact {
        created @ Fact::SessionCreated { .. } => Some((event.at, created)),
        _ => None,
    })?;
    let Fact::SessionCreated { session, channel, address, entry, plan: id, plan_version, .. } = created else { return None };
    let recorded = Recorded {
        session: session.to_string(),
        plan: id.clone().zip(plan_version.clone()),
        began,
        start: start(channel, address, entry, customer),
        opening: Vec::new(),
        turns: Vec::new(),
        lookups: BTreeMap::new(),
        queue: None,
        message: Some(MESSAGE),
        destination: Destination::Stands(String::new()),
        closed: false,
        gaps: Vec::new(),
    };
    let notes = notes(facts);
    let (queues, opened) = (queues(plan), Vec::new());
    let mut reading = Reading { recorded, queues, said: None, moved: true, notes, in_note: None, reached: None, opened };
    facts.iter().for_each(|event| reading.take(event));
    Some(reading.finish())
}

fn start(channel: &str, address: &str, entry: &str, mut customer: Map<String, Value>) -> Start {
    let voice = channel == "voice" || channel == "phone";
    let phone = if voice { Some(phone_number(address)) } else { customer.get("phone").and_then(Value::as_str).map(str::to_owned) };
    if let Some(phone) = &phone {
        customer.entry("phone").or_insert_with(|| phone.clone().into());
    }
    let external_id = customer.get("external_id").and_then(Value::as_str).map(str::to_owned);
    let text = |value: &str| Value::String(value.to_owned());
    Start {
        medium: if voice { Medium::Voice } else { Medium::Chat },
        channel: if voice { "voice".to_owned() } else { channel.to_owned() },
        lang: None,
        caller: Caller { phone, external_id },
        customer,
        session: Map::new(),
        call: if voice { Map::from_iter([("to".to_owned(), text(entry)), ("from".to_owned(), text(address))]) } else { Map::new() },
        notices: Vec::new(),
    }
}

/// The names of a plan's queues.
pub(super) fn queues(plan: Option<&Plan>) -> BTreeMap<QueueId, String> {
    let steps = plan.into_iter().flat_map(|plan| plan.flow.nodes.values()).flat_map(|node| &node.steps);
    steps
        .filter_map(|step| if let super::plan::Verb::Queue(queue) = &step.verb { Some((queue.to, queue.name.clone())) } else { None })
        .collect()
}

/// Recordings of what the caller left by himself, as against those of the call.
fn notes(facts: &[DomainEvent]) -> Vec<RecordingId> {
    let mut notes = Vec::new();
    let mut last = None;
    for event in facts {
        match &event.fact {
            Fact::RecordingStarted { recording, .. } => last = Some(*recording),
            Fact::MessageLeft { recording, .. } => notes.extend(*recording),
            Fact::SlotFilled { value, .. } if value.get("recorded").is_some() => notes.extend(last),
            _ => {}
        }
    }
    notes
}

struct Reading {
    recorded: Recorded,
    queues: BTreeMap<QueueId, String>,
    /// When the plan last spoke.
    said: Option<Time>,
    /// Has anything happened since?
    moved: bool,
    notes: Vec<RecordingId>,
    in_note: Option<RecordingId>,
    reached: Option<Destination>,
    /// Tickets that this session opened.
    opened: Vec<u64>,
}

impl Reading {
    fn take(&mut self, event: &DomainEvent) {
        match &event.fact {
            Fact::MessageCreated { author: Author::Bot, lang, .. } => {
                self.silent_until(event.at);
                if self.said.is_none() {
                    self.recorded.start.lang.clone_from(lang);
                }
                (self.said, self.moved) = (Some(event.at), false);
                return;
            }
            Fact::RecordingStarted { recording, .. } if self.notes.contains(recording) => self.in_note = Some(*recording),
            Fact::RecordingFinished { recording, duration_ms, .. } if self.in_note == Some(*recording) => {
                self.in_note = None;
                self.recorded.message = Some(Duration::from_millis(*duration_ms));
            }
            Fact::RecordingStarted { .. }
            | Fact::RecordingFinished { .. }
            | Fact::RecordingPart { .. }
            | Fact::RecordingMasked { .. }
            | Fact::MessageDelivered { .. }
            | Fact::LegOpened { .. }
            | Fact::LegClosed { .. } => return,
            Fact::MessageCreated { author: Author::Customer, content: Content::Text { text }, confidence, .. } => {
                self.heard(text, confidence.unwrap_or(1.0));
            }
            Fact::MessageCreated { author: Author::Customer, .. } => {
                self.gap("a picture, file or place was sent; a plan cannot be told of it again");
            }
            Fact::KeyPressed { key, .. } => self.pressed(*key),
            Fact::NodeEntered { node, .. } => {
                self.silent_until(event.at);
                self.nodes().push(node.clone());
            }
            Fact::Understood { text, decision, .. } => self.understood(text, decision),
            Fact::SlotFilled { slot, value, masked, .. } => self.filled(slot, value, *masked),
            Fact::LookupDone { name, outcome, value, .. } => self.looked_up(name, outcome, value),
            Fact::TicketOpened { number, .. } => self.opened.push(*number),
            Fact::TicketLinked { number, kind, title, fields, .. } if !self.opened.contains(number) => {
                self.linked(*number, kind, title, fields);
            }
            fact => self.led(fact),
        }
        self.moved = true;
    }

    fn gap(&mut self, what: &str) {
        if !self.recorded.gaps.iter().any(|known| known == what) {
            self.recorded.gaps.push(what.to_owned());
        }
    }

    fn turn(&mut self, input: Input) {
        self.recorded.turns.push(Turn { input, nodes: Vec::new(), slots: BTreeMap::new(), decision: None });
    }

    /// The list that a node entered now belongs to. A chat's first line is there before the plan has begun.
    fn nodes(&mut self) -> &mut Vec<String> {
        let begins = self.recorded.start.medium == Medium::Chat && self.said.is_none();
        match self.recorded.turns.last_mut().filter(|turn| !begins || turn.decision.is_some()) {
            Some(turn) => &mut turn.nodes,
            None => &mut self.recorded.opening,
        }
    }

    /// The plan goes on though nobody did anything.
    fn silent_until(&mut self, now: Time) {
        let waited = self.said.is_some_and(|said| now.since(said) >= SILENT);
        if waited && !self.moved && self.recorded.start.medium == Medium::Voice && self.in_note.is_none() {
            self.turn(Input::Silence);
            self.gap("silence is no fact of the log: it was inferred from what the plan said next");
        }
    }

    fn heard(&mut self, text: &str, confidence: f32) {
        // Words of a message are for people: the plan does not hear them.
        if self.in_note.is_none()
            && self.recorded.queue.is_none()
            && !matches!(self.reached, Some(Destination::Queue(_) | Destination::Transfer))
        {
            self.turn(Input::Said(text.to_owned(), confidence));
        }
    }

    fn pressed(&mut self, key: char) {
        if self.in_note.is_some() || matches!(self.reached, Some(Destination::Queue(_) | Destination::Transfer)) {
            return;
        }
        let goes_on = |turn: &&mut Turn| turn.nodes.is_empty() && turn.slots.is_empty() && turn.decision.is_none();
        match self.recorded.turns.last_mut().filter(goes_on) {
            Some(Turn { input: Input::Pressed(keys), .. }) => keys.push(key),
            _ => self.turn(Input::Pressed(key.to_string())),
        }
    }

    fn understood(&mut self, text: &str, decision: &str) {
        // An unanswered question was heard in a turn of its own.
        if is_news(decision) || decision == UNANSWERED {
            return;
        }
        let fresh = self.recorded.turns.last().is_some_and(|turn| turn.decision.is_none() && turn.nodes.is_empty());
        if text.is_empty() && decision == REPROMPT && !fresh {
            self.turn(Input::Noise);
        }
        if let Some(turn) = self.recorded.turns.last_mut() {
            turn.decision.get_or_insert_with(|| decision.to_owned());
        }
    }

    fn filled(&mut self, slot: &str, value: &Value, masked: bool) {
        // The arm of a split was drawn, not said.
        if slot.starts_with(ARM_OF) {
            return;
        }
        if value.get("recorded").is_some() {
            let seconds = value.get("seconds").and_then(Value::as_u64);
            self.recorded.message = seconds.map(Duration::from_secs).or(self.recorded.message);
            return;
        }
        if masked {
            self.gap(&format!("the value of {slot} is masked in the log"));
        }
        let Some(turn) = self.recorded.turns.last_mut() else { return };
        if let Input::Pressed(keys) = &mut turn.input
            && keys.chars().all(|key| key == HIDDEN_KEY)
            && !masked
        {
            unhide(keys, &super::expr::plain(value));
        }
        turn.slots.insert(slot.to_owned(), value.clone());
    }

    fn looked_up(&mut self, name: &str, outcome: &str, value: &Value) {
        let mock = match outcome {
            "found" => Mock::Answer(value.clone()),
            "not_found" => Mock::NotFound,
            "timed_out" => Mock::TimedOut,
            _ => Mock::Failed,
        };
        self.recorded.lookups.entry(name.to_owned()).or_default().push(mock);
    }

    /// The ticket he was linked to was open when he came.
    fn linked(&mut self, number: u64, kind: &str, title: &str, fields: &Map<String, Value>) {
        let open = self.recorded.start.session.entry("open_tickets").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(open) = open {
            open.push(serde_json::json!({"number": number, "kind": kind, "title": title, "fields": fields}));
        }
    }

    fn led(&mut self, fact: &Fact) {
        let reached = match fact {
            Fact::Queued { queue, .. } => Some(Destination::Queue(self.queues.get(queue).cloned().unwrap_or_else(|| queue.to_string()))),
            Fact::MessageLeft { mode, .. } => Some(Destination::Message(mode.clone())),
            Fact::CallbackPromised { .. } => Some(Destination::Callback),
            Fact::CallBridged { agent: None, .. } => Some(Destination::Transfer),
            Fact::Dequeued { why, .. } => {
                self.recorded.queue = match why.as_str() {
                    "overflow" => Some(QueueEnd::Overflow(0)),
                    "answered" => Some(QueueEnd::Served),
                    _ => None,
                };
                None
            }
            Fact::SessionClosed { ending, .. } => {
                self.recorded.closed = true;
                let node = self.recorded.nodes().last().map(|node| (*node).to_owned()).unwrap_or_default();
                Some(match ending.as_str() {
                    "contained" | "plan_ended" => Destination::End(node),
                    "transferred" => Destination::Transfer,
                    "callback_promised" => Destination::Callback,
                    _ => Destination::Stands(node),
                })
            }
            _ => None,
        };
        self.reached = self.reached.take().or(reached);
    }

    fn finish(mut self) -> Recorded {
        let node = self.recorded.nodes().last().map(|node| (*node).to_owned()).unwrap_or_default();
        self.recorded.destination = self.reached.take().unwrap_or(Destination::Stands(node));
        self.guess_hidden_keys();
        let secret = |turn: &Turn| matches!(&turn.input, Input::Said(text, _) if text.contains(SECRET));
        if self.recorded.turns.iter().any(secret) {
            self.gap("a sentence is kept as [secret]: it answered the question for a masked slot");
        }
        self.recorded
    }

    /// Keys that the log hides: those of a value stand in the slot, those of a yes or no are told by what came next.
    fn guess_hidden_keys(&mut self) {
        let filled: Vec<Vec<String>> = self.recorded.turns.iter().map(|turn| turn.slots.keys().cloned().collect()).collect();
        let mut guessed = false;
        for (at, turn) in self.recorded.turns.iter_mut().enumerate() {
            let Input::Pressed(keys) = &mut turn.input else { continue };
            if keys.chars().all(|key| key == HIDDEN_KEY) && turn.slots.is_empty() {
                let before = filled[..at].iter().rev().find(|slots| !slots.is_empty());
                let again = before.is_some_and(|slots| filled[at + 1..].iter().flatten().any(|slot| slots.contains(slot)));
                *keys = if keys.len() == 1 { if again { "2" } else { "1" }.to_owned() } else { "0".repeat(keys.len()) };
                guessed = true;
            }
        }
        if guessed {
            self.gap("keys that are no choice of a menu are hidden in the log: some were inferred from what came next");
        }
    }
}

/// The keys of a value: those that were pressed were as many, a closing # included.
fn unhide(keys: &mut String, value: &str) {
    let digits: String = value.chars().filter(|c| c.is_ascii_digit() || *c == '*').collect();
    if digits.len() == keys.len() {
        *keys = digits;
    } else if digits.len() + 1 == keys.len() {
        *keys = digits + "#";
    }
}

#[cfg(test)]
mod tests;
