//! Menus, their options, and the commands understood everywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Context, Fields};
use crate::control::dialplan::plan::{Always, Menu, MenuOption, Target, Upset};
use crate::control::dialplan::syntax::{Kind, Pair, Yaml};
use crate::control::words::Lang;
use crate::control::words::speech::Hints;
use crate::nlu::normalise::normalise;

/// A menu step: its own options or those of `use`. Gives its index.
pub fn menu(yaml: &Yaml, node: &str, context: &mut Context<'_>) -> Option<usize> {
    let mut fields = Fields::of(yaml, "a menu", context)?;
    let prompt = fields.take("prompt").map(|yaml| context.texts(yaml, "the prompt")).unwrap_or_default();
    let hints = grammars(&mut fields, context);
    let index = context.menus.len();
    let options = match (fields.take("options"), fields.take("use")) {
        (Some(list), None) => options(list, context),
        (None, Some(name)) => {
            if let Some(text) = context.text(name, "use") {
                context.seen.uses.push((text, index, name.at));
            }
            Vec::new()
        }
        _ => {
            context.mend("D105", yaml.at, "a menu has neither or both of 'options' and 'use'", "list its options, or use: NAME of menus");
            Vec::new()
        }
    };
    fields.finish(context);
    context.menus.push(Menu { name: node.to_owned(), prompt, options, hints });
    context.seen.menus.push(yaml.at);
    Some(index)
}

/// An entry of `menus`.
pub fn shared(yaml: &Yaml, name: &str, context: &mut Context<'_>) -> Option<Menu> {
    let mut fields = Fields::of(yaml, "a menu", context)?;
    let prompt = fields.take("prompt").map(|yaml| context.texts(yaml, "the prompt")).unwrap_or_default();
    let hints = grammars(&mut fields, context);
    let options = fields.need("options", context).map(|list| options(list, context)).unwrap_or_default();
    fields.finish(context);
    Some(Menu { name: name.to_owned(), prompt, options, hints })
}

fn options(yaml: &Yaml, context: &mut Context<'_>) -> Vec<MenuOption> {
    let mut options: Vec<MenuOption> = Vec::new();
    for item in context.list(yaml, "options") {
        let Some(option) = option(item, context) else { continue };
        if let Some(key) = &option.key
            && options.iter().any(|other| other.key.as_ref() == Some(key))
        {
            context.mend("D131", item.at, format!("two options have the key {key}"), "give each its own key");
        }
        options.push(option);
    }
    if options.iter().any(|option| option.key.is_none()) {
        context.warn("D130", yaml.at, "an option has no key; who cannot speak cannot choose it", "add key: 1 … to the options");
    }
    options
}

fn option(yaml: &Yaml, context: &mut Context<'_>) -> Option<MenuOption> {
    let mut fields = Fields::of(yaml, "an option", context)?;
    let key = fields.take("key").and_then(|yaml| key(yaml, context));
    let goto = fields.need("goto", context).and_then(|yaml| context.target(yaml, "goto"));
    let label = fields.need("label", context).map(|yaml| context.texts(yaml, "the label")).unwrap_or_default();
    let given = fields.take("examples");
    let examples = given.map(|yaml| context.sentences(yaml, "examples")).unwrap_or_default();
    let when = fields.take("when").and_then(|yaml| context.expr(yaml));
    if let Some(given) = given {
        check_examples(&examples, given, context);
    }
    fields.finish(context);
    Some(MenuOption { key, goto: goto?, label, examples, when })
}

const FEW: usize = 3;

fn check_examples(examples: &BTreeMap<Lang, Vec<String>>, yaml: &Yaml, context: &mut Context<'_>) {
    for lang in context.languages.clone() {
        match examples.get(&lang).map_or(0, Vec::len) {
            0 => context.warn(
                "D131",
                yaml.at,
                format!("the option has no examples in {lang}; it is understood by keys only there"),
                format!("add {lang}: [a sentence, …]"),
            ),
            few if few < FEW => context.warn("D132", yaml.at, format!("only {few} example(s) in {lang}"), "give 10 or more; 3 at least"),
            _ => {}
        }
    }
}

fn key(yaml: &Yaml, context: &mut Context<'_>) -> Option<String> {
    let text = context.text(yaml, "key")?;
    if (1..=4).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit() || c == '*' || c == '#') {
        return Some(text);
    }
    context.mend("D104", yaml.at, format!("key is '{text}'"), "digits, \"*\" or \"#\"");
    None
}

/// `grammar: {en-US: "…"}` of a menu or slot.
pub fn grammars(fields: &mut Fields<'_>, context: &mut Context<'_>) -> BTreeMap<Lang, Arc<Hints>> {
    let mut hints = BTreeMap::new();
    let Some(Kind::Map(pairs)) = fields.take("grammar").map(|yaml| &yaml.kind) else { return hints };
    for pair in pairs {
        if let (Some(lang), Some(body)) = (context.lang_key(pair, "grammar"), context.text(&pair.value, "a grammar")) {
            hints.insert(lang, Arc::new(Hints { grammar: Some(body), ..Hints::default() }));
        }
    }
    hints
}

/// The `always` block.
pub fn always(yaml: &Yaml, context: &mut Context<'_>) -> Vec<Always> {
    let Some(fields) = Fields::of(yaml, "always", context) else { return Vec::new() };
    let mut all: Vec<Always> = Vec::new();
    for pair in fields.pairs() {
        let Some(always) = command(pair, context) else { continue };
        if all.iter().any(|other| other.key.is_some() && other.key == always.key) {
            context.mend("D131", pair.at, "two commands have the same key", "give each its own key");
        }
        all.push(always);
    }
    all
}

fn command(pair: &Pair, context: &mut Context<'_>) -> Option<Always> {
    let mut fields = Fields::of(&pair.value, "a command of always", context)?;
    let key = fields.take("key").and_then(|yaml| key(yaml, context)).and_then(|key| key.chars().next());
    let goto = fields.take("goto").and_then(|yaml| context.target(yaml, "goto"));
    let (does, lang) = match fields.take("do") {
        None => (None, None),
        Some(yaml) => action(yaml, context),
    };
    let upset = upset(&mut fields, goto.as_ref(), context);
    let phrases = fields.take("phrases").map(|yaml| context.sentences(yaml, "phrases")).unwrap_or_default();
    let phrases = phrases.into_values().flatten().map(|phrase| normalise(&phrase)).filter(|phrase| !phrase.trim().is_empty()).collect();
    let mut examples = BTreeMap::new();
    for other in fields.pairs() {
        if matches!(other.key.as_str(), "key" | "goto" | "do" | "phrases" | "tone" | "priority") {
            continue;
        }
        if let Some(lang) = context.lang_key(other, "a command of always") {
            examples.insert(lang, context.texts_list(&other.value, "examples").into_iter().map(|(text, _)| text).collect());
        }
    }
    let Some(does) = goto.or(does) else {
        context.mend("D105", pair.at, format!("'{}' does nothing", pair.key), "add goto: NODE or do: repeat");
        return None;
    };
    Some(Always { name: pair.key.clone(), key, does, lang, examples, phrases, upset })
}

/// `tone: -0.5` and `priority: 3`: who sounds so goes there, and is that much higher in every line.
fn upset(fields: &mut Fields<'_>, goto: Option<&Target>, context: &mut Context<'_>) -> Option<Upset> {
    let (tone, priority) = (fields.take("tone"), fields.take("priority"));
    let raise = priority.and_then(|yaml| context.number(yaml, "priority", 1..=HIGHEST_RAISE)).unwrap_or(USUAL_RAISE);
    let Some(yaml) = tone else {
        if let Some(yaml) = priority {
            context.mend("D104", yaml.at, "priority stands without a tone", "add tone: -0.5, or set the priority in the queue step");
        }
        return None;
    };
    let tone = context.number(yaml, "tone", LOWEST_TONE..=MILDEST_TONE)?;
    if !matches!(goto, Some(Target::Node(_) | Target::Human)) {
        context.mend("D105", yaml.at, "a tone leads to no person", "add goto: NODE, one that queues, or goto: human");
    }
    // The words are read when the plan is, and not while somebody waits for an answer.
    crate::nlu::sentiment::read();
    Some(Upset { tone, raise })
}

/// The angriest tone there is, and the mildest that a plan may take for anger.
const LOWEST_TONE: f32 = -1.0;
const MILDEST_TONE: f32 = -0.2;
/// What a priority is raised by when the plan says nothing, and at most.
const USUAL_RAISE: u8 = 3;
const HIGHEST_RAISE: u8 = 9;

/// `repeat`, `back`, or `{lang: en-US, goto: main}`.
fn action(yaml: &Yaml, context: &mut Context<'_>) -> (Option<Target>, Option<Lang>) {
    if yaml.scalar().is_some() {
        return (context.target(yaml, "do"), None);
    }
    let Some(mut fields) = Fields::of(yaml, "do", context) else { return (None, None) };
    let goto = fields.take("goto").and_then(|yaml| context.target(yaml, "goto"));
    let lang = fields.take("lang").and_then(|yaml| {
        let tag = context.text(yaml, "lang")?;
        let known = context.languages.iter().find(|lang| *lang.0 == *tag).cloned();
        if known.is_none() {
            context.mend("D104", yaml.at, format!("'{tag}' is no language of this plan"), "add it to languages");
        }
        known
    });
    fields.finish(context);
    (goto.or(Some(Target::Repeat)), lang)
}
