//! What the recognizer may expect: phrases and grammars of menus, slots and yes/no questions.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::plan::{Always, Choices, Flow, MenuOption, Slot, SlotType, Texts};
use super::template::{Part, Template};
use crate::control::words::Lang;
use crate::control::words::speech::{Expect, Hints};
use crate::nlu::packs::Pack;

/// The most phrases of one turn.
const MOST_PHRASES: usize = 400;

/// FNV-1a, 64 bits: the same content has the same key on every machine.
fn key(phrases: &[String], grammar: Option<&str>) -> u64 {
    let bytes = phrases.iter().flat_map(|phrase| phrase.bytes().chain([0])).chain(grammar.unwrap_or_default().bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

/// Hints with their key.
#[must_use]
pub fn of(mut phrases: Vec<String>, grammar: Option<String>) -> Arc<Hints> {
    let mut seen = std::collections::BTreeSet::new();
    phrases.retain(|phrase| !phrase.trim().is_empty() && seen.insert(phrase.clone()));
    phrases.truncate(MOST_PHRASES);
    Arc::new(Hints { key: key(&phrases, grammar.as_deref()), phrases, grammar })
}

/// Puts the hints of every menu in every language into the flow: its own options first, then the tree, then the commands.
pub fn fill_menus(flow: &mut Flow, languages: &[Lang]) {
    let all: Vec<(usize, BTreeMap<Lang, Arc<Hints>>)> = (0..flow.menus.len())
        .map(|index| {
            let hints = languages.iter().map(|lang| (lang.clone(), menu(flow, index, lang))).collect();
            (index, hints)
        })
        .collect();
    for (index, hints) in all {
        flow.menus[index].hints = hints;
    }
}

fn menu(flow: &Flow, index: usize, lang: &Lang) -> Arc<Hints> {
    let grammar = flow.menus[index].hints.get(lang).and_then(|hints| hints.grammar.clone());
    let local = flow.menus[index].options.iter().flat_map(|option| spoken_forms(option, lang));
    let tree = flow.menus.iter().flat_map(|menu| &menu.options).flat_map(|option| spoken_forms(option, lang));
    let commands = flow.always.iter().flat_map(|command| command_forms(command, lang));
    of(local.chain(tree).chain(commands).collect(), grammar)
}

fn spoken_forms(option: &MenuOption, lang: &Lang) -> Vec<String> {
    let mut forms: Vec<String> = option.examples.get(lang).into_iter().flatten().map(|text| without_slots(text)).collect();
    forms.extend(label(&option.label, lang));
    forms
}

fn command_forms(command: &Always, lang: &Lang) -> Vec<String> {
    command.examples.get(lang).cloned().unwrap_or_default()
}

fn label(texts: &Texts, lang: &Lang) -> Option<String> {
    let template = texts.by_lang.get(lang)?;
    Some(fixed(template))
}

fn fixed(template: &Template) -> String {
    template.parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None }).collect()
}

fn without_slots(example: &str) -> String {
    Template::parse(example).map(|template| fixed(&template)).unwrap_or_else(|_| example.to_owned())
}

/// Yes and no in a language.
#[must_use]
pub fn yes_no(lang: &Lang) -> Arc<Hints> {
    let words = Pack::Yes.phrases(lang.speech()).chain(Pack::No.phrases(lang.speech()));
    of(words.map(str::to_owned).collect(), None)
}

/// What kind of value a slot is, for end-pointing.
#[must_use]
pub fn expect(kind: &SlotType) -> Expect {
    match kind {
        SlotType::Digits | SlotType::Phone | SlotType::Card => Expect::Digits,
        SlotType::Code | SlotType::PlateCn | SlotType::IdCn | SlotType::Name | SlotType::Email => Expect::Code,
        SlotType::YesNo => Expect::YesNo,
        _ => Expect::Sentence,
    }
}

/// Puts the hints of a slot with a closed form into the slot.
pub fn fill_slot(slot: &mut Slot, languages: &[Lang]) {
    for lang in languages {
        let given = slot.hints.get(lang).and_then(|hints| hints.grammar.clone());
        let hints = match (&slot.kind, &slot.choices) {
            (_, Choices::Fixed(values)) => {
                let words = values
                    .iter()
                    .flat_map(|choice| std::iter::once(choice.value.clone()).chain(choice.words.get(lang).into_iter().flatten().cloned()));
                let words: Vec<String> = words.collect();
                let grammar = given.or_else(|| Some(format!("public <value> = {} ;", words.join(" | "))));
                of(words, grammar)
            }
            (SlotType::YesNo, _) => yes_no(lang),
            (SlotType::Digits | SlotType::Phone | SlotType::Card, _) => digits(lang, given),
            _ => of(Vec::new(), given),
        };
        slot.hints.insert(lang.clone(), hints);
    }
}

fn digits(lang: &Lang, given: Option<String>) -> Arc<Hints> {
    const ZH: &str = "零 一 二 三 四 五 六 七 八 九 幺 两 洞 拐 勾";
    const EN: &str = "zero one two three four five six seven eight nine oh double triple";
    let words = if lang.speech() == "zh" { ZH } else { EN };
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    let grammar = given.unwrap_or_else(|| format!("public <digits> = ( {} )+ ;", words.join(" | ")));
    of(words, Some(grammar))
}
