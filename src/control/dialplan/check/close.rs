//! Options too close to each other: each example is held back once and must still be understood (leave one out).

use crate::control::dialplan::plan::{Plan, Verb};
use crate::control::dialplan::problem::{Problem, Severity};
use crate::nlu::{Classifier, Focus, Intent, Medium, Options};

/// Below this share of held-back examples understood, a menu's options are too close.
const ENOUGH: f32 = 0.8;
/// Above this many examples they are held back in groups.
const MOST_TRAININGS: usize = 24;

/// D134 of each menu. It trains the classifier again and again, so it is for `lint`, not for loading.
#[must_use]
pub fn close_options(plan: &Plan, file: &str) -> Vec<Problem> {
    let intents: Vec<(String, Vec<String>)> = examples(plan);
    let all: Vec<(usize, &String)> =
        intents.iter().enumerate().flat_map(|(at, (_, texts))| texts.iter().map(move |text| (at, text))).collect();
    let folds = all.len().min(MOST_TRAININGS);
    let mut wrong: Vec<(usize, String, Option<String>)> = Vec::new();
    for fold in 0..folds {
        let held = |index: usize| index % folds == fold;
        let Some(classifier) = train(&intents, &all, held) else { continue };
        for (_, (owner, text)) in all.iter().enumerate().filter(|(index, _)| held(*index)) {
            let got = classifier.classify(text, None, Medium::Voice, Focus::Everywhere).best().map(|hit| hit.intent.clone());
            if got.as_ref() != Some(&intents[*owner].0) {
                wrong.push((*owner, (*text).clone(), got));
            }
        }
    }
    menus(plan).into_iter().filter_map(|(line, options)| finding(&intents, &wrong, &options, line, file)).collect()
}

fn examples(plan: &Plan) -> Vec<(String, Vec<String>)> {
    let mut intents: Vec<(String, Vec<String>)> = Vec::new();
    for option in plan.flow.menus.iter().flat_map(|menu| &menu.options) {
        if intents.iter().all(|(name, _)| name != option.intent()) {
            let texts: Vec<String> = option.examples.values().flatten().cloned().collect();
            intents.push((option.intent().to_owned(), texts));
        }
    }
    intents
}

fn train(intents: &[(String, Vec<String>)], all: &[(usize, &String)], held: impl Fn(usize) -> bool) -> Option<Classifier> {
    let kept = |owner: usize| all.iter().enumerate().filter(move |(_, (at, _))| *at == owner);
    let intents: Vec<Intent> = intents
        .iter()
        .enumerate()
        .map(|(at, (name, _))| {
            let examples = kept(at).filter(|(index, _)| !held(*index)).map(|(_, (_, text))| (*text).clone());
            Intent { id: name.clone(), examples: examples.collect(), ..Intent::default() }
        })
        .collect();
    Classifier::train(&intents, &Options { media: vec![Medium::Voice], ..Options::default() }).ok()
}

/// Line and intents of each menu.
fn menus(plan: &Plan) -> Vec<(usize, Vec<String>)> {
    let steps = plan.flow.nodes.values().flat_map(|node| &node.steps);
    let menus =
        steps.filter_map(|step| if let Verb::Menu(index) = step.verb { Some((step.line, plan.flow.menus.get(index)?)) } else { None });
    menus.map(|(line, menu)| (line, menu.options.iter().map(|option| option.intent().to_owned()).collect())).collect()
}

fn finding(
    intents: &[(String, Vec<String>)],
    wrong: &[(usize, String, Option<String>)],
    options: &[String],
    line: usize,
    file: &str,
) -> Option<Problem> {
    let here = |name: &String| options.contains(name);
    let count: usize = intents.iter().filter(|(name, _)| here(name)).map(|(_, texts)| texts.len()).sum();
    let missed: Vec<_> = wrong.iter().filter(|(owner, ..)| here(&intents[*owner].0)).collect();
    if count == 0 || 1.0 - missed.len() as f32 / count as f32 >= ENOUGH {
        return None;
    }
    let shown: Vec<String> = missed
        .iter()
        .take(3)
        .map(|(owner, text, got)| format!("\"{text}\" of {} → {}", intents[*owner].0, got.as_deref().unwrap_or("nothing")))
        .collect();
    let what = format!("of {count} examples held back one by one only {} are understood: {}", count - missed.len(), shown.join(", "));
    let mend = Some("give each option more sentences, and words of its own".to_owned());
    Some(Problem { id: "D134", severity: Severity::Warning, file: file.to_owned(), line, column: 1, what, mend })
}
