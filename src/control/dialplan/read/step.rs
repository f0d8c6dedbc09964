//! Steps: one verb each (a branch's arm may hold several), flattened to a list with jumps.

use super::hand_over;
use super::value::parse_duration;
use super::{Context, Fields, find, menu, slot, work};
use crate::control::dialplan::expr::Expr;
use crate::control::dialplan::plan::{
    Answer, Ask, Callback, Confirm, Hours, Limit, LookupStep, Message, Play, Sound, Split, SplitBy, Step, Survey, Switch, Target, Texts,
    Verb, Webhook,
};
use crate::control::dialplan::problem::nearest;
use crate::control::dialplan::shape::BESIDE;
use crate::control::dialplan::syntax::{Kind, Pair, Place, Yaml};

/// What a step may do.
pub const VERBS: [&str; 27] = [
    "say",
    "play",
    "menu",
    "ask",
    "confirm",
    "lookup",
    "find",
    "branch",
    "answer",
    "queue",
    "transfer",
    "leave_message",
    "callback",
    "ticket",
    "saga",
    "message",
    "survey",
    "record",
    "set",
    "clear",
    "split",
    "hours",
    "limit",
    "call",
    "webhook",
    "goto",
    "hangup",
];

/// The steps of one node.
pub struct Builder<'n> {
    node: &'n str,
    /// The steps so far.
    pub steps: Vec<Step>,
}

impl<'n> Builder<'n> {
    /// For a node.
    #[must_use]
    pub fn new(node: &'n str) -> Builder<'n> {
        Builder { node, steps: Vec::new() }
    }

    /// Reads one entry of the node's list.
    pub fn step(&mut self, yaml: &Yaml, context: &mut Context<'_>) {
        let Kind::Map(pairs) = &yaml.kind else {
            context.mend("D104", yaml.at, format!("a step is {}, not a map", yaml.noun()), "write - say: … or - goto: …");
            return;
        };
        let condition = pairs.iter().find(|pair| pair.key == "if").and_then(|pair| context.expr(&pair.value));
        let gate = condition.map(|condition| self.push(Verb::JumpUnless(condition, 0), yaml.at));
        self.verbs(pairs, &["if"], yaml.at, context);
        if let Some(gate) = gate {
            self.land(gate);
        }
    }

    fn push(&mut self, verb: Verb, at: Place) -> usize {
        self.steps.push(Step { verb, line: at.line, column: at.column });
        self.steps.len() - 1
    }

    /// Lets a jump lead to what comes next.
    fn land(&mut self, jump: usize) {
        let here = self.steps.len();
        if let Verb::Jump(to) | Verb::JumpUnless(_, to) = &mut self.steps[jump].verb {
            *to = here;
        }
    }

    fn verbs(&mut self, pairs: &[Pair], known: &[&str], at: Place, context: &mut Context<'_>) {
        let present = |verb: &str| pairs.iter().any(|pair| pair.key == verb);
        let beside = |key: &str| BESIDE.iter().any(|(verb, keys)| present(verb) && *verb != key && keys.contains(&key));
        let mut count = 0;
        for pair in pairs {
            if known.contains(&pair.key.as_str()) || beside(&pair.key) {
                continue;
            }
            if !VERBS.contains(&pair.key.as_str()) {
                unknown_verb(pair, context);
                continue;
            }
            count += 1;
            if pair.key == "branch" {
                self.branch(&pair.value, context);
            } else if pair.key == "find" {
                self.find(&pair.value, context);
            } else if let Some(verb) = verb(pair, pairs, self.node, context) {
                self.push(verb, pair.at);
            }
        }
        if count == 0 && pairs.iter().all(|pair| known.contains(&pair.key.as_str())) {
            context.mend("D105", at, "the step does nothing", format!("add one of {}", VERBS.join(", ")));
        }
    }

    fn find(&mut self, yaml: &Yaml, context: &mut Context<'_>) {
        let Some(find) = find::find(yaml, context) else { return };
        self.push(Verb::Clear(vec![find.save_as.clone(), find.lookup.name.clone()]), yaml.at);
        if !find.ask.slots.is_empty() {
            self.push(Verb::Ask(find.ask), yaml.at);
        }
        self.push(Verb::Lookup(find.lookup), yaml.at);
        let gate = self.push(Verb::JumpUnless(find.is_empty, 0), yaml.at);
        self.push(Verb::Goto(find.none), yaml.at);
        self.land(gate);
        self.push(Verb::Ask(Ask { slots: vec![find.save_as], also: Vec::new() }), yaml.at);
    }

    fn branch(&mut self, yaml: &Yaml, context: &mut Context<'_>) {
        let mut ends = Vec::new();
        for arm in context.list(yaml, "branch") {
            let Kind::Map(pairs) = &arm.kind else {
                context.mend(
                    "D104",
                    arm.at,
                    format!("an arm is {}, not a map", arm.noun()),
                    "write - {if: expr, goto: node} or - {else: node}",
                );
                continue;
            };
            let condition = pairs.iter().find(|pair| pair.key == "if");
            let otherwise = pairs.iter().find(|pair| pair.key == "else");
            match (condition, otherwise) {
                (Some(pair), None) => {
                    let Some(condition) = context.expr(&pair.value) else { continue };
                    self.arm(Some(condition), pairs, arm.at, &mut ends, context);
                }
                (None, Some(pair)) if pair.value.scalar().is_some() => {
                    if let Some(target) = context.target(&pair.value, "else") {
                        self.push(Verb::Goto(target), pair.at);
                    }
                }
                (None, Some(_)) => self.arm(None, pairs, arm.at, &mut ends, context),
                _ => context.mend("D105", arm.at, "an arm needs 'if' or 'else'", "write {if: expr, …} and at last {else: node}"),
            }
        }
        for end in ends {
            self.land(end);
        }
    }

    fn arm(&mut self, condition: Option<Expr>, pairs: &[Pair], at: Place, ends: &mut Vec<usize>, context: &mut Context<'_>) {
        let gate = condition.map(|condition| self.push(Verb::JumpUnless(condition, 0), at));
        self.verbs(pairs, &["if", "else"], at, context);
        ends.push(self.push(Verb::Jump(0), at));
        if let Some(gate) = gate {
            self.land(gate);
        }
    }
}

fn unknown_verb(pair: &Pair, context: &mut Context<'_>) {
    let words = VERBS.iter().copied().chain(["if"]).chain(BESIDE.iter().flat_map(|(_, keys)| keys.iter().copied()));
    let mend = match nearest(&pair.key, words) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("steps are {}", VERBS.join(", ")),
    };
    context.mend("D110", pair.at, format!("a step knows no key '{}'", pair.key), mend);
}

fn verb(pair: &Pair, beside: &[Pair], node: &str, context: &mut Context<'_>) -> Option<Verb> {
    let yaml = &pair.value;
    Some(match pair.key.as_str() {
        "say" => Verb::Say(context.texts(yaml, "say")),
        "play" => play(yaml, beside, context)?,
        "menu" => Verb::Menu(menu::menu(yaml, node, context)?),
        "ask" => Verb::Ask(ask(yaml, context)?),
        "confirm" => confirm(yaml, context)?,
        "lookup" => lookup(yaml, beside, context)?,
        "answer" => answer(yaml, context)?,
        "queue" => hand_over::queue(yaml, context)?,
        "transfer" => hand_over::transfer(yaml, context)?,
        "leave_message" => hand_over::leave_message(yaml, context)?,
        "callback" => callback(yaml, context)?,
        "ticket" => work::ticket(yaml, context)?,
        "saga" => work::saga(yaml, context)?,
        "message" => message(yaml, context)?,
        "survey" => survey(yaml, beside, context)?,
        "record" => record(yaml, context)?,
        "set" => set(yaml, context),
        "clear" => Verb::Clear(cleared(yaml, context)),
        "split" => split(yaml, context)?,
        "hours" => hours(yaml, context)?,
        "limit" => limit(yaml, beside, context)?,
        "call" => call(yaml, context)?,
        "webhook" => webhook(yaml, context)?,
        "goto" => Verb::Goto(context.target(yaml, "goto")?),
        _ => Verb::Hangup(hangup(yaml, context)),
    })
}

fn sibling<'y>(pairs: &'y [Pair], key: &str) -> Option<&'y Yaml> {
    pairs.iter().find(|pair| pair.key == key).map(|pair| &pair.value)
}

fn target(pairs: &[Pair], key: &str, context: &mut Context<'_>) -> Option<Target> {
    sibling(pairs, key).and_then(|yaml| context.target(yaml, key))
}

fn play(yaml: &Yaml, beside: &[Pair], context: &mut Context<'_>) -> Option<Verb> {
    let file = context.text(yaml, "play")?;
    if file == "echo" && sibling(beside, "times").is_some_and(|yaml| yaml.scalar() != Some("forever")) {
        context.mend("D104", yaml.at, "echo lasts until the caller hangs up", "take 'times' away");
    }
    let times = match sibling(beside, "times") {
        None if file == "echo" => None,
        None => Some(1),
        Some(yaml) if yaml.scalar() == Some("forever") => None,
        Some(yaml) => Some(context.number(yaml, "times", 1..=1000)?),
    };
    let sound = match file.as_str() {
        "music" => Sound::Music,
        "silence" => Sound::Silence,
        "echo" => Sound::Echo,
        _ => Sound::File(file),
    };
    Some(Verb::Play(Play { sound, times }))
}

pub(super) fn asked(yaml: &Yaml, context: &mut Context<'_>) -> Vec<String> {
    let slots = context.texts_list(yaml, "ask");
    context.seen.slots.extend(slots.iter().cloned());
    slots.into_iter().map(|(name, _)| name).collect()
}

/// `slot`, `[slot, slot]`, or `{slots: [slot], also: [slot]}`.
fn ask(yaml: &Yaml, context: &mut Context<'_>) -> Option<Ask> {
    if !matches!(yaml.kind, Kind::Map(_)) {
        return Some(Ask { slots: asked(yaml, context), also: Vec::new() });
    }
    let mut fields = Fields::of(yaml, "ask", context)?;
    let slots = fields.need("slots", context).map(|yaml| asked(yaml, context))?;
    let also = fields.take("also").map(|yaml| asked(yaml, context)).unwrap_or_default();
    fields.finish(context);
    Some(Ask { slots, also })
}

fn cleared(yaml: &Yaml, context: &mut Context<'_>) -> Vec<String> {
    context.texts_list(yaml, "clear").into_iter().map(|(name, _)| name).collect()
}

fn confirm(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    let mut fields = Fields::of(yaml, "confirm", context)?;
    let prompt = fields.need("prompt", context).map(|yaml| context.texts(yaml, "the prompt")).unwrap_or_default();
    let yes = fields.take("yes").and_then(|yaml| context.target(yaml, "yes"));
    let no = fields.take("no").and_then(|yaml| context.target(yaml, "no"));
    fields.finish(context);
    Some(Verb::Confirm(Box::new(Confirm { prompt, yes, no })))
}

fn lookup(yaml: &Yaml, beside: &[Pair], context: &mut Context<'_>) -> Option<Verb> {
    let name = context.text(yaml, "lookup")?;
    context.seen.lookups.push((name.clone(), yaml.at));
    let (not_found, error) = (target(beside, "not_found", context), target(beside, "error", context));
    Some(Verb::Lookup(LookupStep { name, not_found, error, timeout: target(beside, "timeout", context) }))
}

fn answer(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    let mut fields = Fields::of(yaml, "answer", context)?;
    let kb = fields.need("kb", context).and_then(|yaml| context.text(yaml, "kb"))?;
    let topic = fields.take("topic").and_then(|yaml| context.text(yaml, "topic"));
    let unsure = fields.take("unsure").and_then(|yaml| context.target(yaml, "unsure"));
    context.seen.topics.push((kb.clone(), topic.clone(), yaml.at));
    fields.finish(context);
    Some(Verb::Answer(Box::new(Answer { kb, topic, unsure })))
}

fn callback(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    let mut fields = Fields::of(yaml, "callback", context)?;
    let queue = fields.take("queue").and_then(|yaml| hand_over::queue_name(yaml, context)).map(|(id, _)| id);
    let number = fields.take("number").and_then(|yaml| context.template(yaml, "number"));
    fields.finish(context);
    Some(Verb::Callback(Callback { queue, number }))
}

fn message(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    let mut fields = Fields::of(yaml, "message", context)?;
    if let Some(to) = fields.take("to") {
        context.word(to, "to", &[("same_customer", ())]);
    }
    let channels = fields.need("channels", context).map(|yaml| context.texts_list(yaml, "channels")).unwrap_or_default();
    let spoken = context.seen.prompts.len();
    let text = fields.need("text", context).map(|yaml| context.texts(yaml, "the text")).unwrap_or_default();
    context.seen.prompts.truncate(spoken);
    fields.finish(context);
    Some(Verb::Message(Box::new(Message { channels: channels.into_iter().map(|(name, _)| name).collect(), text })))
}

fn survey(yaml: &Yaml, beside: &[Pair], context: &mut Context<'_>) -> Option<Verb> {
    let outer = sibling(beside, "when").and_then(|yaml| context.expr(yaml));
    if yaml.scalar().is_some() {
        let id = context.text(yaml, "survey")?;
        context.seen.made.push(id.clone());
        return Some(Verb::Survey(Box::new(Survey { id, when: outer, prompt: Texts::default() })));
    }
    let mut fields = Fields::of(yaml, "survey", context)?;
    let id = fields.need("id", context).and_then(|yaml| context.text(yaml, "id"))?;
    context.seen.made.push(id.clone());
    let when = fields.take("when").and_then(|yaml| context.expr(yaml)).or(outer);
    let prompt = fields.take("prompt").map(|yaml| context.texts(yaml, "the prompt")).unwrap_or_default();
    fields.finish(context);
    Some(Verb::Survey(Box::new(Survey { id, when, prompt })))
}

fn record(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    let on = match yaml.kind {
        Kind::Bool(true) => Switch::On,
        Kind::Bool(false) => Switch::Off,
        _ => context.word(yaml, "record", &[("on", Switch::On), ("off", Switch::Off)])?,
    };
    Some(Verb::Record(on))
}

fn set(yaml: &Yaml, context: &mut Context<'_>) -> Verb {
    let pairs = slot::templates(Some(yaml), "set", context);
    context.seen.made.extend(pairs.iter().map(|(name, _)| name.clone()));
    Verb::Set(pairs)
}

fn split(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    const WHOLE: u32 = 100;
    let mut fields = Fields::of(yaml, "split", context)?;
    let id = fields.need("id", context).and_then(|yaml| context.text(yaml, "id"))?;
    let by = fields.take("by").and_then(|yaml| context.word(yaml, "by", &[("customer", SplitBy::Customer), ("call", SplitBy::Call)]));
    fields.know(&["metric"]);
    let mut arms = Vec::new();
    for arm in fields.need("arms", context).map(|yaml| context.list(yaml, "arms")).unwrap_or_default() {
        let Some(mut fields) = Fields::of(arm, "an arm", context) else { continue };
        let weight = fields.need("weight", context).and_then(|yaml| context.number(yaml, "weight", 0..=WHOLE));
        let goto = fields.need("goto", context).and_then(|yaml| context.target(yaml, "goto"));
        arms.extend(weight.zip(goto));
        fields.finish(context);
    }
    let sum: u32 = arms.iter().map(|(weight, _)| weight).sum();
    if sum != WHOLE {
        context.mend("D200", yaml.at, format!("the weights add up to {sum}"), "make them 100");
    }
    fields.finish(context);
    Some(Verb::Split(Split { id, by: by.unwrap_or(SplitBy::Customer), arms }))
}

fn hours(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    let mut fields = Fields::of(yaml, "hours", context)?;
    let calendar = fields.take("calendar").and_then(|yaml| {
        let name = context.text(yaml, "calendar")?;
        context.seen.calendars.push((name.clone(), yaml.at));
        Some(name)
    });
    let open = fields.take("open").and_then(|yaml| context.target(yaml, "open"));
    let closed = fields.take("closed").and_then(|yaml| context.target(yaml, "closed"));
    fields.finish(context);
    Some(Verb::Hours(Hours { calendar, open, closed }))
}

fn limit(yaml: &Yaml, beside: &[Pair], context: &mut Context<'_>) -> Option<Verb> {
    let times = context.number(yaml, "limit", 1..=1000)?;
    let goto = target(beside, "goto", context);
    let Some(then) = target(beside, "then", context) else {
        context.mend("D105", yaml.at, "a limit has no 'then'", "add then: NODE for what comes after the limit");
        return None;
    };
    Some(Verb::Limit(Limit { times, goto, then }))
}

fn call(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    match context.target(yaml, "call")? {
        Target::Node(name) => Some(Verb::Call(name)),
        other => {
            context.mend("D104", yaml.at, format!("'{}' cannot be called", other.name()), "name a node");
            None
        }
    }
}

fn webhook(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    let mut fields = Fields::of(yaml, "webhook", context)?;
    let url = fields.need("url", context).and_then(|yaml| slot::url(yaml, context));
    let timeout = fields.take("timeout").and_then(|yaml| context.duration(yaml, "timeout")).or_else(|| parse_duration("3s"));
    let targets = fields.take("targets").map(|yaml| asked_targets(yaml, context)).unwrap_or_default();
    let fallback = fields.need("fallback", context).and_then(|yaml| context.target(yaml, "fallback"));
    fields.finish(context);
    Some(Verb::Webhook(Box::new(Webhook { url: url?.0, timeout: timeout?, fallback: fallback?, targets })))
}

fn asked_targets(yaml: &Yaml, context: &mut Context<'_>) -> Vec<String> {
    let names = context.texts_list(yaml, "targets");
    context.seen.targets.extend(names.iter().map(|(name, at)| (super::value::target_of(name), *at)));
    names.into_iter().map(|(name, _)| name).collect()
}

fn hangup(yaml: &Yaml, context: &mut Context<'_>) -> Option<Texts> {
    match yaml.kind {
        Kind::Null | Kind::Bool(_) => None,
        _ => Some(context.texts(yaml, "hangup")),
    }
}
