//! `hotline kb eval`: how much of what people ask a knowledge base answers, how much of it wrongly, and what it leaves to persons.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use serde_json::json;

use crate::config::SENTENCE_MODEL;
use crate::control::dialplan::knowledge::{Knowledge, SURE};
use crate::control::dialplan::problem::has_error;
use crate::control::dialplan::understand::Said;
use crate::control::dialplan::{Source, load_with};
use crate::nlu::{Medium, SentenceModel};
use crate::sentence;

/// The topic of questions that no article answers.
const NONE: &str = "-";

/// Knowledge bases: measure what they answer.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Example:\n  hotline kb eval examples/service-desk/knowledge/service-desk.yaml --questions examples/service-desk/paraphrases.tsv"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Eval(Eval),
}

/// Asks questions and prints how many are answered, how many of them wrongly, and how many go to a person.
///
/// The questions stand in a file, one a line: topic, tab, question. UTF-8, no header; the topic `-` means that no article answers it.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Example:\n  hotline kb eval dialplans/knowledge/driver.yaml --questions asked.tsv --show\n\nExit status: 0 = measured, 2 = a file cannot be read (the message names file and line)."
)]
struct Eval {
    /// Files of one knowledge base
    #[arg(required = true, value_name = "YAML")]
    files: Vec<PathBuf>,
    /// The questions
    #[arg(long, value_name = "TSV")]
    questions: PathBuf,
    /// Take the questions as recognised speech: sounds count more
    #[arg(long)]
    voice: bool,
    /// A sentence model, which understands beside the words
    #[arg(long, env = SENTENCE_MODEL, value_name = "DIR")]
    sentence_model: Option<PathBuf>,
    /// Show each question that was answered wrongly or left to a person
    #[arg(long)]
    show: bool,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be read or understood, by name and line.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Command::Eval(eval) = &args.command;
    let model = sentence::of(eval.sentence_model.as_deref())?;
    let base = base(&eval.files, &model)?;
    let questions = questions(&eval.questions, &base)?;
    let medium = if eval.voice { Medium::Voice } else { Medium::Chat };
    let asked: Vec<Asked> = questions.iter().map(|(topic, text)| Asked::of((&base, &model), topic, text, medium)).collect();
    let figures = Figures::of(&asked);
    if eval.json {
        println!("{}", figures.json(&base));
        return Ok(ExitCode::SUCCESS);
    }
    if eval.show {
        asked.iter().filter(|asked| asked.outcome != Outcome::Right).for_each(Asked::print);
    }
    figures.print(&base);
    Ok(ExitCode::SUCCESS)
}

fn base(files: &[PathBuf], model: &SentenceModel) -> anyhow::Result<Knowledge> {
    let mut sources = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read as UTF-8", file.display()))?;
        // Where it lies says that it is knowledge; here the command does.
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        sources.push(Source { name: format!("knowledge/{name}"), text });
    }
    let mut loaded = load_with(&sources, &BTreeMap::new(), model);
    if has_error(&loaded.problems) {
        loaded.problems.iter().for_each(|problem| eprintln!("{problem}"));
        bail!("these are no knowledge files");
    }
    ensure!(loaded.knowledge.len() == 1, "the files are of {} knowledge bases: give those of one", loaded.knowledge.len());
    loaded.knowledge.pop_first().map(|(_, base)| base).context("there is no article")
}

fn questions(path: &Path, base: &Knowledge) -> anyhow::Result<Vec<(String, String)>> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read as UTF-8", path.display()))?;
    let mut all = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("{}:{}", path.display(), at + 1);
        let (topic, question) = line.split_once('\t').with_context(|| format!("{place}: write topic, tab, question"))?;
        ensure!(topic == NONE || base.articles.contains_key(topic), "{place}: there is no article '{topic}'");
        all.push((topic.to_owned(), question.to_owned()));
    }
    ensure!(!all.is_empty(), "{} holds no question", path.display());
    Ok(all)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// Answered by its article, or left to a person when it has none.
    Right,
    /// Answered by another one.
    Wrong,
    /// Left to a person although there is an article.
    Escalated,
}

struct Asked {
    topic: String,
    text: String,
    nearest: Option<(String, f32)>,
    outcome: Outcome,
}

impl Asked {
    fn of((base, model): (&Knowledge, &SentenceModel), topic: &str, text: &str, medium: Medium) -> Asked {
        let meanings = model.of_sentence(text);
        let said = Said { text, pinyin: None, meanings: &meanings, medium };
        let nearest = base.nearest(&said);
        let outcome = match (base.topic_of(&said), topic) {
            (None, NONE) => Outcome::Right,
            (None, _) => Outcome::Escalated,
            (Some(answered), topic) if answered == topic => Outcome::Right,
            (Some(_), _) => Outcome::Wrong,
        };
        Asked { topic: topic.to_owned(), text: text.to_owned(), nearest, outcome }
    }

    fn print(&self) {
        let word = if self.outcome == Outcome::Wrong { "WRONG    " } else { "escalated" };
        let nearest = self.nearest.as_ref().map_or_else(|| "nothing near".to_owned(), |(topic, sure)| format!("{topic} {sure:.2}"));
        println!("{word} {}: {} ({nearest})", self.topic, self.text);
    }
}

#[derive(Default, Debug, PartialEq)]
struct Figures {
    /// Questions that have an article: all, answered rightly, wrongly, left to a person.
    known: [usize; 4],
    /// Questions that have none: all, left to a person.
    unknown: [usize; 2],
}

impl Figures {
    fn of(asked: &[Asked]) -> Figures {
        let count = |known: bool, outcome: Option<Outcome>| {
            asked.iter().filter(|one| (one.topic != NONE) == known && outcome.is_none_or(|wanted| one.outcome == wanted)).count()
        };
        let known = [None, Some(Outcome::Right), Some(Outcome::Wrong), Some(Outcome::Escalated)].map(|outcome| count(true, outcome));
        Figures { known, unknown: [count(false, None), count(false, Some(Outcome::Right))] }
    }

    fn print(&self, base: &Knowledge) {
        let [all, right, wrong, escalated] = self.known;
        println!("{} articles of '{}', confidence from {SURE} on answers", base.articles.len(), base.name);
        println!("{all} questions that an article answers:");
        println!("  answered   {:5.1} %  ({})", percent(right + wrong, all), right + wrong);
        println!("  of these wrong {:1.1} %  ({wrong})", percent(wrong, right + wrong));
        println!("  escalated  {:5.1} %  ({escalated})", percent(escalated, all));
        let [others, left] = self.unknown;
        if others > 0 {
            println!("{others} questions that none answers:");
            println!("  escalated  {:5.1} %  ({left})", percent(left, others));
        }
    }

    fn json(&self, base: &Knowledge) -> serde_json::Value {
        let ([all, right, wrong, escalated], [others, left]) = (self.known, self.unknown);
        json!({
            "kb": base.name, "articles": base.articles.len(), "sure": SURE,
            "questions": all, "answered": right + wrong, "wrong": wrong, "escalated": escalated,
            "without_article": others, "without_article_escalated": left,
            "answered_percent": percent(right + wrong, all), "wrong_percent": percent(wrong, right + wrong), "escalated_percent": percent(escalated, all),
        })
    }
}

#[allow(clippy::cast_precision_loss)] // far below 2^52 questions
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s08_the_shipped_service_desk_answers_most_paraphrases_few_of_them_wrongly_and_leaves_the_rest_to_people() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/service-desk");
        let model = SentenceModel::default();
        let base = base(&[folder.join("knowledge/service-desk.yaml")], &model).unwrap();
        assert_eq!(base.articles.len(), 50);
        let questions = questions(&folder.join("paraphrases.tsv"), &base).unwrap();
        let asked: Vec<Asked> = questions.iter().map(|(topic, text)| Asked::of((&base, &model), topic, text, Medium::Chat)).collect();
        let figures = Figures::of(&asked);
        let [all, right, wrong, _] = figures.known;
        assert_eq!((all, figures.unknown[0]), (150, 20));
        let answered = percent(right + wrong, all);
        assert!(answered >= ANSWERED, "{answered:.1} % answered: {figures:?}");
        assert!(percent(wrong, right + wrong) <= WRONG, "{figures:?}");
        assert!(figures.unknown[1] >= 18, "who asks for something else comes to a person: {figures:?}");
    }

    /// What S8 wants of common questions, in percent.
    const ANSWERED: f64 = 60.0;
    /// Of what is answered, so much may be wrong.
    const WRONG: f64 = 5.0;

    #[test]
    fn s08_figures_count_what_has_an_article_and_what_has_none_apart() {
        let one = |topic: &str, outcome| Asked { topic: topic.into(), text: String::new(), nearest: None, outcome };
        let asked = [
            one("a", Outcome::Right),
            one("a", Outcome::Wrong),
            one("b", Outcome::Escalated),
            one(NONE, Outcome::Right),
            one(NONE, Outcome::Wrong),
        ];
        assert_eq!(Figures::of(&asked), Figures { known: [3, 1, 1, 1], unknown: [2, 1] });
    }
}
