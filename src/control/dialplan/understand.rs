//! All menus' options and the commands understood everywhere, as one classifier.

use std::collections::BTreeMap;

use super::plan::{Always, Flow, Matching, Menu, Slot, Texts};
use super::template::{Part, Template};
use crate::control::words::Lang;
use crate::nlu::packs::Pack;
use crate::nlu::{Classifier, Focus, Intent, Meanings, Options, Ranked, SentenceModel, TrainError};

/// What understands sentences of a plan.
#[derive(Debug, Default)]
pub struct Understanding {
    classifier: Option<Classifier>,
    /// Intent → its name for people.
    labels: BTreeMap<String, Texts>,
    /// Intent → slots its sentences may fill.
    slots: BTreeMap<String, Vec<String>>,
}

/// Commands with a ready stock of phrasings.
const STOCKED: [(&str, Pack); 3] = [("human", Pack::Agent), ("repeat", Pack::Repeat), ("back", Pack::Back)];

impl Understanding {
    /// Trains on a plan's menus and commands.
    pub fn train(
        flow: &Flow,
        slots: &BTreeMap<String, Slot>,
        languages: &[Lang],
        model: &SentenceModel,
    ) -> Result<Understanding, TrainError> {
        let mut understanding = Understanding::default();
        for option in flow.menus.iter().flat_map(|menu| &menu.options) {
            let name = option.intent().to_owned();
            let named = option.examples.values().flatten().flat_map(|text| slot_names(text));
            understanding.slots.entry(name.clone()).or_default().extend(named.filter(|slot| slots.contains_key(slot)));
            understanding.labels.entry(name).or_insert_with(|| option.label.clone());
        }
        understanding.reach(flow, slots);
        let intents = intents(flow, languages);
        if intents.iter().any(|intent| !intent.examples.is_empty()) {
            understanding.classifier = Some(Classifier::train(&intents, &Options { meaning: model, ..Options::default() })?);
        }
        Ok(understanding)
    }

    /// An intent's sentence may also fill what its node asks for.
    fn reach(&mut self, flow: &Flow, slots: &BTreeMap<String, Slot>) {
        for (intent, names) in &mut self.slots {
            let asked = flow.nodes.get(intent).into_iter().flat_map(|node| &node.steps).filter_map(|step| match &step.verb {
                super::plan::Verb::Ask(ask) => Some(ask.slots.iter().chain(&ask.also)),
                _ => None,
            });
            names.extend(asked.flatten().filter(|slot| slots.contains_key(*slot)).cloned());
            distinct(names);
        }
    }

    /// Understands a sentence where the caller stands.
    #[must_use]
    pub fn classify(&self, said: &Said<'_>, place: &Standing<'_>) -> Ranked {
        self.classifier.as_ref().map(|classifier| classify(classifier, said, place)).unwrap_or_default()
    }

    /// An intent's name for people.
    #[must_use]
    pub fn label(&self, intent: &str) -> Option<&Texts> {
        self.labels.get(intent)
    }

    /// Slots that a sentence of this intent may fill.
    #[must_use]
    pub fn slots(&self, intent: &str) -> &[String] {
        self.slots.get(intent).map_or(&[], Vec::as_slice)
    }
}

/// Understands a sentence by this classifier where the caller stands.
#[must_use]
pub fn classify(classifier: &Classifier, said: &Said<'_>, place: &Standing<'_>) -> Ranked {
    let focus = match place.matching {
        Matching::Tree => Focus::Prefer { intents: &place.local, bias: place.bias, closed: &place.closed },
        Matching::Local => Focus::Only { intents: &place.everywhere },
    };
    classifier.classify_meant(said.text, said.pinyin, said.meanings, said.medium, focus)
}

/// What a plan's classifier learns: the options of all menus and the commands, each with its sentences and its names.
#[must_use]
pub fn intents(flow: &Flow, languages: &[Lang]) -> Vec<Intent> {
    let mut intents: BTreeMap<String, Intent> = BTreeMap::new();
    for option in flow.menus.iter().flat_map(|menu| &menu.options) {
        let name = option.intent().to_owned();
        let intent = intents.entry(name.clone()).or_insert_with(|| Intent { id: name, ..Intent::default() });
        let examples = option.examples.values().flatten();
        intent.examples.extend(examples.filter(|text| !has_only_slots(text)).cloned());
        intent.titles.extend(option.label.by_lang.values().map(fixed).filter(|text| !text.trim().is_empty()));
    }
    for (parent, child) in kinship(flow) {
        if intents.contains_key(&parent)
            && let Some(intent) = intents.get_mut(&child)
        {
            intent.parent = Some(parent);
        }
    }
    for command in &flow.always {
        add_command(command, languages, &mut intents);
    }
    for intent in intents.values_mut() {
        distinct(&mut intent.examples);
        distinct(&mut intent.titles);
    }
    intents.into_values().collect()
}

/// A sentence.
#[derive(Debug, Clone, Copy)]
pub struct Said<'s> {
    /// The words.
    pub text: &'s str,
    /// Or how they sound.
    pub pinyin: Option<&'s str>,
    /// What a sentence model says of it.
    pub meanings: &'s Meanings,
    /// Spoken or typed.
    pub medium: crate::nlu::Medium,
}

/// Where the caller stands.
#[derive(Debug, Clone)]
pub struct Standing<'p> {
    /// The current menu's intents.
    pub local: Vec<&'p str>,
    /// These and the commands.
    pub everywhere: Vec<&'p str>,
    /// Options of the tree that no condition opens now.
    pub closed: Vec<&'p str>,
    /// Whose options count.
    pub matching: Matching,
    /// What the local ones win by.
    pub bias: f32,
}

/// Parent node → node of its menus' options.
fn kinship(flow: &Flow) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (name, node) in &flow.nodes {
        for step in &node.steps {
            let super::plan::Verb::Menu(index) = &step.verb else { continue };
            let options: &[_] = flow.menus.get(*index).map_or(&[], |menu: &Menu| &menu.options);
            pairs.extend(options.iter().map(|option| (name.clone(), option.intent().to_owned())).filter(|(parent, child)| parent != child));
        }
    }
    pairs
}

/// Node → nodes whose menus lead there.
#[must_use]
pub fn parents(flow: &Flow) -> BTreeMap<String, Vec<String>> {
    let mut parents: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (parent, child) in kinship(flow) {
        parents.entry(child).or_default().push(parent);
    }
    parents
}

fn add_command(command: &Always, languages: &[Lang], intents: &mut BTreeMap<String, Intent>) {
    if command.examples.is_empty() && STOCKED.iter().all(|(name, _)| *name != command.name) {
        return;
    }
    let intent = intents.entry(command.name.clone()).or_insert_with(|| Intent { id: command.name.clone(), ..Intent::default() });
    intent.examples.extend(command.examples.values().flatten().cloned());
    let Some((_, pack)) = STOCKED.iter().find(|(name, _)| *name == command.name) else { return };
    let mut primaries: Vec<&str> = languages.iter().map(Lang::speech).collect();
    primaries.dedup();
    for primary in primaries {
        intent.examples.extend(pack.phrases(primary).map(str::to_owned));
    }
}

fn distinct(texts: &mut Vec<String>) {
    let mut seen = std::collections::BTreeSet::new();
    texts.retain(|text| seen.insert(text.clone()));
}

fn fixed(template: &Template) -> String {
    template.parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None }).collect()
}

/// Names in braces: `"{plate}出险了"` gives `plate`.
#[must_use]
pub fn slot_names(example: &str) -> Vec<String> {
    Template::parse(example).map(|template| template.paths().map(|path| path.root.clone()).collect()).unwrap_or_default()
}

fn has_only_slots(example: &str) -> bool {
    Template::parse(example).is_ok_and(|template| fixed(&template).trim().is_empty())
}
