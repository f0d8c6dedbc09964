//! Each example held back once and asked for: which sentences go to another option than their own, and what to do about it.

use std::collections::BTreeMap;

use super::plan::{Menu, Plan};
use super::understand::{Said, Standing, classify, intents};
use crate::control::words::Lang;
use crate::nlu::{Classifier, Decision, Hit, Intent, Medium, Options, Ranked, Thresholds};

/// Fewer sentences than this in a language are too few to be sure of anything.
const FEW: usize = 5;
/// Two sentences with this share of their letters' pairs in common say much the same.
const ALIKE: f32 = 0.3;

/// How often the classifier is trained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trainings {
    /// Once for each sentence: exact.
    Each,
    /// So often at most: sentences are held back in groups.
    AtMost(usize),
}

/// A sentence that was held back, and what was made of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Held {
    /// The option it is an example of.
    pub intent: String,
    /// Its language.
    pub lang: Lang,
    /// The sentence.
    pub text: String,
    /// How it was understood where its menu is asked.
    pub ranked: Ranked,
}

/// A sentence of the plan with its owner.
struct Example<'p> {
    intent: &'p str,
    lang: &'p Lang,
    text: &'p str,
    menu: &'p Menu,
}

/// Holds back every example of the plan's menus and asks the rest for it, as the runner would. `told` hears of each training.
#[must_use]
pub fn hold_back(plan: &Plan, trainings: Trainings, told: &mut dyn FnMut(usize, usize)) -> Vec<Held> {
    let examples = examples(plan);
    let folds = match trainings {
        Trainings::Each => examples.len(),
        Trainings::AtMost(most) => examples.len().min(most),
    };
    let intents = intents(&plan.flow, &plan.languages);
    let mut held = Vec::with_capacity(examples.len());
    for fold in 0..folds {
        told(fold, folds);
        let out: Vec<&Example<'_>> = examples.iter().skip(fold).step_by(folds).collect();
        let Some(classifier) = without(plan, &intents, &out) else { continue };
        for example in out {
            let meanings = plan.surroundings.model.of_sentence(example.text);
            let said = Said { text: example.text, pinyin: None, meanings: &meanings, medium: Medium::Voice };
            let ranked = classify(&classifier, &said, &standing(plan, example.menu));
            held.push(Held { intent: example.intent.to_owned(), lang: example.lang.clone(), text: example.text.to_owned(), ranked });
        }
    }
    held
}

/// Each sentence of each option once.
fn examples(plan: &Plan) -> Vec<Example<'_>> {
    let mut examples: Vec<Example<'_>> = Vec::new();
    for menu in &plan.flow.menus {
        for option in &menu.options {
            for (lang, texts) in &option.examples {
                for text in texts {
                    let example = Example { intent: option.intent(), lang, text, menu };
                    if examples.iter().all(|known| (known.intent, known.text) != (example.intent, example.text)) {
                        examples.push(example);
                    }
                }
            }
        }
    }
    examples
}

fn without(plan: &Plan, intents: &[Intent], out: &[&Example<'_>]) -> Option<Classifier> {
    let kept = |intent: &Intent| {
        let held = |text: &String| out.iter().any(|example| example.intent == intent.id && example.text == text);
        let examples = intent.examples.iter().filter(|text| !held(text)).cloned().collect();
        Intent { examples, ..intent.clone() }
    };
    let intents: Vec<Intent> = intents.iter().map(kept).collect();
    Classifier::train(&intents, &Options { media: vec![Medium::Voice], meaning: &plan.surroundings.model, ..Options::default() }).ok()
}

fn standing<'p>(plan: &'p Plan, menu: &'p Menu) -> Standing<'p> {
    let local: Vec<&str> = menu.options.iter().map(|option| option.intent()).collect();
    let commands = plan.flow.always.iter().map(|command| command.name.as_str());
    let everywhere = local.iter().copied().chain(commands).collect();
    Standing { local, everywhere, closed: Vec::new(), matching: plan.defaults.matching, bias: plan.defaults.local_bias }
}

/// What a caller who says it goes through, the worst last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Harm {
    /// He is asked to say it again.
    AskedAgain,
    /// He is asked whether he meant something else.
    AskedWrongly,
    /// He goes elsewhere without a question.
    SentWrongly,
}

/// A sentence that goes to another option than its own.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Confusion {
    /// What comes of it.
    pub harm: Harm,
    /// The sentence.
    pub text: String,
    /// Its language.
    pub lang: Lang,
    /// The option it is an example of.
    pub intent: String,
    /// What it was taken for; none when it was taken for nothing, and asked for again.
    pub taken_for: Option<String>,
    /// The confidence of that.
    pub score: f32,
    /// What comes next, and its confidence; the nearest where it was taken for nothing.
    pub runner_up: Option<(String, f32)>,
    /// By how much the best of the others wins over its own; below 0 its own is the best, but not sure enough.
    pub margin: f32,
    /// One line: move, add or reword.
    pub advice: String,
}

/// The sentences that go wrong, those with the most harm first.
#[must_use]
pub fn confusions(plan: &Plan, held: &[Held]) -> Vec<Confusion> {
    let (accept, confirm) = plan.defaults.thresholds;
    let mut found: Vec<Confusion> = held.iter().filter_map(|one| confusion(plan, one, Thresholds { accept, confirm })).collect();
    found.sort_by(|left, right| {
        right.harm.cmp(&left.harm).then(right.margin.total_cmp(&left.margin)).then_with(|| left.text.cmp(&right.text))
    });
    found
}

fn confusion(plan: &Plan, held: &Held, thresholds: Thresholds) -> Option<Confusion> {
    let harm = match held.ranked.decide(thresholds) {
        Decision::Accept(intents) if intents.first() == Some(&held.intent) => return None,
        Decision::Accept(_) => Harm::SentWrongly,
        Decision::Confirm(intents) if intents.first() == Some(&held.intent) => return None,
        Decision::Confirm(_) => Harm::AskedWrongly,
        Decision::NoMatch => Harm::AskedAgain,
    };
    let hits = &held.ranked.hits;
    let score_of = |hit: Option<&Hit>| hit.map_or(0.0, |hit| hit.confidence);
    let taken = hits.first().filter(|_| harm != Harm::AskedAgain);
    let own = score_of(hits.iter().find(|hit| hit.intent == held.intent));
    let rival = hits.iter().find(|hit| hit.intent != held.intent);
    let runner_up = hits.get(usize::from(taken.is_some()));
    Some(Confusion {
        harm,
        text: held.text.clone(),
        lang: held.lang.clone(),
        intent: held.intent.clone(),
        taken_for: taken.map(|hit| hit.intent.clone()),
        score: score_of(taken),
        runner_up: runner_up.map(|hit| (hit.intent.clone(), hit.confidence)),
        margin: score_of(rival) - own,
        advice: advice(plan, held, rival.map(|hit| hit.intent.as_str())),
    })
}

/// How often one option was taken for another: (own, taken for, times), most often first.
#[must_use]
pub fn pairs(confusions: &[Confusion]) -> Vec<(String, String, usize)> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for one in confusions {
        if let Some(taken) = &one.taken_for {
            *counts.entry((&one.intent, taken)).or_default() += 1;
        }
    }
    let mut pairs: Vec<(String, String, usize)> =
        counts.into_iter().map(|((own, taken), count)| (own.to_owned(), taken.to_owned(), count)).collect();
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.2));
    pairs
}

fn sentences<'p>(plan: &'p Plan, intent: &str, lang: &Lang) -> Vec<&'p str> {
    let options = plan.flow.menus.iter().flat_map(|menu| &menu.options).filter(|option| option.intent() == intent);
    options.filter_map(|option| option.examples.get(lang)).flatten().map(String::as_str).collect()
}

fn advice(plan: &Plan, held: &Held, taken_for: Option<&str>) -> String {
    let own: Vec<&str> = sentences(plan, &held.intent, &held.lang).into_iter().filter(|text| *text != held.text).collect();
    let nearest = |texts: &[&str]| {
        let alike = texts.iter().map(|text| (likeness(text, &held.text), (*text).to_owned()));
        alike.max_by(|left, right| left.0.total_cmp(&right.0)).unwrap_or((0.0, String::new()))
    };
    let theirs = taken_for.map(|intent| (intent, nearest(&sentences(plan, intent, &held.lang))));
    let mine = nearest(&own);
    match theirs {
        Some((intent, (share, text))) if share >= ALIKE && share > mine.0 => {
            format!("move it to {intent}, which has \"{text}\"; if it belongs here, reword one of the two")
        }
        _ if own.len() + 1 < FEW => {
            let count = own.len() + 1;
            format!("add: {} has {count} sentence(s) in {}; give it more that say this in other words", held.intent, held.lang)
        }
        _ if mine.0 < ALIKE => format!("add sentences like it to {}: nothing there says it in such words", held.intent),
        Some((intent, _)) => format!("reword: use words that {} has for itself and {intent} has not", held.intent),
        None => format!("reword: say it as in \"{}\"", mine.1),
    }
}

/// The share of pairs of letters that two sentences have in common (Dice).
fn likeness(left: &str, right: &str) -> f32 {
    let pairs = |text: &str| {
        let letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let mut pairs: Vec<(char, char)> = letters.windows(2).map(|two| (two[0], two[1])).collect();
        pairs.sort_unstable();
        pairs
    };
    let (left, mut right) = (pairs(left), pairs(right));
    let all = left.len() + right.len();
    let mut both = 0;
    for pair in &left {
        if let Some(at) = right.iter().position(|other| other == pair) {
            right.swap_remove(at);
            both += 2;
        }
    }
    if all == 0 { 0.0 } else { both as f32 / all as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::dialplan::{Source, load};

    fn plan(more: &str) -> std::sync::Arc<Plan> {
        let text = format!(
            "dialplan: 1\nid: shop\nlanguages: [en-US]\nstart: a\nnodes:\n  a:\n    - menu:\n        prompt: Hello.\n        options:\n          \
             - {{key: 1, goto: track, label: order, examples: {{en-US: [where is my order, track my parcel, when does my parcel come{more}]}}}}\n          \
             - {{key: 2, goto: money, label: refund, examples: {{en-US: [I want my money back, refund please, \
             give my money back]}}}}\n  track: [{{hangup: Bye.}}]\n  money: [{{hangup: Bye.}}]\n"
        );
        let loaded = load(&[Source { name: "shop.yaml".to_owned(), text }], &BTreeMap::new());
        loaded.plans.get("shop").unwrap_or_else(|| panic!("{:?}", loaded.problems)).clone()
    }

    #[test]
    fn a_sentence_in_the_wrong_place_is_found_with_what_it_was_taken_for() {
        let plan = plan(", I want all my money back");
        let mut trained = 0;
        let held = hold_back(&plan, Trainings::Each, &mut |_, all| {
            assert_eq!(all, 7);
            trained += 1;
        });
        assert_eq!((held.len(), trained), (7, 7));
        let found = confusions(&plan, &held);
        let wrong = found.iter().find(|one| one.text == "I want all my money back").expect("the sentence is found");
        assert_eq!((wrong.intent.as_str(), wrong.taken_for.as_deref()), ("track", Some("money")));
        assert!(wrong.margin > 0.0 && wrong.advice.starts_with("move it to money"), "{wrong:?}");
        assert!(pairs(&found).contains(&("track".to_owned(), "money".to_owned(), 1)), "{found:?}");
        assert!(found.is_sorted_by_key(|one| std::cmp::Reverse(one.harm)), "the worst stand first");
    }

    #[test]
    fn in_groups_every_sentence_is_held_back_once_too() {
        let plan = plan("");
        let held = hold_back(&plan, Trainings::AtMost(3), &mut |_, _| {});
        let mut texts: Vec<String> = held.iter().map(|one| one.text.clone()).collect();
        texts.sort();
        texts.dedup();
        assert_eq!((held.len(), texts.len()), (6, 6));
    }
}
