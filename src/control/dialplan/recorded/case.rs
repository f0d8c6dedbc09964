//! A test case out of a recorded session.

use std::sync::Arc;

use serde_json::Value;

use super::look_alike::LookAlikes;
use super::replay::{Run, feed, run};
use super::{Input, Recorded};
use crate::control::dialplan::expr::plain;
use crate::control::dialplan::format::{canonical, quoted};
use crate::control::dialplan::load::Source;
use crate::control::dialplan::plan::Plan;
use crate::control::dialplan::problem::Problem;
use crate::control::dialplan::runner::Medium;
use crate::control::dialplan::sim::{Mock, Simulation};
use crate::control::dialplan::wish::QueueEnd;
use crate::control::discreet::SECRET;

/// A written case.
#[derive(Clone, Debug)]
pub struct Written {
    /// The whole file.
    pub text: String,
    /// What the case does not hold to, and why.
    pub doubts: Vec<String>,
}

/// Writes a test file of one case. What the plan does with it now is expected; where that is not what the log has, it is said.
///
/// # Errors
/// When what was written is no test file, which only a broken plan can bring about.
pub fn write(recorded: &Recorded, plan: &Arc<Plan>, seed: u64) -> Result<Written, Vec<Problem>> {
    let alike = disguised(recorded, plan, seed);
    let now = run(&alike, plan);
    let doubts = doubts(recorded, &now);
    let mut text = format!(
        "# What session {} of {} said, with look-alikes in the place of personal data.\n",
        recorded.session,
        recorded.began.rfc3339().get(..10).unwrap_or_default()
    );
    doubts.iter().for_each(|doubt| text += &format!("# {doubt}\n"));
    text += &format!("tests: {}\ncases:\n  - name: {}\n", quoted(&plan.id), quoted(&name(recorded, &now)));
    text += &format!("    clock: {}\n", quoted(&recorded.began.rfc3339()));
    text += &beginning(&alike);
    text += &world(&alike);
    text += &turns(&alike, plan);
    text += &expectations(&alike, &now);
    let source = Source { name: "recorded.test.yaml".to_owned(), text };
    crate::control::dialplan::test_file::read(&source)?;
    Ok(Written { text: canonical(&source)?, doubts })
}

/// The session with nobody's data in it.
fn disguised(recorded: &Recorded, plan: &Plan, seed: u64) -> Recorded {
    let mut alikes = LookAlikes::new(seed);
    let mut alike = recorded.clone();
    let lang = recorded.start.lang.clone().unwrap_or_else(|| plan.default_lang());
    if let Some(phone) = &mut alike.start.caller.phone {
        *phone = alikes.of(&crate::control::dialplan::plan::SlotType::Phone, phone);
    }
    let customer = Value::Object(std::mem::take(&mut alike.start.customer));
    if let Value::Object(fields) = alikes.json(&customer) {
        alike.start.customer = fields;
    }
    if let Some(id) = alike.start.customer.get("external_id").map(plain) {
        alike.start.caller.external_id = Some(id);
    }
    let session = Value::Object(std::mem::take(&mut alike.start.session));
    if let Value::Object(fields) = alikes.json(&session) {
        alike.start.session = fields;
    }
    for turn in &mut alike.turns {
        disguise(turn, plan, &mut alikes, lang.speech());
    }
    for answers in alike.lookups.values_mut() {
        for answer in answers {
            if let Mock::Answer(value) = answer {
                *value = alikes.json(value);
            }
        }
    }
    alike
}

fn disguise(turn: &mut super::Turn, plan: &Plan, alikes: &mut LookAlikes, lang: &str) {
    let mut invented = None;
    for (name, value) in &mut turn.slots {
        let Some(slot) = plan.values.slots.get(name) else { continue };
        let was = plain(value);
        if was == "***" {
            *value = alikes.invented(slot).into();
            invented = Some(plain(value));
            continue;
        }
        *value = alikes.slot(slot, value);
        if let Input::Pressed(keys) = &mut turn.input
            && keys.trim_end_matches('#') == was
        {
            *keys = keys.replace(&was, &plain(value));
        }
    }
    match (&mut turn.input, invented) {
        (Input::Said(text, _), Some(value)) if text.contains(SECRET) || text.contains('[') => *text = value,
        (Input::Pressed(keys), Some(value)) => *keys = if keys.len() > value.len() { value + "#" } else { value },
        (Input::Said(text, _), _) => *text = alikes.sentence(text, plan, lang),
        _ => {}
    }
}

fn doubts(recorded: &Recorded, now: &Run) -> Vec<String> {
    let mut doubts = recorded.gaps.clone();
    let was = recorded.nodes();
    let is: Vec<&str> = now.turns.iter().flat_map(|turn| &turn.nodes).map(String::as_str).collect();
    if was != is {
        let at = (0..was.len().max(is.len())).find(|at| was.get(*at) != is.get(*at)).unwrap_or(0);
        let node = |nodes: &[&str]| nodes.get(at).map_or("nothing", |node| node).to_owned();
        doubts.push(format!("the session went to {} where the plan now goes to {}; the case holds to the plan", node(&was), node(&is)));
    }
    if recorded.destination != now.destination {
        doubts.push(format!("the session led to {}; the plan now leads to {}", recorded.destination, now.destination));
    }
    doubts.extend(now.unknown.iter().map(|name| format!("the log has no answer of lookup {name}: it fails in the case")));
    if recorded.turns.iter().any(|turn| matches!(turn.input, Input::Said(_, sure) if sure < 1.0)) {
        doubts.push("how sure the recognizer was cannot be told in a case: each sentence counts as surely heard".to_owned());
    }
    doubts
}

fn name(recorded: &Recorded, now: &Run) -> String {
    format!("as on {}, to {}", recorded.began.rfc3339().get(..16).unwrap_or_default().replace('T', " "), now.destination)
}

fn beginning(recorded: &Recorded) -> String {
    let start = &recorded.start;
    let mut text = String::new();
    let mut caller = Vec::new();
    caller.extend(start.caller.phone.as_ref().map(|phone| format!("phone: {}", quoted(phone))));
    caller.extend(start.caller.external_id.as_ref().map(|id| format!("external_id: {}", quoted(id))));
    if !caller.is_empty() {
        text += &format!("    caller: {{{}}}\n", caller.join(", "));
    }
    if !start.customer.is_empty() {
        text += &format!("    customer: {}\n", yaml(&Value::Object(start.customer.clone())));
    }
    if !start.session.is_empty() {
        text += &format!("    session: {}\n", yaml(&Value::Object(start.session.clone())));
    }
    if start.medium == Medium::Chat {
        text += &format!("    medium: chat\n    channel: {}\n", quoted(&start.channel));
    }
    text + &start.lang.as_ref().map(|lang| format!("    lang: {lang}\n")).unwrap_or_default()
}

fn world(recorded: &Recorded) -> String {
    let mut text = String::new();
    if !recorded.lookups.is_empty() {
        text += "    mock:\n";
        for (name, answers) in &recorded.lookups {
            let all: Vec<String> = answers.iter().map(mock).collect();
            let value = if let [one] = all.as_slice() { one.clone() } else { format!("{{in_turn: [{}]}}", all.join(", ")) };
            text += &format!("      {}: {value}\n", quoted(name));
        }
    }
    text += match &recorded.queue {
        Some(QueueEnd::Served) => "    queue: served\n",
        Some(QueueEnd::Overflow(_)) => "    queue: overflow\n",
        Some(QueueEnd::CallbackTaken) => "    queue: callback\n",
        None => "",
    };
    text + &match recorded.message {
        None => "    recorded: silence\n".to_owned(),
        Some(length) => format!("    recorded: {}s\n", length.as_secs().max(1)),
    }
}

fn mock(mock: &Mock) -> String {
    match mock {
        Mock::Answer(value) => yaml(value),
        Mock::NotFound => "not_found".to_owned(),
        Mock::TimedOut => "timeout".to_owned(),
        Mock::Failed => "error".to_owned(),
        Mock::InTurn(all) => format!("[{}]", all.iter().map(self::mock).collect::<Vec<_>>().join(", ")),
    }
}

/// JSON as YAML in one line.
fn yaml(value: &Value) -> String {
    match value {
        Value::Null => "~".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(yaml).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{}: {}", quoted(key), yaml(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

/// Keys that a pause ended are ended by # in a case, which knows no pauses.
fn turns(recorded: &Recorded, plan: &Arc<Plan>) -> String {
    if recorded.turns.is_empty() {
        return String::new();
    }
    let mut simulation = Simulation::new(Arc::clone(plan), recorded.start.clone(), recorded.began, 1, recorded.world());
    let mut text = String::from("    turns:\n");
    for turn in &recorded.turns {
        let line = match &turn.input {
            Input::Said(said, _) => format!("say: {}", quoted(said)),
            Input::Noise => "noise: true".to_owned(),
            Input::Silence => "silence: true".to_owned(),
            Input::Pressed(keys) => {
                simulation.press(keys);
                let end = if simulation.runner().is_keying() && !keys.ends_with('#') { "#" } else { "" };
                if !end.is_empty() {
                    simulation.press(end);
                }
                text += &format!("      - {{keys: {}}}\n", quoted(&format!("{keys}{end}")));
                continue;
            }
        };
        feed(&mut simulation, &turn.input);
        text += &format!("      - {{{line}}}\n");
    }
    text
}

fn expectations(recorded: &Recorded, now: &Run) -> String {
    let mut text = String::from("    expect:\n");
    let opening = now.turns.first().and_then(|turn| turn.nodes.last());
    text += &opening.map(|node| format!("      - {{at: 0, node: {}}}\n", quoted(node))).unwrap_or_default();
    for (at, turn) in now.turns.iter().enumerate().skip(1).take(recorded.turns.len()) {
        let mut parts = vec![format!("at: {at}")];
        parts.extend(turn.nodes.last().map(|node| format!("node: {}", quoted(node))));
        let slots: Vec<String> = turn
            .slots
            .iter()
            .filter(|(_, value)| value.is_string() && value.as_str() != Some("***"))
            .map(|(name, value)| format!("{}: {}", quoted(name), quoted(&plain(value))))
            .collect();
        parts.extend((!slots.is_empty()).then(|| format!("slots: {{{}}}", slots.join(", "))));
        if parts.len() > 1 {
            text += &format!("      - {{{}}}\n", parts.join(", "));
        }
    }
    match &now.destination {
        super::Destination::Queue(name) => text += &format!("      - {{queue: {}}}\n", quoted(name)),
        super::Destination::End(_) => {
            let contained = now.turns.iter().find_map(|turn| turn.end).is_some_and(|end| end.contained);
            text += &format!("      - {{end: hangup, contained: {contained}}}\n");
        }
        _ => {}
    }
    text
}
