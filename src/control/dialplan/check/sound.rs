//! Prompts without a sound: no recording, and no synthesizer that speaks the language. Only the edges know; they are asked.

use crate::control::dialplan::plan::Plan;
use crate::control::dialplan::problem::{Problem, Severity};
use crate::control::words::Lang;

/// D152, once a language: callers would hear nothing there. `speaks` says whether a synthesizer has a voice for a language,
/// `recorded` whether there is a recording of a prompt.
#[must_use]
pub fn silent_prompts(plan: &Plan, file: &str, speaks: &dyn Fn(&Lang) -> bool, recorded: &dyn Fn(&Lang, &str) -> bool) -> Vec<Problem> {
    let heard = !plan.numbers.is_empty() || plan.channels.is_empty();
    let silent = plan.languages.iter().filter(|lang| heard && !speaks(lang));
    silent.filter_map(|lang| finding(plan, file, lang, recorded)).collect()
}

fn finding(plan: &Plan, file: &str, lang: &Lang, recorded: &dyn Fn(&Lang, &str) -> bool) -> Option<Problem> {
    let of_lang = plan.flow.prompts.iter().filter(|prompt| prompt.langs.contains(lang));
    let mut missing = of_lang.filter(|prompt| !prompt.id.as_ref().is_some_and(|id| recorded(lang, id)));
    let first = missing.next()?;
    let what = match missing.count() {
        0 => format!("this {lang} prompt has no recording, and no synthesizer speaks {lang}: callers hear nothing"),
        more => format!("this and {more} more {lang} prompts have no recording, and no synthesizer speaks {lang}: callers hear nothing"),
    };
    let mend = Some(format!("`apt-get install espeak-ng`, or give the prompts an id and record prompts/{lang}/ID.wav"));
    Some(Problem { id: "D152", severity: Severity::Warning, file: file.to_owned(), line: first.line, column: first.column, what, mend })
}
