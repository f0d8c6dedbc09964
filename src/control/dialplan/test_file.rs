//! `*.test.yaml`: conversations with what must come of them, a fake clock, mocks, and a coverage gate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::load::Source;
use super::plan::Plan;
use super::problem::Problem;
use super::read::{Context, Fields};
use super::runner::{Caller, Medium, Start};
use super::sim::{Mock, Simulation, Turn, World};
use super::syntax::{self, Kind, Yaml};
use super::wish::{QueueEnd, TransferEnd};
use crate::control::time::Time;
use crate::control::words::{Lang, QueueId};

/// One test file.
#[derive(Debug, Clone)]
pub struct TestFile {
    /// The file's name.
    pub name: String,
    /// The plan it tests.
    pub plan: String,
    /// Its cases.
    pub cases: Vec<Case>,
    /// The least coverage: nodes, options, languages; 0.0 to 1.0.
    pub coverage: Coverage,
}

/// Shares of nodes, options and languages.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Coverage {
    /// Nodes entered.
    pub nodes: f32,
    /// Options whose node was entered.
    pub options: f32,
    /// Languages of the plan in which a customer answered.
    pub languages: f32,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Its line.
    pub line: usize,
    clock: Time,
    start: Start,
    world: World,
    turns: Vec<Input>,
    expect: Vec<Expectation>,
}

#[derive(Debug, Clone, PartialEq)]
enum Input {
    Say(String),
    Press(String),
    Noise,
    Silence,
    Audio(String),
}

/// One thing that must hold, at a turn or from the last one on.
#[derive(Debug, Clone, Default)]
struct Expectation {
    at: Option<usize>,
    place: usize,
    node: Option<String>,
    intents: Vec<String>,
    slots: Vec<(String, String)>,
    not_asked: Vec<String>,
    asked: Option<String>,
    said: Vec<String>,
    sent: Option<String>,
    /// What was done besides: `ticket 8 repair linked`, `saga accident: book undone`.
    did: Vec<String>,
    line: Wait,
    ends: Ending,
}

/// The line that must be joined.
#[derive(Debug, Clone, Default)]
struct Wait {
    queue: Option<String>,
    priority: Option<u8>,
    context_has: Vec<String>,
}

#[derive(Debug, Clone, Default)]
struct Ending {
    end: Option<String>,
    contained: Option<bool>,
    reprompt: Option<bool>,
}

/// How a case went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Passed,
    /// Not as expected.
    Failed(Vec<String>),
    /// It could not be run.
    Skipped(String),
}

/// A case's result.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// What it reached of the plan.
    pub reached: Reached,
    /// The turns, to show what went wrong.
    pub turns: Vec<Turn>,
}

/// What cases reached of their plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// Nodes that were entered.
    pub nodes: BTreeSet<String>,
    /// Languages in which the customer answered.
    pub languages: BTreeSet<Lang>,
}

impl Reached {
    /// What the turns of a conversation reached.
    fn by(turns: &[Turn]) -> Reached {
        let nodes = turns.iter().flat_map(|turn| turn.nodes.iter().cloned()).collect();
        // A turn answers in the language that was spoken at the end of the one before.
        let answered = turns.windows(2).filter(|pair| !pair[1].input.is_empty());
        Reached { nodes, languages: answered.filter_map(|pair| pair[0].lang.clone()).collect() }
    }

    /// Takes in what another case reached.
    pub fn join(&mut self, other: Reached) {
        self.nodes.extend(other.nodes);
        self.languages.extend(other.languages);
    }
}

impl Coverage {
    /// The greater of each share.
    #[must_use]
    pub fn max(self, other: Coverage) -> Coverage {
        let Coverage { nodes, options, languages } = other;
        Coverage { nodes: self.nodes.max(nodes), options: self.options.max(options), languages: self.languages.max(languages) }
    }

    /// Does it come up to what is wanted?
    #[must_use]
    pub fn reaches(self, wanted: Coverage) -> bool {
        self.nodes >= wanted.nodes && self.options >= wanted.options && self.languages >= wanted.languages
    }
}

/// Reads a test file.
pub fn read(file: &Source) -> Result<TestFile, Vec<Problem>> {
    let yaml = syntax::parse(&file.name, &file.text)?;
    let env = BTreeMap::new();
    let mut context = Context::new(&file.name, &env);
    let tests = test_file(&yaml, &file.name, &mut context);
    match tests {
        Some(tests) if context.problems.is_empty() => Ok(tests),
        _ => Err(context.problems),
    }
}

fn test_file(yaml: &Yaml, name: &str, context: &mut Context<'_>) -> Option<TestFile> {
    let mut fields = Fields::of(yaml, "a test file", context)?;
    let plan = fields.need("tests", context).and_then(|yaml| context.text(yaml, "tests"))?;
    let clock = fields.take("clock").and_then(|yaml| clock(yaml, context)).unwrap_or(Time(1_794_362_400_000_000));
    let mut coverage = Coverage::default();
    if let Some(mut wanted) = fields.take("coverage").and_then(|yaml| Fields::of(yaml, "coverage", context)) {
        coverage.nodes = wanted.take("nodes").and_then(|yaml| context.share(yaml, "nodes")).unwrap_or(0.0);
        coverage.options = wanted.take("options").and_then(|yaml| context.share(yaml, "options")).unwrap_or(0.0);
        coverage.languages = wanted.take("languages").and_then(|yaml| context.share(yaml, "languages")).unwrap_or(0.0);
        wanted.finish(context);
    }
    let list = fields.need("cases", context).map(|yaml| context.list(yaml, "cases")).unwrap_or_default();
    let cases = list.iter().filter_map(|yaml| case(yaml, clock, context)).collect();
    fields.finish(context);
    Some(TestFile { name: name.to_owned(), plan, cases, coverage })
}

/// Is this the name of a file with cases?
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.ends_with(".test.yaml") || name.ends_with(".test.yml")
}

fn clock(yaml: &Yaml, context: &mut Context<'_>) -> Option<Time> {
    let text = context.text(yaml, "clock")?;
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Some(at.into()),
        Err(_) => {
            context.mend("D104", yaml.at, format!("clock is '{text}'"), "\"2026-11-11T10:00:00+08:00\"");
            None
        }
    }
}

fn case(yaml: &Yaml, clock_of_file: Time, context: &mut Context<'_>) -> Option<Case> {
    let mut fields = Fields::of(yaml, "a case", context)?;
    let name = fields.need("name", context).and_then(|yaml| context.text(yaml, "name"))?;
    let clock = fields.take("clock").and_then(|yaml| clock(yaml, context)).unwrap_or(clock_of_file);
    let start = start(&mut fields, context);
    let world = world(&mut fields, context);
    let turns = inputs(&mut fields, context);
    let list = fields.need("expect", context).map(|yaml| context.list(yaml, "expect")).unwrap_or_default();
    let expect = list.iter().filter_map(|yaml| expectation(yaml, context)).collect();
    fields.finish(context);
    Some(Case { name, line: yaml.at.line, clock, start, world, turns, expect })
}

fn start(fields: &mut Fields<'_>, context: &mut Context<'_>) -> Start {
    let mut start = Start::voice();
    if let Some(mut caller) = fields.take("caller").and_then(|yaml| Fields::of(yaml, "caller", context)) {
        let phone = caller.take("phone").and_then(|yaml| context.text(yaml, "phone"));
        let external_id = caller.take("external_id").and_then(|yaml| context.text(yaml, "external_id"));
        if let Some(id) = &external_id {
            start.customer.insert("external_id".to_owned(), id.clone().into());
        }
        start.caller = Caller { phone, external_id };
        caller.finish(context);
    }
    if let Some(Value::Object(customer)) = fields.take("customer").map(json) {
        start.customer.extend(customer);
    }
    if let Some(Value::Object(session)) = fields.take("session").map(json) {
        start.session.extend(session);
    }
    let media = [("voice", Medium::Voice), ("chat", Medium::Chat)];
    if let Some(medium) = fields.take("medium").and_then(|yaml| context.word(yaml, "medium", &media)) {
        start.medium = medium;
        start.channel = if medium == Medium::Chat { "web" } else { "voice" }.to_owned();
    }
    if let Some(channel) = fields.take("channel").and_then(|yaml| context.text(yaml, "channel")) {
        start.channel = channel;
    }
    start.lang = fields.take("lang").and_then(|yaml| context.text(yaml, "lang")).map(|tag| Lang::new(&tag));
    start
}

/// YAML as JSON; unquoted numbers become numbers.
fn json(yaml: &Yaml) -> Value {
    match &yaml.kind {
        Kind::Null => Value::Null,
        Kind::Bool(truth) => (*truth).into(),
        Kind::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| text.clone().into()),
        Kind::Text(text) => text.clone().into(),
        Kind::List(items) => items.iter().map(json).collect(),
        Kind::Map(pairs) => Value::Object(pairs.iter().map(|pair| (pair.key.clone(), json(&pair.value))).collect::<Map<_, _>>()),
    }
}

fn world(fields: &mut Fields<'_>, context: &mut Context<'_>) -> World {
    const RECORDED: std::time::Duration = std::time::Duration::from_secs(5);
    let mut world = World { recorded: Some(RECORDED), ..World::default() };
    let mocks = fields.take("mock").and_then(|yaml| Fields::of(yaml, "mock", context));
    for pair in mocks.iter().flat_map(Fields::pairs) {
        let mock = match pair.value.get("in_turn").map(|yaml| &yaml.kind) {
            Some(Kind::List(answers)) => Mock::InTurn(answers.iter().map(mock).collect()),
            _ => mock(&pair.value),
        };
        world.lookups.insert(pair.key.clone(), mock);
    }
    if let Some(yaml) = fields.take("queue") {
        let ends = [("served", 0), ("overflow", 1), ("callback", 2)];
        world.queue = context.word(yaml, "queue", &ends).map(|end| match end {
            0 => QueueEnd::Served,
            1 => QueueEnd::Overflow(0),
            _ => QueueEnd::CallbackTaken,
        });
    }
    if let Some(yaml) = fields.take("transfer") {
        let ends = [
            ("done", TransferEnd::Done),
            ("busy", TransferEnd::Busy),
            ("no_answer", TransferEnd::NoAnswer),
            ("failed", TransferEnd::Failed),
        ];
        world.transfer = context.word(yaml, "transfer", &ends);
    }
    if let Some(yaml) = fields.take("recorded") {
        world.recorded = if yaml.scalar() == Some("silence") { None } else { context.duration(yaml, "recorded") };
    }
    world
}

/// `timeout`, `not_found`, `error`, or the answer.
fn mock(yaml: &Yaml) -> Mock {
    match yaml.scalar() {
        Some("timeout") => Mock::TimedOut,
        Some("not_found") => Mock::NotFound,
        Some("error") => Mock::Failed,
        _ => Mock::Answer(json(yaml)),
    }
}

fn inputs(fields: &mut Fields<'_>, context: &mut Context<'_>) -> Vec<Input> {
    let (say, keys, audio, turns) = (fields.take("say"), fields.take("keys"), fields.take("audio"), fields.take("turns"));
    let texts = |yaml: Option<&Yaml>, context: &mut Context<'_>| {
        yaml.map(|yaml| context.texts_list(yaml, "a turn")).unwrap_or_default().into_iter().map(|(text, _)| text).collect::<Vec<_>>()
    };
    let mut inputs: Vec<Input> = texts(say, context).into_iter().map(said).collect();
    inputs.extend(texts(keys, context).into_iter().map(Input::Press));
    inputs.extend(texts(audio, context).into_iter().map(Input::Audio));
    for yaml in turns.map(|yaml| context.list(yaml, "turns")).unwrap_or_default() {
        if let Some(text) = yaml.scalar() {
            inputs.push(said(text.to_owned()));
            continue;
        }
        let Some(mut turn) = Fields::of(yaml, "a turn", context) else { continue };
        let (say, keys) = (turn.take("say"), turn.take("keys"));
        inputs.extend(say.and_then(|yaml| context.text(yaml, "say")).map(Input::Say));
        inputs.extend(keys.and_then(|yaml| context.text(yaml, "keys")).map(Input::Press));
        inputs.extend(turn.take("noise").map(|_| Input::Noise));
        inputs.extend(turn.take("silence").map(|_| Input::Silence));
        turn.finish(context);
    }
    inputs
}

/// `#12` are keys, `(noise)` and `(silence)` what they say.
fn said(text: String) -> Input {
    match text.as_str() {
        "(noise)" => Input::Noise,
        "(silence)" => Input::Silence,
        _ => text.strip_prefix('#').filter(|keys| !keys.is_empty()).map(|keys| Input::Press(keys.to_owned())).unwrap_or(Input::Say(text)),
    }
}

fn expectation(yaml: &Yaml, context: &mut Context<'_>) -> Option<Expectation> {
    let mut fields = Fields::of(yaml, "an expectation", context)?;
    let mut expect = Expectation { place: yaml.at.line, ..Expectation::default() };
    let list = |yaml: Option<&Yaml>, context: &mut Context<'_>| -> Vec<String> {
        yaml.map(|yaml| context.texts_list(yaml, "expect")).unwrap_or_default().into_iter().map(|(text, _)| text).collect()
    };
    expect.at = fields.take("at").and_then(|yaml| context.number(yaml, "at", 0..=1000));
    expect.node = fields.take("node").and_then(|yaml| context.text(yaml, "node"));
    expect.intents = list(fields.take("intents"), context);
    expect.not_asked = list(fields.take("not_asked"), context);
    expect.asked = fields.take("asked").and_then(|yaml| context.text(yaml, "asked"));
    expect.said = list(fields.take("said"), context);
    expect.sent = fields.take("sent").and_then(|yaml| context.text(yaml, "sent"));
    expect.did = list(fields.take("did"), context);
    expect.line.queue = fields.take("queue").and_then(|yaml| context.text(yaml, "queue"));
    expect.line.priority = fields.take("priority").and_then(|yaml| context.number(yaml, "priority", 0..=9));
    expect.line.context_has = list(fields.take("context_has"), context);
    let slots = fields.take("slots").and_then(|yaml| Fields::of(yaml, "slots", context));
    for pair in slots.iter().flat_map(Fields::pairs) {
        expect.slots.extend(context.text(&pair.value, "a slot's value").map(|value| (pair.key.clone(), value)));
    }
    expect.ends.end = fields.take("end").and_then(|yaml| context.text(yaml, "end"));
    expect.ends.contained = fields.take("contained").and_then(|yaml| context.truth(yaml, "contained"));
    expect.ends.reprompt = fields.take("reprompt").and_then(|yaml| context.truth(yaml, "reprompt"));
    fields.finish(context);
    Some(expect)
}

/// What a recognizer makes of a clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// The words; empty when none are believed.
    pub text: String,
    /// Toneless pinyin, when the engine writes it.
    pub pinyin: Option<String>,
    /// 0.0 to 1.0.
    pub confidence: f32,
}

/// Listens to a clip by its name in the test file, in this language; the error says what is missing.
pub type Listener<'l> = &'l mut dyn FnMut(&str, &Lang) -> Result<Clip, String>;

/// Runs a case. A case with sound that cannot be listened to is skipped.
#[must_use]
pub fn run(case: &Case, plan: &Arc<Plan>, seed: u64, listen: Listener<'_>) -> Outcome {
    let lang = plan.lang_for(case.start.lang.as_ref());
    let mut clips = VecDeque::new();
    for turn in &case.turns {
        let Input::Audio(file) = turn else { continue };
        match listen(file, &lang) {
            Ok(clip) => clips.push_back(clip),
            Err(why) => return Outcome { verdict: Verdict::Skipped(why), reached: Reached::default(), turns: Vec::new() },
        }
    }
    let mut simulation = Simulation::new(Arc::clone(plan), case.start.clone(), case.clock, seed, case.world.clone());
    for turn in &case.turns {
        match turn {
            Input::Say(text) => simulation.say(text),
            Input::Press(keys) => simulation.press(keys),
            Input::Noise => simulation.noise(),
            Input::Silence => simulation.silence(),
            Input::Audio(_) => match clips.pop_front() {
                Some(clip) if !clip.text.is_empty() => simulation.hear(&clip.text, clip.pinyin, clip.confidence),
                _ => simulation.noise(),
            },
        };
    }
    simulation.run_out();
    let turns = simulation.turns().to_vec();
    let failures = judge(case, &turns);
    let verdict = if failures.is_empty() { Verdict::Passed } else { Verdict::Failed(failures) };
    Outcome { verdict, reached: Reached::by(&turns), turns }
}

fn judge(case: &Case, turns: &[Turn]) -> Vec<String> {
    let mut failures = Vec::new();
    let mut from = 0;
    for expect in &case.expect {
        let found = match expect.at {
            Some(at) if at < turns.len() => mismatch(expect, turns, at, at).map_or(Ok(at), Err),
            Some(at) => Err(format!("there is no turn {at}")),
            None => first_match(expect, turns, from),
        };
        match found {
            Ok(at) => from = at,
            Err(why) => failures.push(format!("line {}: {why}", expect.place)),
        }
    }
    failures
}

fn first_match(expect: &Expectation, turns: &[Turn], from: usize) -> Result<usize, String> {
    let mut nearest = "there are no more turns".to_owned();
    for at in from..turns.len() {
        match mismatch(expect, turns, at, turns.len() - 1) {
            None => return Ok(at),
            Some(why) => nearest = why,
        }
    }
    Err(format!("no turn from {from} on fits; the last says: {nearest}"))
}

/// Why a turn is not as expected; ends count up to the turn `until`.
fn mismatch(expect: &Expectation, turns: &[Turn], at: usize, until: usize) -> Option<String> {
    let turn = &turns[at];
    node_mismatch(expect, turns, at)
        .or_else(|| words_mismatch(expect, turns, at))
        .or_else(|| end_mismatch(expect, turn, &turns[at..=until]))
}

fn node_mismatch(expect: &Expectation, turns: &[Turn], at: usize) -> Option<String> {
    let turn = &turns[at];
    if let Some(node) = &expect.node {
        let here: Vec<&String> = match turn.nodes.is_empty() {
            true => turns[..at].iter().rev().find_map(|turn| turn.nodes.last()).into_iter().collect(),
            false => turn.nodes.iter().collect(),
        };
        if !here.contains(&node) {
            return Some(format!("turn {at}: node {node} expected, went to {here:?}"));
        }
    }
    if !expect.intents.is_empty() {
        let got: Vec<&str> = turn.understood.iter().flat_map(|(_, intents)| intents.iter().map(|scored| scored.intent.as_str())).collect();
        if !got.iter().copied().take(expect.intents.len()).eq(expect.intents.iter().map(String::as_str)) {
            return Some(format!("turn {at}: intents {:?} expected, understood {got:?}", expect.intents));
        }
    }
    expect.slots.iter().find_map(|(name, value)| {
        let got = turns[..=at].iter().rev().find_map(|turn| turn.slots.get(name)).map(super::expr::plain);
        (got.as_deref() != Some(value)).then(|| format!("turn {at}: slot {name} is {got:?}, not {value}"))
    })
}

fn words_mismatch(expect: &Expectation, turns: &[Turn], at: usize) -> Option<String> {
    let turn = &turns[at];
    let asked_within = if expect.at.is_some() { &turns[at..=at] } else { turns };
    if let Some(slot) = expect.not_asked.iter().find(|slot| asked_within.iter().any(|turn| turn.asks.as_ref() == Some(slot))) {
        return Some(format!("turn {at}: {slot} was asked for"));
    }
    if expect.asked.is_some() && turn.asks != expect.asked {
        return Some(format!("turn {at}: asks for {:?}, not {:?}", turn.asks, expect.asked));
    }
    let said = turn.said.join(" ");
    if let Some(words) = expect.said.iter().find(|words| !said.contains(words.as_str())) {
        return Some(format!("turn {at}: \"{words}\" was not said, but: {said}"));
    }
    if let Some(channel) = &expect.sent
        && !turn.sent.iter().any(|(channels, _)| channels.contains(channel))
    {
        return Some(format!("turn {at}: nothing was sent by {channel}"));
    }
    let undone = expect.did.iter().find(|what| !turn.notes.iter().any(|note| note.contains(what.as_str())));
    undone.map(|what| format!("turn {at}: \"{what}\" was not done, but: {}", turn.notes.join("; ")))
}

fn line_mismatch(wanted: &Wait, rest: &[Turn]) -> Option<String> {
    let joined = rest.iter().find_map(|turn| turn.queue.as_ref());
    if let Some(queue) = &wanted.queue {
        let Some(joined) = joined else { return Some(format!("the line {queue} was not joined")) };
        if joined.queue != QueueId::of_name(queue) {
            return Some(format!("another line than {queue} was joined"));
        }
        if let Some(path) = wanted.context_has.iter().find(|path| !has(&joined.context, path)) {
            return Some(format!("the context has no {path}"));
        }
    }
    let priority = joined.map(|joined| joined.priority);
    (wanted.priority.is_some() && priority != wanted.priority).then(|| format!("priority is {priority:?}, not {:?}", wanted.priority))
}

fn end_mismatch(expect: &Expectation, turn: &Turn, rest: &[Turn]) -> Option<String> {
    if let Some(why) = line_mismatch(&expect.line, rest) {
        return Some(why);
    }
    if let Some(wanted) = expect.ends.reprompt
        && wanted != turn.understood.as_ref().is_some_and(|(decision, _)| matches!(decision.as_str(), "reprompt" | "invalid"))
    {
        return Some(format!("reprompt is not {wanted}"));
    }
    let end = rest.iter().find_map(|turn| turn.end);
    match (&expect.ends.end, end) {
        (Some(word), None) if word == "hangup" => return Some("the conversation did not end".to_owned()),
        (Some(word), _) if word != "hangup" => return Some(format!("end can be 'hangup', not '{word}'")),
        _ => {}
    }
    match expect.ends.contained {
        Some(contained) if end.map(|end| end.contained) != Some(contained) => {
            Some(format!("contained is {:?}", end.map(|end| end.contained)))
        }
        _ => None,
    }
}

fn has(context: &Map<String, Value>, path: &str) -> bool {
    let mut names = path.split('.');
    let first = names.next().and_then(|name| context.get(name));
    names.try_fold(first, |value, name| Some(value?.get(name))).flatten().is_some_and(|value| !value.is_null())
}

/// The shares that the cases reached, and what they did not reach: nodes, then languages.
#[must_use]
pub fn coverage(plan: &Plan, reached: &Reached) -> (Coverage, Vec<String>) {
    let entered = &reached.nodes;
    let nodes: Vec<&String> = plan.flow.nodes.keys().collect();
    let options: BTreeSet<&str> =
        plan.flow.menus.iter().flat_map(|menu| &menu.options).filter_map(|option| plan.node_of(&option.goto)).collect();
    let share = |part: usize, whole: usize| if whole == 0 { 1.0 } else { part as f32 / whole as f32 };
    let mut missing: Vec<String> = nodes.iter().filter(|name| !entered.contains(**name)).map(|name| (*name).clone()).collect();
    let taken = options.iter().filter(|name| entered.contains(**name)).count();
    let silent: Vec<String> = plan.languages.iter().filter(|lang| !reached.languages.contains(*lang)).map(ToString::to_string).collect();
    let shares = Coverage {
        nodes: share(nodes.len() - missing.len(), nodes.len()),
        options: share(taken, options.len()),
        languages: share(plan.languages.len() - silent.len(), plan.languages.len()),
    };
    missing.extend(silent);
    (shares, missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::dialplan::{load, sim};

    fn file(name: &str, text: &str) -> Source {
        Source { name: name.to_owned(), text: text.to_owned() }
    }

    fn shipped() -> Vec<Source> {
        vec![
            file("desk.yaml", include_str!("../../../dialplans/desk.yaml")),
            file("coffee-order.yaml", include_str!("../../../dialplans/coffee-order.yaml")),
            file("driver-hotline.yaml", include_str!("../../../dialplans/driver-hotline.yaml")),
            file("where-is-my-order.yaml", include_str!("../../../dialplans/where-is-my-order.yaml")),
            file("knowledge/driver.yaml", include_str!("../../../dialplans/knowledge/driver.yaml")),
        ]
    }

    /// Runs test files of one plan; gives the nodes that were entered.
    fn pass(texts: &[&str]) {
        drop(pass_in(&shipped(), texts));
    }

    /// The same with plans of one's own; gives what lint says of them.
    fn pass_in(files: &[Source], texts: &[&str]) -> Vec<Problem> {
        let loaded = load(files, &sim::mock_environment(files, &BTreeMap::new()));
        let mut reached = Reached::default();
        let mut failed = Vec::new();
        let mut wanted = Coverage::default();
        let mut id = String::new();
        for text in texts {
            let tests = read(&file("t.test.yaml", text)).expect("a test file");
            for case in &tests.cases {
                let outcome = run(case, &loaded.plans[&tests.plan], 1, &mut deaf);
                if let Verdict::Failed(why) = &outcome.verdict {
                    let turns: Vec<String> = outcome.turns.iter().enumerate().map(|(at, turn)| format!("  {at} {turn:?}")).collect();
                    failed.push(format!("{}: {why:#?}\n{}", case.name, turns.join("\n")));
                }
                reached.join(outcome.reached);
            }
            wanted = wanted.max(tests.coverage);
            id = tests.plan;
        }
        assert!(failed.is_empty(), "{}", failed.join("\n\n"));
        let (shares, missing) = coverage(&loaded.plans[&id], &reached);
        assert!(shares.reaches(wanted), "{shares:?}, never reached: {missing:?}");
        loaded.problems
    }

    #[test]
    fn s1_s2_s4_s6_s17_s18_s35_the_driver_hotline_passes_its_cases() {
        pass(&[
            include_str!("../../../dialplans/driver-hotline.test.yaml"),
            include_str!("../../../dialplans/driver-hotline.more.test.yaml"),
            include_str!("../../../dialplans/driver-hotline.upset.test.yaml"),
        ]);
    }

    #[test]
    fn s4_s44_the_order_line_passes_its_cases() {
        pass(&[include_str!("../../../dialplans/where-is-my-order.test.yaml")]);
    }

    #[test]
    fn s11_the_insurance_line_passes_its_cases_and_has_no_finding() {
        let files = [
            file("desk.yaml", include_str!("../../../examples/insurance/desk.yaml")),
            file("insurance.yaml", include_str!("../../../examples/insurance/insurance.yaml")),
            file("knowledge/health.yaml", include_str!("../../../examples/insurance/knowledge/health.yaml")),
            file("knowledge/claims.csv", include_str!("../../../examples/insurance/knowledge/claims.csv")),
        ];
        let found = pass_in(&files, &[include_str!("../../../examples/insurance/insurance.test.yaml")]);
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn s13_the_finder_and_the_human_first_line_pass_their_cases_and_have_no_finding() {
        let finder = [
            file("desk.yaml", include_str!("../../../examples/finder/desk.yaml")),
            file("toys.yaml", include_str!("../../../examples/finder/toys.yaml")),
        ];
        let found = pass_in(&finder, &[include_str!("../../../examples/finder/toys.test.yaml")]);
        assert!(found.is_empty(), "{found:#?}");
        let hybrid = [
            file("desk.yaml", include_str!("../../../examples/hybrid/desk.yaml")),
            file("concierge.yaml", include_str!("../../../examples/hybrid/concierge.yaml")),
        ];
        let found = pass_in(&hybrid, &[include_str!("../../../examples/hybrid/concierge.test.yaml")]);
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn s16_the_digital_worker_passes_its_cases_and_has_no_finding() {
        let files = [
            file("desk.yaml", include_str!("../../../examples/digital-worker/desk.yaml")),
            file("accident.yaml", include_str!("../../../examples/digital-worker/accident.yaml")),
        ];
        let cases = [include_str!("../../../examples/digital-worker/accident.test.yaml")];
        assert!(pass_in(&files, &cases).is_empty(), "nothing for lint to say");
    }

    #[test]
    fn the_coffee_line_passes_its_cases() {
        pass(&[include_str!("../../../dialplans/coffee-order.test.yaml")]);
    }

    fn deaf(file: &str, _: &Lang) -> Result<Clip, String> {
        Err(format!("nobody listens to {file}"))
    }

    #[test]
    fn a_case_with_sound_is_judged_by_what_was_heard_and_skipped_when_nobody_listens() {
        let files = shipped();
        let loaded = load(&files, &sim::mock_environment(&files, &BTreeMap::new()));
        let text = "tests: driver-hotline\ncases:\n  - {name: heard, audio: a.wav, expect: [{at: 1, node: insurance}]}\n";
        let tests = read(&file("t.test.yaml", text)).expect("a test file");
        let plan = &loaded.plans["driver-hotline"];
        assert_eq!(run(&tests.cases[0], plan, 1, &mut deaf).verdict, Verdict::Skipped("nobody listens to a.wav".to_owned()));
        let mut ear = |_: &str, _: &Lang| Ok(Clip { text: "我要报保险".to_owned(), pinyin: None, confidence: 0.9 });
        assert_eq!(run(&tests.cases[0], plan, 1, &mut ear).verdict, Verdict::Passed);
        let mut wrong = |_: &str, _: &Lang| Ok(Clip { text: String::new(), pinyin: None, confidence: 0.0 });
        assert!(matches!(run(&tests.cases[0], plan, 1, &mut wrong).verdict, Verdict::Failed(_)));
    }

    #[test]
    fn a_case_that_expects_something_else_fails_and_says_why() {
        let files = shipped();
        let loaded = load(&files, &sim::mock_environment(&files, &BTreeMap::new()));
        let text = "tests: driver-hotline\ncases:\n  - {name: wrong, keys: [\"3\"], expect: [{at: 1, node: salary}]}\n";
        let tests = read(&file("t.test.yaml", text)).expect("a test file");
        let outcome = run(&tests.cases[0], &loaded.plans["driver-hotline"], 1, &mut deaf);
        assert!(
            matches!(&outcome.verdict, Verdict::Failed(why) if why[0].contains("salary expected, went to [\"car\"]")),
            "{:?}",
            outcome.verdict
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_conversation() {
        let files = shipped();
        let loaded = load(&files, &sim::mock_environment(&files, &BTreeMap::new()));
        let tests = read(&file("t.test.yaml", include_str!("../../../dialplans/driver-hotline.test.yaml"))).expect("a test file");
        let plan = &loaded.plans["driver-hotline"];
        assert_eq!(run(&tests.cases[0], plan, 7, &mut deaf).turns, run(&tests.cases[0], plan, 7, &mut deaf).turns);
    }
}
