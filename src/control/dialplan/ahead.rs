//! What a plan will say whatever its callers do: sounds that can be made before the first of them calls.

use std::collections::BTreeSet;

use super::plan::{Mode, Plan, Texts};
use super::runner::phrases;
use super::template::Part;
use super::verbs::{Play, Sound, Verb};
use crate::control::words::Lang;
use crate::control::words::media::Prompt;

/// The prompts of a plan that hold no value, in all its languages: as the runner will want them, each once, those of the start first.
#[must_use]
pub fn fixed_prompts(plan: &Plan) -> Vec<Prompt> {
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for lang in &plan.languages {
        let said = texts(plan).into_iter().filter_map(|texts| fixed(texts, lang));
        let ready = phrases::FIXED.iter().map(|phrase| (None, phrases::phrase(*phrase, lang).to_owned(), lang.clone()));
        for (id, text, lang) in said.chain(ready) {
            if seen.insert((id.clone(), text.clone(), lang.clone())) {
                out.push(Prompt::Text { id, text, lang });
            }
        }
    }
    let file = |verb: &Verb| if let Verb::Play(Play { sound: Sound::File(file), .. }) = verb { Some(file.clone()) } else { None };
    out.extend(verbs(plan).filter_map(file).collect::<BTreeSet<String>>().into_iter().map(Prompt::File));
    out
}

/// The text in a language, unless it has values to be filled in.
fn fixed(texts: &Texts, lang: &Lang) -> Option<(Option<String>, String, Lang)> {
    let template = texts.of(lang)?;
    let parts = template.parts.iter().map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None });
    let text = parts.collect::<Option<String>>()?;
    (!text.trim().is_empty()).then(|| (texts.id.clone(), text, texts.lang_of(lang)))
}

/// Everything the plan says, the start node first.
fn texts(plan: &Plan) -> Vec<&Texts> {
    let mut out: Vec<&Texts> = verbs(plan).flat_map(|verb| said_by(plan, verb)).collect();
    out.extend(plan.values.slots.values().flat_map(|slot| std::iter::once(&slot.ask).chain(slot.valid.iter().map(|(_, say)| say))));
    out.extend(plan.values.lookups.values().map(|lookup| &lookup.wait_say));
    if let Mode::Hybrid(hybrid) = &plan.mode {
        out.push(&hybrid.say);
    }
    out
}

fn verbs(plan: &Plan) -> impl Iterator<Item = &Verb> {
    let start = plan.flow.nodes.get(&plan.flow.start);
    start.into_iter().chain(plan.flow.nodes.values()).flat_map(|node| node.steps.iter().map(|step| &step.verb))
}

fn said_by<'p>(plan: &'p Plan, verb: &'p Verb) -> Option<&'p Texts> {
    match verb {
        Verb::Say(texts) | Verb::Hangup(Some(texts)) => Some(texts),
        Verb::Menu(index) => plan.flow.menus.get(*index).map(|menu| &menu.prompt),
        Verb::Confirm(confirm) => Some(&confirm.prompt),
        Verb::LeaveMessage(step) => Some(&step.prompt),
        Verb::Survey(survey) => Some(&survey.prompt),
        Verb::Saga(saga) => Some(&saga.wait_say),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::dialplan::load::{Source, load};

    const PLAN: &str = r#"
dialplan: 1
id: shop
title: Shop
languages: [zh-CN, en-US]
numbers: ["1"]
start: hello
slots:
  no: {type: digits, length: 4, ask: {zh-CN: 请说单号。, en-US: Which order?}}
nodes:
  hello:
    - say: {zh-CN: 您好。, en-US: Hello.}
    - ask: no
    - say: {zh-CN: "单号{no}。", en-US: "Order {no}."}
    - goto: bye
  bye: [{play: bye.wav}, {hangup: "Goodbye."}]
"#;

    #[test]
    fn all_that_holds_no_value_is_known_before_the_first_call_in_each_language() {
        let files = [Source { name: "shop.yaml".into(), text: PLAN.into() }];
        let loaded = load(&files, &std::collections::BTreeMap::new());
        let plan = loaded.plans.get("shop").unwrap_or_else(|| panic!("{:?}", loaded.problems));
        let prompts = fixed_prompts(plan);
        let text = |text: &str, lang: &str| Prompt::Text { id: None, text: text.into(), lang: Lang::new(lang) };
        assert_eq!(prompts[0], text("您好。", "zh-CN"), "the first words first");
        for wanted in
            [text("Hello.", "en-US"), text("请说单号。", "zh-CN"), text("抱歉，我没有听清。", "zh-CN"), Prompt::File("bye.wav".into())]
        {
            assert_eq!(prompts.iter().filter(|prompt| **prompt == wanted).count(), 1, "{wanted:?}");
        }
        let valued = |prompt: &&Prompt| matches!(prompt, Prompt::Text { text, .. } if text.contains("单号。") && text.len() < 10 || text.contains("Order ."));
        assert!(!prompts.iter().any(|prompt| valued(&prompt)), "a text with a value is no fixed one: {prompts:?}");
    }
}
