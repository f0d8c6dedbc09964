//! `hotline dialplan confusions`: the plan's own sentences that it would misunderstand.

use std::path::Path;
use std::process::ExitCode;

use super::{loaded_for_mocks, plan_named};
use crate::commands::late_bar::LateBar;
use crate::control::dialplan::Plan;
use crate::control::dialplan::confusions::{Confusion, Harm, Trainings, confusions, hold_back, pairs};

const BAR: &str = "{bar:40} {pos}/{len} sentences held back, {eta}";

/// Which plans.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The plan's id; all plans of the folder without
    plan: Option<String>,
    /// One JSON object a plan
    #[arg(long)]
    json: bool,
}

/// What was found in a plan.
#[derive(serde::Serialize)]
struct Report<'p> {
    plan: &'p str,
    version: &'p str,
    sentences: usize,
    understood: usize,
    confusions: Vec<Confusion>,
    pairs: Vec<(String, String, usize)>,
}

/// Runs the command.
///
/// # Errors
/// When there is no such plan.
pub fn run(dir: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let loaded = loaded_for_mocks(dir)?;
    let plans = match &args.plan {
        Some(id) => vec![plan_named(&loaded, id)?],
        None => loaded.plans.values().cloned().collect(),
    };
    for plan in &plans {
        let report = report(plan)?;
        if args.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            print(&report);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn report(plan: &Plan) -> anyhow::Result<Report<'_>> {
    let mut bar = LateBar::new(BAR)?;
    let held = hold_back(plan, Trainings::Each, &mut |done, all| bar.tell(done as u64, Some(all as u64)));
    bar.finish();
    let confusions = confusions(plan, &held);
    let pairs = pairs(&confusions);
    Ok(Report {
        plan: &plan.id,
        version: &plan.version,
        sentences: held.len(),
        understood: held.len() - confusions.len(),
        confusions,
        pairs,
    })
}

fn print(report: &Report<'_>) {
    let share = report.understood as f32 / report.sentences.max(1) as f32 * 100.0;
    println!("{}: {} of {} sentences are understood when held back ({share:.0} %)", report.plan, report.understood, report.sentences);
    for one in &report.confusions {
        let harm = match one.harm {
            Harm::SentWrongly => "SENT WRONGLY ",
            Harm::AskedWrongly => "asked wrongly",
            Harm::AskedAgain => "asked again  ",
        };
        let taken = one.taken_for.as_ref().map_or_else(|| "nothing".to_owned(), |intent| format!("{intent} {:.2}", one.score));
        let word = if one.taken_for.is_some() { "then" } else { "nearest" };
        let next = one.runner_up.as_ref().map(|(intent, score)| format!(", {word} {intent} {score:.2}")).unwrap_or_default();
        println!("  {harm} \"{}\" ({}) of {} → {taken}{next}; margin {:.2}", one.text, one.lang, one.intent, one.margin);
        println!("                {}", one.advice);
    }
    if !report.pairs.is_empty() {
        println!("  taken for another:");
        report.pairs.iter().for_each(|(own, taken, count)| println!("    {count:>3} × {own} → {taken}"));
    }
}
