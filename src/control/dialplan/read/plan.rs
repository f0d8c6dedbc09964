//! A plan file, read whole.

use std::collections::BTreeMap;

use super::step::Builder;
use super::{Context, Fields, menu, slot};
use crate::control::dialplan::plan::{
    Always, Defaults, Flow, Hybrid, Matching, Menu, Mode, MultiIntent, Node, PickUp, Slot, Target, Texts, Values,
};
use crate::control::dialplan::shape::Shape;
use crate::control::dialplan::syntax::{Kind, Place, Yaml};
use crate::control::words::Lang;
use crate::control::words::media::BargeIn;

/// A plan as written, before it is checked against the files beside it.
pub struct Draft {
    /// Its id and where it stands.
    pub id: (String, Place),
    /// Its title.
    pub title: String,
    /// Languages, the default first.
    pub languages: Vec<Lang>,
    /// Numbers with their places.
    pub numbers: Vec<(String, Place)>,
    /// Channels.
    pub channels: Vec<String>,
    /// The start node and its place.
    pub start: (String, Place),
    /// The calendar's name and its place.
    pub calendar: Option<(String, Place)>,
    /// Slots and lookups.
    pub values: Values,
    /// Where each node stands.
    pub places: BTreeMap<String, Place>,
    /// Nodes, menus, commands.
    pub flow: Flow,
    /// Defaults.
    pub defaults: Defaults,
    /// What kind of robot it is, and where that stands.
    pub mode: (Mode, Place),
    /// Hash of the content.
    pub version: String,
    /// Does the plan say where a failure leads?
    pub error_is_given: Given,
}

/// Is something written, or taken from the defaults?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Given {
    /// Written.
    Written,
    /// By default.
    ByDefault,
}

const FORMAT: u32 = 1;

/// Reads a plan.
pub fn plan(yaml: &Yaml, context: &mut Context<'_>) -> Option<Draft> {
    let mut fields = Fields::of(yaml, "a plan", context)?;
    if let Some(format) = fields.need("dialplan", context) {
        context.number(format, "dialplan (the format's version)", FORMAT..=FORMAT);
    }
    languages(&mut fields, context);
    let id = fields.need("id", context).and_then(|yaml| Some((context.text(yaml, "id")?, yaml.at)))?;
    context.check_name(&id.0, id.1, "a plan");
    let title = fields.take("title").and_then(|yaml| context.text(yaml, "title")).unwrap_or_else(|| id.0.clone());
    let numbers = fields.take("numbers").map(|yaml| context.texts_list(yaml, "numbers")).unwrap_or_default();
    let channels = fields.take("channels").map(|yaml| context.texts_list(yaml, "channels")).unwrap_or_default();
    let start = fields.need("start", context).and_then(|yaml| Some((context.text(yaml, "start")?, yaml.at)));
    let calendar = fields.take("calendar").and_then(|yaml| Some((context.text(yaml, "calendar")?, yaml.at)));
    let mode = mode(&mut fields, context);
    let error_is_given = match fields.take("defaults").and_then(|yaml| yaml.get("error")) {
        Some(_) => Given::Written,
        None => Given::ByDefault,
    };
    let defaults = fields.take("defaults").map(|yaml| defaults(yaml, context)).unwrap_or_default();
    let always = fields.take("always").map(|yaml| menu::always(yaml, context)).unwrap_or_default();
    let mut values = values(&mut fields, context);
    let shared = shared_menus(&mut fields, context);
    let (nodes, places) = nodes(&mut fields, context);
    fields.finish(context);
    found_slots(&mut values, context);
    use_menus(&shared, context);
    let flow = Flow {
        start: start.clone()?.0,
        nodes,
        menus: std::mem::take(&mut context.menus),
        always,
        parents: BTreeMap::new(),
        prompts: Vec::new(),
    };
    let channels = channels.into_iter().map(|(name, _)| name).collect();
    let languages = context.languages.clone();
    let version = super::knowledge::version(yaml, Shape::Plan);
    Some(Draft {
        id,
        title,
        languages,
        numbers,
        channels,
        start: start?,
        calendar,
        values,
        places,
        flow,
        defaults,
        mode,
        version,
        error_is_given,
    })
}

/// `mode: self_service | finder | hybrid`, and `hybrid: {turns, goto, say}` beside it.
fn mode(fields: &mut Fields<'_>, context: &mut Context<'_>) -> (Mode, Place) {
    const TURNS: u32 = 2;
    const MOST_TURNS: u32 = 20;
    let start = Hybrid { turns: TURNS, goto: Target::Human, say: Texts::default() };
    let known = [("self_service", Mode::SelfService), ("finder", Mode::Finder), ("hybrid", Mode::Hybrid(start.clone()))];
    let words: Vec<(&str, usize)> = known.iter().enumerate().map(|(at, (word, _))| (*word, at)).collect();
    let written = fields.take("mode");
    let mode = written.and_then(|yaml| context.word(yaml, "mode", &words)).map(|at| known[at].1.clone()).unwrap_or_default();
    let at = written.map_or(fields.at, |yaml| yaml.at);
    let Some(yaml) = fields.take("hybrid") else { return (mode, at) };
    if !matches!(mode, Mode::Hybrid(_)) {
        context.mend("D104", yaml.at, "'hybrid' belongs to mode: hybrid", "write mode: hybrid, or take it away");
    }
    let Some(mut inner) = Fields::of(yaml, "hybrid", context) else { return (mode, at) };
    let hybrid = Hybrid {
        turns: inner.take("turns").and_then(|yaml| context.number(yaml, "turns", 1..=MOST_TURNS)).unwrap_or(start.turns),
        goto: inner.take("goto").and_then(|yaml| context.target(yaml, "goto")).unwrap_or(start.goto),
        say: inner.take("say").map(|yaml| context.texts(yaml, "say")).unwrap_or_default(),
    };
    inner.finish(context);
    (Mode::Hybrid(hybrid), at)
}

/// The slots that `find` steps choose into.
fn found_slots(values: &mut Values, context: &mut Context<'_>) {
    for (name, slot, at) in std::mem::take(&mut context.seen.found) {
        if values.slots.contains_key(&name) || values.lookups.contains_key(&name) {
            context.mend("D102", at, format!("there is a slot or lookup '{name}' already"), "save what is found under another name");
            continue;
        }
        values.slots.insert(name, slot);
    }
}

fn languages(fields: &mut Fields<'_>, context: &mut Context<'_>) {
    let Some(yaml) = fields.need("languages", context) else { return };
    for (tag, at) in context.texts_list(yaml, "languages") {
        let good = tag.split('-').all(|part| (2..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()));
        if !good {
            context.mend("D104", at, format!("'{tag}' is no language tag"), "as in zh-CN, en-US");
        } else if context.languages.iter().all(|lang| *lang.0 != *tag) {
            context.languages.push(Lang::new(&tag));
        }
    }
    if context.languages.is_empty() {
        context.mend("D105", yaml.at, "the plan has no language", "languages: [zh-CN, en-US]");
    }
}

/// The slots of a plan or a knowledge file.
pub fn slots(fields: &mut Fields<'_>, context: &mut Context<'_>) -> BTreeMap<String, Slot> {
    let mut slots = BTreeMap::new();
    let block = fields.take("slots").and_then(|yaml| Fields::of(yaml, "slots", context));
    for pair in block.iter().flat_map(Fields::pairs) {
        context.check_name(&pair.key, pair.at, "a slot");
        if let Some(slot) = slot::slot(&pair.value, context) {
            slots.insert(pair.key.clone(), slot);
        }
    }
    slots
}

fn values(fields: &mut Fields<'_>, context: &mut Context<'_>) -> Values {
    let mut values = Values { slots: slots(fields, context), ..Values::default() };
    let lookups = fields.take("lookups").and_then(|yaml| Fields::of(yaml, "lookups", context));
    for pair in lookups.iter().flat_map(Fields::pairs) {
        context.check_name(&pair.key, pair.at, "a lookup");
        if values.slots.contains_key(&pair.key) {
            context.mend("D102", pair.at, format!("a slot is named '{}' too", pair.key), "give the lookup another name");
        }
        if let Some(lookup) = slot::lookup(&pair.value, context) {
            values.lookups.insert(pair.key.clone(), lookup);
        }
    }
    values
}

fn shared_menus(fields: &mut Fields<'_>, context: &mut Context<'_>) -> BTreeMap<String, Menu> {
    let mut menus = BTreeMap::new();
    let block = fields.take("menus").and_then(|yaml| Fields::of(yaml, "menus", context));
    for pair in block.iter().flat_map(Fields::pairs) {
        if let Some(menu) = menu::shared(&pair.value, &pair.key, context) {
            menus.insert(pair.key.clone(), menu);
        }
    }
    menus
}

fn use_menus(shared: &BTreeMap<String, Menu>, context: &mut Context<'_>) {
    for (name, index, at) in std::mem::take(&mut context.seen.uses) {
        let Some(menu) = shared.get(&name) else {
            let near = crate::control::dialplan::problem::nearest(&name, shared.keys().map(String::as_str));
            context.mend(
                "D120",
                at,
                format!("there is no menu '{name}'"),
                near.map_or("add it under menus".to_owned(), |near| format!("did you mean '{near}'?")),
            );
            continue;
        };
        let user = &mut context.menus[index];
        user.options.clone_from(&menu.options);
        if user.prompt.is_empty() {
            user.prompt = menu.prompt.clone();
        }
        if user.hints.is_empty() {
            user.hints.clone_from(&menu.hints);
        }
    }
}

fn nodes(fields: &mut Fields<'_>, context: &mut Context<'_>) -> (BTreeMap<String, Node>, BTreeMap<String, Place>) {
    let (mut nodes, mut places) = (BTreeMap::new(), BTreeMap::new());
    let block = fields.need("nodes", context).and_then(|yaml| Fields::of(yaml, "nodes", context));
    for pair in block.iter().flat_map(Fields::pairs) {
        context.check_name(&pair.key, pair.at, "a node");
        if matches!(pair.key.as_str(), "keys" | "back" | "repeat" | "end") {
            context.mend("D104", pair.at, format!("'{}' is a reserved word", pair.key), "give the node another name");
        }
        let mut builder = Builder::new(&pair.key);
        if let Kind::List(steps) = &pair.value.kind {
            steps.iter().for_each(|step| builder.step(step, context));
        } else {
            context.mend(
                "D104",
                pair.value.at,
                format!("node '{}' is {}, not a list of steps", pair.key, pair.value.noun()),
                "begin each step with '- '",
            );
        }
        nodes.insert(pair.key.clone(), Node { steps: builder.steps, line: pair.at.line });
        places.insert(pair.key.clone(), pair.at);
    }
    (nodes, places)
}

fn defaults(yaml: &Yaml, context: &mut Context<'_>) -> Defaults {
    const BARGE: [(&str, BargeIn); 4] = [("off", BargeIn::Off), ("dtmf", BargeIn::Dtmf), ("vad", BargeIn::Vad), ("words", BargeIn::Words)];
    const ANSWER: [(&str, PickUp); 2] = [("at_once", PickUp::AtOnce), ("when_needed", PickUp::WhenNeeded)];
    let mut defaults = Defaults::default();
    let Some(mut fields) = Fields::of(yaml, "defaults", context) else { return defaults };
    if let Some(answer) = fields.take("answer").and_then(|yaml| context.word(yaml, "answer", &ANSWER)) {
        defaults.answer = answer;
    }
    if let Some(barge_in) = fields.take("barge_in").and_then(|yaml| context.word(yaml, "barge_in", &BARGE)) {
        defaults.barge_in = barge_in;
    }
    if let Some(yaml) = fields.take("thresholds") {
        defaults.thresholds = thresholds(yaml, defaults.thresholds, context);
    }
    if let Some(matching) =
        fields.take("match").and_then(|yaml| context.word(yaml, "match", &[("local", Matching::Local), ("tree", Matching::Tree)]))
    {
        defaults.matching = matching;
    }
    if let Some(bias) = fields.take("local_bias").and_then(|yaml| context.number(yaml, "local_bias", 0.0..=1.0)) {
        defaults.local_bias = bias;
    }
    ladders(&mut fields, &mut defaults, context);
    let multi = [("offer", MultiIntent::Offer), ("ignore", MultiIntent::Ignore)];
    if let Some(multi) = fields.take("multi_intent").and_then(|yaml| context.word(yaml, "multi_intent", &multi)) {
        defaults.multi_intent = multi;
    }
    if let Some(target) = fields.take("asr_overload").and_then(|yaml| context.target(yaml, "asr_overload")) {
        defaults.asr_overload = target;
    }
    if let Some(target) = fields.take("error").and_then(|yaml| context.target(yaml, "error")) {
        defaults.error = target;
    }
    fields.finish(context);
    defaults
}

fn thresholds(yaml: &Yaml, before: (f32, f32), context: &mut Context<'_>) -> (f32, f32) {
    let Some(mut fields) = Fields::of(yaml, "thresholds", context) else { return before };
    let accept = fields.take("accept").and_then(|yaml| context.number(yaml, "accept", 0.0..=1.0)).unwrap_or(before.0);
    let confirm = fields.take("confirm").and_then(|yaml| context.number(yaml, "confirm", 0.0..=1.0)).unwrap_or(before.1);
    if confirm > accept {
        context.mend("D104", yaml.at, "confirm is above accept", "confirm must not be above accept: {accept: 0.75, confirm: 0.45}");
    }
    fields.finish(context);
    (accept, confirm)
}

fn ladders(fields: &mut Fields<'_>, defaults: &mut Defaults, context: &mut Context<'_>) {
    const MOST: u32 = 9;
    if let Some(mut silence) = fields.take("no_input").and_then(|yaml| Fields::of(yaml, "no_input", context)) {
        let (after, tries, then) = (silence.take("after"), silence.take("tries"), silence.take("then"));
        let before = defaults.no_input.clone();
        defaults.no_input = (
            after.and_then(|yaml| context.duration(yaml, "after")).unwrap_or(before.0),
            tries.and_then(|yaml| context.number(yaml, "tries", 1..=MOST)).unwrap_or(before.1),
            then.and_then(|yaml| context.target(yaml, "then")).unwrap_or(before.2),
        );
        silence.finish(context);
    }
    if let Some(mut unmatched) = fields.take("no_match").and_then(|yaml| Fields::of(yaml, "no_match", context)) {
        let (tries, then) = (unmatched.take("tries"), unmatched.take("then"));
        let tries = tries.and_then(|yaml| context.number(yaml, "tries", 1..=MOST)).unwrap_or(defaults.no_match.0);
        defaults.no_match = (tries, then.and_then(|yaml| context.target(yaml, "then")).unwrap_or(Target::Human));
        unmatched.finish(context);
    }
}

/// The commands each plan has even when it does not write them: a person, again, back.
pub fn complete_always(always: &mut Vec<Always>) {
    for (name, key, does) in [("human", Some('0'), Target::Human), ("repeat", Some('*'), Target::Repeat), ("back", None, Target::Back)] {
        // One that only words of alarm or a tone lead to cannot be asked for.
        let can_be_asked = |command: &Always| command.key.is_some() || !command.examples.is_empty();
        let is_it = |command: &Always| command.name == name || command.does == does && command.lang.is_none() && can_be_asked(command);
        if always.iter().any(is_it) {
            continue;
        }
        let key = key.filter(|key| always.iter().all(|command| command.key != Some(*key)));
        always.push(Always { name: name.to_owned(), key, does, lang: None, examples: BTreeMap::new(), phrases: Vec::new(), upset: None });
    }
}
