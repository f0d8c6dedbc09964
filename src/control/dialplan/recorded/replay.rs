//! A recorded session once more, through a draft of its plan: does it lead elsewhere?

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Destination, Input, Recorded};
use crate::control::dialplan::plan::Plan;
use crate::control::dialplan::sim::{Joined, Mock, Simulation, Turn};
use crate::control::words::QueueId;

/// The same seed for each session: a replay says the same today and tomorrow.
const SEED: u64 = 1;
/// Pauses after keys, until the runner has taken them.
const MOST_PAUSES: usize = 4;

/// What came of a replay.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Replayed {
    /// It leads to the same.
    Same,
    /// It leads elsewhere.
    Changed {
        /// Where it led.
        before: Destination,
        /// Where the draft leads.
        after: Destination,
        /// What the caller did when they parted, and the nodes then.
        at: Parting,
    },
    /// The log does not say enough.
    NotReplayed {
        /// Why.
        why: String,
    },
}

/// Where two ways part.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Parting {
    /// The sentence or keys; empty: before the caller did anything.
    pub input: String,
    /// The nodes before.
    pub before: Vec<String>,
    /// The nodes of the draft.
    pub after: Vec<String>,
}

/// How a plan takes the recorded session.
#[derive(Debug)]
pub struct Run {
    /// Where it leads.
    pub destination: Destination,
    /// The turns; the first is the greeting.
    pub turns: Vec<Turn>,
    /// Lookups it asked for that the log has no answer of.
    pub unknown: Vec<String>,
}

/// Runs a recorded session through a plan.
#[must_use]
pub fn run(recorded: &Recorded, plan: &Arc<Plan>) -> Run {
    let mut simulation = Simulation::new(Arc::clone(plan), recorded.start.clone(), recorded.began, SEED, recorded.world());
    let queues = super::queues(Some(plan));
    for turn in &recorded.turns {
        if reached(simulation.turns(), &queues).is_some() && recorded.queue.is_none() || simulation.runner().is_over() {
            break;
        }
        feed(&mut simulation, &turn.input);
    }
    let turns = simulation.turns().to_vec();
    let last = turns.iter().rev().find_map(|turn| turn.nodes.last()).cloned().unwrap_or_default();
    let destination = reached(&turns, &queues).unwrap_or(Destination::Stands(last));
    let asked = turns.iter().flat_map(|turn| &turn.notes).filter_map(|note| note.strip_prefix("lookup ")?.split_once(':'));
    let unknown = asked.map(|(name, _)| name.to_owned()).filter(|name| !recorded.lookups.contains_key(name)).collect();
    Run { destination, turns, unknown }
}

/// One input, as the runner gets it in a call.
pub fn feed(simulation: &mut Simulation, input: &Input) {
    match input {
        Input::Said(text, confidence) => drop(simulation.hear(text, None, *confidence)),
        Input::Noise => drop(simulation.noise()),
        Input::Silence => drop(simulation.silence()),
        Input::Pressed(keys) => {
            simulation.press(keys);
            for _ in 0..MOST_PAUSES {
                if !simulation.runner().is_keying() {
                    break;
                }
                simulation.pause();
            }
        }
    }
}

/// The first thing that takes the caller away from the plan.
fn reached(turns: &[Turn], queues: &BTreeMap<QueueId, String>) -> Option<Destination> {
    let mut node = String::new();
    for turn in turns {
        node = turn.nodes.last().cloned().unwrap_or(node);
        if let Some(Joined { queue, .. }) = &turn.queue {
            return Some(Destination::Queue(queues.get(queue).cloned().unwrap_or_else(|| queue.to_string())));
        }
        for note in &turn.notes {
            if note.starts_with("transfer to ") {
                return Some(Destination::Transfer);
            }
            if let Some(mode) = note.strip_prefix("left message (").and_then(|rest| rest.split(')').next()) {
                return Some(Destination::Message(mode.to_owned()));
            }
            if note.starts_with("callback to ") {
                return Some(Destination::Callback);
            }
        }
        if turn.end.is_some() {
            return Some(Destination::End(node));
        }
    }
    None
}

/// Replays a session through a draft. `published` is the plan it ran on, when that version is at hand: then the replay is proven by
/// giving what the log has. `renamed` gives nodes their names in the draft.
#[must_use]
pub fn replay(recorded: &Recorded, published: Option<&Arc<Plan>>, draft: &Arc<Plan>, renamed: &BTreeMap<String, String>) -> Replayed {
    if !recorded.closed {
        return Replayed::NotReplayed { why: "the session is still running".to_owned() };
    }
    if let Some(why) = published.and_then(|plan| unlike(recorded, &run(recorded, plan))) {
        return Replayed::NotReplayed { why };
    }
    let after = run(recorded, draft);
    let before = rename(&recorded.destination, renamed);
    if before == after.destination {
        return Replayed::Same;
    }
    if let Some(name) = after.unknown.first() {
        return Replayed::NotReplayed { why: format!("the draft asks lookup '{name}', and the log has no answer of it") };
    }
    if let Some((name, field)) = lacks(recorded, draft) {
        return Replayed::NotReplayed { why: format!("the draft picks '{field}' of lookup '{name}', which the log does not have") };
    }
    let at = parting(recorded, &after.turns, renamed);
    Replayed::Changed { before: recorded.destination.clone(), after: after.destination, at }
}

/// Why the log does not say enough: the plan of that time goes another way with what it says.
fn unlike(recorded: &Recorded, run: &Run) -> Option<String> {
    let was = recorded.nodes();
    let is: Vec<&str> = run.turns.iter().flat_map(|turn| &turn.nodes).map(String::as_str).collect();
    let common = was.len().min(is.len());
    let parts = (0..common).find(|at| was[*at] != is[*at]);
    let at = match parts {
        Some(at) => at,
        None if run.destination == recorded.destination => return None,
        None => common,
    };
    let node = |nodes: &[&str]| nodes.get(at).map_or("nothing", |node| node).to_owned();
    let gaps = if recorded.gaps.is_empty() { String::new() } else { format!(" ({})", recorded.gaps.join("; ")) };
    Some(format!("with what the log says its own version goes to {} where it went to {}{gaps}", node(&is), node(&was)))
}

fn rename(destination: &Destination, renamed: &BTreeMap<String, String>) -> Destination {
    let now = |node: &String| renamed.get(node).unwrap_or(node).clone();
    match destination {
        Destination::End(node) => Destination::End(now(node)),
        Destination::Stands(node) => Destination::Stands(now(node)),
        other => other.clone(),
    }
}

/// A field that the draft picks and no recorded answer has.
fn lacks(recorded: &Recorded, draft: &Plan) -> Option<(String, String)> {
    recorded.lookups.iter().find_map(|(name, answers)| {
        let picks = &draft.values.lookups.get(name)?.pick;
        let has = |field: &str| answers.iter().any(|answer| matches!(answer, Mock::Answer(value) if value.get(field).is_some()));
        let found = answers.iter().any(|answer| matches!(answer, Mock::Answer(_)));
        picks.iter().find(|(field, _)| found && !has(field)).map(|(field, _)| (name.clone(), field.clone()))
    })
}

/// The first turn with other nodes.
fn parting(recorded: &Recorded, turns: &[Turn], renamed: &BTreeMap<String, String>) -> Parting {
    let now = |nodes: &[String]| nodes.iter().map(|node| renamed.get(node).unwrap_or(node).clone()).collect::<Vec<_>>();
    let none = Vec::new();
    let opening = turns.first().map_or(&none, |turn| &turn.nodes);
    if now(&recorded.opening) != *opening {
        return Parting { input: String::new(), before: recorded.opening.clone(), after: opening.clone() };
    }
    for (at, turn) in recorded.turns.iter().enumerate() {
        let after = turns.get(at + 1).map_or(&none, |turn| &turn.nodes);
        if now(&turn.nodes) != *after {
            return Parting { input: shown(&turn.input), before: turn.nodes.clone(), after: after.clone() };
        }
    }
    Parting::default()
}

/// An input as people read it.
#[must_use]
pub fn shown(input: &Input) -> String {
    match input {
        Input::Said(text, _) => text.clone(),
        Input::Pressed(keys) => format!("#{keys}"),
        Input::Noise => "(noise)".to_owned(),
        Input::Silence => "(silence)".to_owned(),
    }
}
