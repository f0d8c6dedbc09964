//! The desk file: calendars, queues, queue defaults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Context, Fields};
use crate::control::dialplan::calendar::{Calendar, Range, days};
use crate::control::dialplan::desk::Desk;
use crate::control::dialplan::syntax::{Kind, Pair, Yaml};
use crate::control::words::QueueId;
use crate::control::words::agent::AgentState;
use crate::control::words::directory::{Queue, Selection};

const RING: Duration = Duration::from_secs(20);
const WRAP_UP: Duration = Duration::from_secs(30);
const MAX_WAIT: Duration = Duration::from_secs(240);

/// The whole file.
pub fn desk(yaml: &Yaml, context: &mut Context<'_>) -> Desk {
    let Some(mut fields) = Fields::of(yaml, "the desk", context) else { return Desk::default() };
    let mut calendars = BTreeMap::new();
    let blocks = fields.take("calendars").and_then(|yaml| Fields::of(yaml, "calendars", context));
    for pair in blocks.iter().flat_map(Fields::pairs) {
        if let Some(calendar) = calendar(&pair.value, context) {
            calendars.insert(pair.key.clone(), calendar);
        }
    }
    let defaults = fields.take("defaults").map(|yaml| defaults(yaml, context)).unwrap_or_else(unnamed);
    let mut queues = BTreeMap::new();
    let blocks = fields.take("queues").and_then(|yaml| Fields::of(yaml, "queues", context));
    for pair in blocks.iter().flat_map(Fields::pairs) {
        context.check_name(&pair.key, pair.at, "a queue");
        if let Some(queue) = queue(pair, &defaults, context) {
            queues.insert(pair.key.clone(), queue);
        }
    }
    fields.finish(context);
    Desk { calendars: Arc::new(calendars), queues }
}

fn unnamed() -> Queue {
    Queue {
        id: QueueId(0),
        name: String::new(),
        selection: Selection::LongestIdle,
        skills: Vec::new(),
        cost: BTreeMap::from([("voice".to_owned(), 1.0), ("chat".to_owned(), 0.05)]),
        ring: RING,
        missed: AgentState::Away,
        wrap_up: WRAP_UP,
        max_wait: MAX_WAIT,
        sla: None,
    }
}

fn calendar(yaml: &Yaml, context: &mut Context<'_>) -> Option<Calendar> {
    let mut fields = Fields::of(yaml, "a calendar", context)?;
    let mut calendar = Calendar::default();
    if let Some(zone) = fields.need("tz", context)
        && let Some(name) = context.text(zone, "tz")
    {
        calendar.zone = TimeZone::get(&name).ok();
        if calendar.zone.is_none() {
            context.mend("D104", zone.at, format!("'{name}' is no time zone"), "an IANA name like Asia/Shanghai");
        }
    }
    let open = fields.need("open", context).and_then(|yaml| Fields::of(yaml, "open", context));
    for pair in open.iter().flat_map(Fields::pairs) {
        week(pair, &mut calendar, context);
    }
    let closed = fields.take("closed");
    for (text, at) in closed.map(|yaml| context.texts_list(yaml, "closed")).unwrap_or_default() {
        match span(&text) {
            Some(span) => calendar.closed.push(span),
            None => context.mend("D104", at, format!("'{text}' is no day"), "\"2027-02-06\" or \"2027-02-06..2027-02-08\""),
        }
    }
    let special = fields.take("special").and_then(|yaml| Fields::of(yaml, "special", context));
    for pair in special.iter().flat_map(Fields::pairs) {
        match pair.key.parse::<Date>() {
            Ok(date) => drop(calendar.special.insert(date, ranges(&pair.value, context))),
            Err(_) => context.mend("D104", pair.at, format!("'{}' is no day", pair.key), "\"2026-11-11\""),
        }
    }
    if closed.is_none() {
        context.warn(
            "D180",
            yaml.at,
            "the calendar has no holidays",
            "add closed: [\"2027-02-06..2027-02-12\"], or closed: [] when there are none",
        );
    }
    fields.finish(context);
    Some(calendar)
}

fn week(pair: &Pair, calendar: &mut Calendar, context: &mut Context<'_>) {
    let Some(days) = days(&pair.key) else {
        context.mend("D104", pair.at, format!("'{}' is no day of the week", pair.key), "daily, mon-fri, sat, sun …");
        return;
    };
    let ranges = ranges(&pair.value, context);
    for day in days {
        calendar.week[day].extend(&ranges);
    }
}

fn ranges(yaml: &Yaml, context: &mut Context<'_>) -> Vec<Range> {
    if yaml.scalar() == Some("closed") {
        return Vec::new();
    }
    let mut ranges = Vec::new();
    for (text, at) in context.texts_list(yaml, "hours") {
        match Range::parse(&text) {
            Some(range) => ranges.push(range),
            None => context.mend("D104", at, format!("'{text}' are no hours"), "\"08:00-24:00\""),
        }
    }
    ranges
}

fn span(text: &str) -> Option<(Date, Date)> {
    let (from, until) = text.split_once("..").unwrap_or((text, text));
    let span = (from.trim().parse().ok()?, until.trim().parse().ok()?);
    (span.0 <= span.1).then_some(span)
}

fn defaults(yaml: &Yaml, context: &mut Context<'_>) -> Queue {
    let mut queue = unnamed();
    let Some(mut fields) = Fields::of(yaml, "defaults", context) else { return queue };
    shared(&mut fields, &mut queue, context);
    fields.finish(context);
    queue
}

fn queue(pair: &Pair, defaults: &Queue, context: &mut Context<'_>) -> Option<Queue> {
    let mut queue = Queue { id: QueueId::of_name(&pair.key), name: pair.key.clone(), ..defaults.clone() };
    if pair.value.kind == Kind::Null {
        return Some(queue);
    }
    let mut fields = Fields::of(&pair.value, "a queue", context)?;
    shared(&mut fields, &mut queue, context);
    fields.finish(context);
    Some(queue)
}

/// The keys that a queue and the defaults have in common.
fn shared(fields: &mut Fields<'_>, queue: &mut Queue, context: &mut Context<'_>) {
    if let Some(yaml) = fields.take("order") {
        context.word(yaml, "order", &[("priority_then_wait", ())]);
    }
    if let Some(yaml) = fields.take("agent") {
        selection(yaml, queue, context);
    }
    if let Some(yaml) = fields.take("skills") {
        queue.skills = context.texts_list(yaml, "skills").into_iter().map(|(name, _)| name).collect();
    }
    if let Some(costs) = fields.take("cost").and_then(|yaml| Fields::of(yaml, "cost", context)) {
        for pair in costs.pairs() {
            if let Some(cost) = context.number(&pair.value, "cost", 0.0..=1.0) {
                queue.cost.insert(pair.key.clone(), cost);
            }
        }
    }
    if let Some(span) = fields.take("ring").and_then(|yaml| context.duration(yaml, "ring")) {
        queue.ring = span;
    }
    if let Some(span) = fields.take("max_wait").and_then(|yaml| context.duration(yaml, "max_wait")) {
        queue.max_wait = span;
    }
    if let Some(yaml) = fields.take("overflow") {
        context.word(yaml, "overflow", &[("leave_message", ())]);
    }
    if let Some(yaml) = fields.take("missed") {
        missed(yaml, queue, context);
    }
    if let Some(yaml) = fields.take("wrap_up") {
        wrap_up(yaml, queue, context);
    }
    if let Some(yaml) = fields.take("sla") {
        sla(yaml, queue, context);
    }
}

fn selection(yaml: &Yaml, queue: &mut Queue, context: &mut Context<'_>) {
    const WORDS: [(&str, Option<Selection>); 4] = [
        ("skills", None),
        ("sticky", None),
        ("longest_idle", Some(Selection::LongestIdle)),
        ("fewest_today", Some(Selection::FewestToday)),
    ];
    for item in context.list(yaml, "agent") {
        if let Some(Some(selection)) = context.word(item, "agent", &WORDS) {
            queue.selection = selection;
        }
    }
}

fn missed(yaml: &Yaml, queue: &mut Queue, context: &mut Context<'_>) {
    let Some(mut fields) = Fields::of(yaml, "missed", context) else { return };
    let states = [("away", AgentState::Away), ("available", AgentState::Available), ("offline", AgentState::Offline)];
    if let Some(state) = fields.take("agent_state").and_then(|yaml| context.word(yaml, "agent_state", &states)) {
        queue.missed = state;
    }
    if let Some(yaml) = fields.take("return_to") {
        context.word(yaml, "return_to", &[("front", ())]);
    }
    fields.finish(context);
}

fn wrap_up(yaml: &Yaml, queue: &mut Queue, context: &mut Context<'_>) {
    let Some(mut fields) = Fields::of(yaml, "wrap_up", context) else { return };
    if let Some(span) = fields.take("max").and_then(|yaml| context.duration(yaml, "max")) {
        queue.wrap_up = span;
    }
    if let Some(yaml) = fields.take("disposition") {
        context.word(yaml, "disposition", &[("required", ()), ("optional", ())]);
    }
    fields.finish(context);
}

fn sla(yaml: &Yaml, queue: &mut Queue, context: &mut Context<'_>) {
    let Some(mut fields) = Fields::of(yaml, "sla", context) else { return };
    let answer = fields.need("answer", context).and_then(|yaml| context.duration(yaml, "answer"));
    let target = fields.need("target", context).and_then(|yaml| context.share(yaml, "target"));
    queue.sla = answer.zip(target);
    fields.finish(context);
}
