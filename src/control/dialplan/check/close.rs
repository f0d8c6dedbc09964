//! Options too close to each other: each example is held back once and must still be understood (leave one out).

use crate::control::dialplan::confusions::{Held, Trainings, hold_back};
use crate::control::dialplan::plan::{Plan, Verb};
use crate::control::dialplan::problem::{Problem, Severity};

/// Below this share of held-back examples understood, a menu's options are too close.
const ENOUGH: f32 = 0.8;
/// Above this many examples they are held back in groups.
const MOST_TRAININGS: usize = 24;

/// D134 of each menu. It trains the classifier again and again, so it is for `lint`, not for loading.
#[must_use]
pub fn close_options(plan: &Plan, file: &str) -> Vec<Problem> {
    let held = hold_back(plan, Trainings::AtMost(MOST_TRAININGS), &mut |_, _| {});
    menus(plan).into_iter().filter_map(|(line, options)| finding(plan, &held, &options, line, file)).collect()
}

/// Line and intents of each menu.
fn menus(plan: &Plan) -> Vec<(usize, Vec<String>)> {
    let steps = plan.flow.nodes.values().flat_map(|node| &node.steps);
    let menus =
        steps.filter_map(|step| if let Verb::Menu(index) = step.verb { Some((step.line, plan.flow.menus.get(index)?)) } else { None });
    menus.map(|(line, menu)| (line, menu.options.iter().map(|option| option.intent().to_owned()).collect())).collect()
}

fn finding(plan: &Plan, held: &[Held], options: &[String], line: usize, file: &str) -> Option<Problem> {
    let here: Vec<&Held> = held.iter().filter(|one| options.contains(&one.intent)).collect();
    // A command that is understood everywhere is no option that another could be too close to.
    let is_command =
        |intent: &str| plan.flow.always.iter().any(|command| command.name == intent) && !options.iter().any(|own| own == intent);
    let got = |one: &Held| one.ranked.hits.iter().find(|hit| !is_command(&hit.intent)).map(|hit| hit.intent.clone());
    let missed: Vec<&&Held> = here.iter().filter(|one| got(one).as_ref() != Some(&one.intent)).collect();
    if here.is_empty() || 1.0 - missed.len() as f32 / here.len() as f32 >= ENOUGH {
        return None;
    }
    let shown: Vec<String> = missed
        .iter()
        .take(3)
        .map(|one| format!("\"{}\" of {} → {}", one.text, one.intent, got(one).as_deref().unwrap_or("nothing")))
        .collect();
    let (count, good) = (here.len(), here.len() - missed.len());
    let what = format!("of {count} examples held back one by one only {good} come nearest to their own option: {}", shown.join(", "));
    let mend = Some("give each option more sentences, and words of its own; `hotline dialplan confusions` lists them".to_owned());
    Some(Problem { id: "D134", severity: Severity::Warning, file: file.to_owned(), line, column: 1, what, mend })
}
