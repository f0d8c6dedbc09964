//! Steps that hand the customer over: queue, transfer, leave a message.

use std::time::Duration;

use super::{Context, Fields, slot};
use crate::control::dialplan::plan::{LeaveMessage, OverflowStep, QueueStep, Transfer, TransferMode, Verb};
use crate::control::dialplan::syntax::{Kind, Yaml};
use crate::control::words::QueueId;

const PRIORITY: u8 = 5;
const HIGHEST: u8 = 9;
const RING: Duration = Duration::from_secs(25);
const LONGEST_MESSAGE: Duration = Duration::from_secs(120);

/// A queue by name.
pub fn queue_name(yaml: &Yaml, context: &mut Context<'_>) -> Option<(QueueId, String)> {
    let name = context.text(yaml, "a queue")?;
    context.seen.queues.push((name.clone(), yaml.at));
    Some((QueueId::of_name(&name), name))
}

/// A `queue` step.
pub fn queue(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    if yaml.scalar().is_some() {
        let (to, name) = queue_name(yaml, context)?;
        return Some(Verb::Queue(Box::new(bare(to, name))));
    }
    let mut fields = Fields::of(yaml, "queue", context)?;
    let (to, name) = fields.need("to", context).and_then(|yaml| queue_name(yaml, context))?;
    let mut step = bare(to, name);
    if let Some(list) = fields.take("skills") {
        step.skills = skills(list, context);
    }
    if let Some(yaml) = fields.take("priority") {
        step.priority = priority(yaml, context);
    }
    if let Some(yaml) = fields.take("context") {
        step.context = context_names(yaml, context);
    }
    if let Some(yaml) = fields.take("prefer_agent") {
        step.sticky = sticky(yaml, context);
    }
    if let Some(yaml) = fields.take("wait") {
        wait(yaml, &mut step, context);
    }
    if let Some(yaml) = fields.take("callback") {
        step.callback_after = callback(yaml, context);
    }
    if let Some(yaml) = fields.take("overflow") {
        step.overflow = context.list(yaml, "overflow").iter().filter_map(|entry| overflow(entry, context)).collect();
    }
    fields.finish(context);
    Some(Verb::Queue(Box::new(step)))
}

fn bare(to: QueueId, name: String) -> QueueStep {
    QueueStep {
        to,
        name,
        skills: Vec::new(),
        priority: (PRIORITY, Vec::new()),
        context: ["intent", "slots", "lookups", "transcript"].map(str::to_owned).to_vec(),
        sticky: None,
        music: None,
        announce: None,
        callback_after: None,
        overflow: Vec::new(),
    }
}

fn skills(yaml: &Yaml, context: &mut Context<'_>) -> Vec<crate::control::dialplan::template::Template> {
    let names = context.texts_list(yaml, "skills");
    names.into_iter().filter_map(|(name, at)| context.template_of(&name, at)).collect()
}

fn priority(yaml: &Yaml, context: &mut Context<'_>) -> (u8, Vec<(String, u8)>) {
    let Kind::Map(pairs) = &yaml.kind else {
        return (context.number(yaml, "priority", 0..=HIGHEST).unwrap_or(PRIORITY), Vec::new());
    };
    let mut priority = (PRIORITY, Vec::new());
    for pair in pairs {
        let Some(value) = context.number(&pair.value, "priority", 0..=HIGHEST) else { continue };
        if pair.key == "default" { priority.0 = value } else { priority.1.push((pair.key.clone(), value)) }
    }
    priority
}

fn context_names(yaml: &Yaml, context: &mut Context<'_>) -> Vec<String> {
    const KNOWN: [(&str, ()); 5] = [("intent", ()), ("slots", ()), ("lookups", ()), ("transcript", ()), ("customer", ())];
    let items = context.list(yaml, "context").iter();
    items.filter(|item| context.word(item, "context", &KNOWN).is_some()).filter_map(|item| item.scalar().map(str::to_owned)).collect()
}

fn sticky(yaml: &Yaml, context: &mut Context<'_>) -> Option<(Duration, Duration)> {
    let mut fields = Fields::of(yaml, "prefer_agent", context)?;
    if let Some(yaml) = fields.take("same_as") {
        context.word(yaml, "same_as", &[("last_session", ())]);
    }
    let within = fields.need("within", context).and_then(|yaml| context.duration(yaml, "within"));
    let wait = fields.need("wait", context).and_then(|yaml| context.duration(yaml, "wait"));
    fields.finish(context);
    within.zip(wait)
}

fn wait(yaml: &Yaml, step: &mut QueueStep, context: &mut Context<'_>) {
    let Some(mut fields) = Fields::of(yaml, "wait", context) else { return };
    step.music = fields.take("music").and_then(|yaml| context.text(yaml, "music"));
    let announces = fields.take("announce").is_some_and(|yaml| !context.texts_list(yaml, "announce").is_empty());
    let every = fields.take("every").and_then(|yaml| context.duration(yaml, "every"));
    step.announce = announces.then_some(every.unwrap_or(Duration::from_secs(30)));
    fields.finish(context);
}

fn callback(yaml: &Yaml, context: &mut Context<'_>) -> Option<Duration> {
    let mut fields = Fields::of(yaml, "callback", context)?;
    let after = fields.need("offer_after", context).and_then(|yaml| context.duration(yaml, "offer_after"));
    if let Some(yaml) = fields.take("keep_position") {
        context.truth(yaml, "keep_position");
    }
    fields.finish(context);
    after
}

fn overflow(yaml: &Yaml, context: &mut Context<'_>) -> Option<OverflowStep> {
    let mut fields = Fields::of(yaml, "an overflow entry", context)?;
    let after = fields.need("after", context).and_then(|yaml| context.duration(yaml, "after"));
    let widen = fields.take("widen").and_then(|yaml| queue_name(yaml, context));
    let goto = fields.take("goto").and_then(|yaml| context.target(yaml, "goto"));
    if widen.is_none() == goto.is_none() {
        context.mend("D105", yaml.at, "an overflow entry needs either 'widen' or 'goto'", "write {after: 4m, goto: leave}");
    }
    fields.finish(context);
    Some(OverflowStep { after: after?, widen, goto })
}

/// A `transfer` step.
pub fn transfer(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    if yaml.scalar().is_some() {
        let to = uri(yaml, context)?;
        return Some(Verb::Transfer(Box::new(blind(to))));
    }
    let mut fields = Fields::of(yaml, "transfer", context)?;
    let mut step = blind(fields.need("to", context).and_then(|yaml| uri(yaml, context))?);
    step.trunk = fields.take("trunk").and_then(|yaml| context.text(yaml, "trunk"));
    if let Some(yaml) = fields.take("mode") {
        let modes = [("bridge", TransferMode::Bridge), ("refer", TransferMode::Refer)];
        step.mode = context.word(yaml, "mode", &modes).unwrap_or_default();
    }
    step.headers = slot::templates(fields.take("headers"), "headers", context);
    step.ring = fields.take("ring").and_then(|yaml| context.duration(yaml, "ring")).unwrap_or(RING);
    step.on_busy = fields.take("on_busy").and_then(|yaml| context.target(yaml, "on_busy"));
    step.on_no_answer = fields.take("on_no_answer").and_then(|yaml| context.target(yaml, "on_no_answer"));
    step.on_failed = fields.take("on_failed").and_then(|yaml| context.target(yaml, "on_failed"));
    fields.finish(context);
    Some(Verb::Transfer(Box::new(step)))
}

fn uri(yaml: &Yaml, context: &mut Context<'_>) -> Option<crate::control::dialplan::template::Template> {
    let written = context.text(yaml, "transfer")?;
    let (text, missing) = context.environment(&written, yaml.at);
    for name in missing {
        context.warn(
            "D164",
            yaml.at,
            format!("the environment variable {name} has no value; the transfer fails"),
            format!("start with {name}=… set"),
        );
    }
    context.template_of(&text, yaml.at)
}

fn blind(to: crate::control::dialplan::template::Template) -> Transfer {
    Transfer {
        to,
        trunk: None,
        mode: TransferMode::Bridge,
        headers: Vec::new(),
        ring: RING,
        on_busy: None,
        on_no_answer: None,
        on_failed: None,
    }
}

/// A `leave_message` step.
pub fn leave_message(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    const MODES: [(&str, &str); 4] = [("form", "form"), ("waiting", "waiting"), ("ticket", "ticket"), ("bulletin", "bulletin")];
    let mut fields = Fields::of(yaml, "leave_message", context)?;
    let mode = fields.need("mode", context).and_then(|yaml| context.word(yaml, "mode", &MODES))?;
    let need = fields.take("need").map(|yaml| contacts(yaml, context)).unwrap_or_default();
    let max = fields.take("max").and_then(|yaml| context.duration(yaml, "max")).unwrap_or(LONGEST_MESSAGE);
    let prompt = fields.take("prompt").map(|yaml| context.texts(yaml, "the prompt")).unwrap_or_default();
    if let Some(yaml) = fields.take("triage") {
        triage(yaml, context);
    }
    fields.know(&["reply_by"]);
    fields.finish(context);
    Some(Verb::LeaveMessage(Box::new(LeaveMessage { mode: mode.to_owned(), need, max, prompt })))
}

fn contacts(yaml: &Yaml, context: &mut Context<'_>) -> Vec<String> {
    let Some(mut fields) = Fields::of(yaml, "need", context) else { return Vec::new() };
    let mut contacts = Vec::new();
    for item in fields.need("any_of", context).map(|yaml| context.list(yaml, "any_of")).unwrap_or_default() {
        contacts.extend(context.word(item, "a contact", &[("phone", "phone"), ("email", "email")]).map(str::to_owned));
    }
    fields.finish(context);
    contacts
}

fn triage(yaml: &Yaml, context: &mut Context<'_>) {
    let Some(mut fields) = Fields::of(yaml, "triage", context) else { return };
    for item in fields.take("drop_if").map(|yaml| context.list(yaml, "drop_if")).unwrap_or_default() {
        context.word(item, "drop_if", &[("silence", ()), ("under_3_words", ()), ("noise", ())]);
    }
    fields.know(&["priority_by"]);
    fields.finish(context);
}
