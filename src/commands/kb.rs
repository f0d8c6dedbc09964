//! `hotline kb eval`: how much of what people ask a knowledge base answers, how much of it wrongly, and what it leaves to persons.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use serde_json::json;

use crate::config::SENTENCE_MODEL;
use crate::control::dialplan::expr::{Path as Names, Scope};
use crate::control::dialplan::knowledge::{Article, Knowledge, Reply, SURE};
use crate::control::dialplan::problem::has_error;
use crate::control::dialplan::template::Form;
use crate::control::dialplan::understand::Said;
use crate::control::dialplan::values::Search;
use crate::control::dialplan::{Source, load_with};
use crate::control::words::Lang;
use crate::nlu::{Medium, SentenceModel};
use crate::sentence;

/// The topic of questions that no article answers; the answer of a table that no row says.
const NONE: &str = "-";
/// The answer of a table that has to ask first.
const ASKS: &str = "?";
/// Files looked at in a folder.
const MOST_FILES: usize = 10_000;

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
/// Where an article has a table, words of the right answer may follow after another tab; `?` there means that something has to be asked
/// first, `-` that no row says it.
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
    let asked: Vec<Asked> = questions.iter().map(|question| Asked::of((&base, &model), question, medium)).collect();
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
        tables_beside(file, &mut sources)?;
    }
    let mut loaded = load_with(&sources, &BTreeMap::new(), model);
    if has_error(&loaded.problems) {
        loaded.problems.iter().for_each(|problem| eprintln!("{problem}"));
        bail!("these are no knowledge files");
    }
    ensure!(loaded.knowledge.len() == 1, "the files are of {} knowledge bases: give those of one", loaded.knowledge.len());
    loaded.knowledge.pop_first().map(|(_, base)| base).context("there is no article")
}

/// The CSV files beside a knowledge file.
fn tables_beside(file: &Path, sources: &mut Vec<Source>) -> anyhow::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for path in entries.take(MOST_FILES).filter_map(Result::ok).map(|entry| entry.path()) {
        let name = format!("knowledge/{}", path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default());
        if Source::is_table_name(&name) && sources.iter().all(|known| known.name != name) {
            let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read as UTF-8", path.display()))?;
            sources.push(Source { name, text });
        }
    }
    Ok(())
}

/// A question with what should come of it.
struct Question {
    topic: String,
    text: String,
    /// Words of the answer, `?`, or `-`.
    answer: Option<String>,
}

fn questions(path: &Path, base: &Knowledge) -> anyhow::Result<Vec<Question>> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read as UTF-8", path.display()))?;
    let mut all = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("{}:{}", path.display(), at + 1);
        let (topic, question) = line.split_once('\t').with_context(|| format!("{place}: write topic, tab, question"))?;
        ensure!(topic == NONE || base.articles.contains_key(topic), "{place}: there is no article '{topic}'");
        let (question, answer) = question.split_once('\t').map_or((question, None), |(question, answer)| (question, Some(answer)));
        all.push(Question { topic: topic.to_owned(), text: question.to_owned(), answer: answer.map(str::to_owned) });
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
    /// What the article's table said, when it has one.
    table: Option<Reply>,
}

impl Asked {
    fn of((base, model): (&Knowledge, &SentenceModel), question: &Question, medium: Medium) -> Asked {
        let Question { topic, text, answer } = question;
        let meanings = model.of_sentence(text);
        let said = Said { text, pinyin: None, meanings: &meanings, medium };
        let nearest = base.nearest(&said);
        let answered = base.topic_of(&said);
        let article = answered.as_ref().and_then(|topic| base.articles.get(topic)).filter(|article| article.table.is_some());
        let table = article.map(|article| from_table(base, article, text));
        let outcome = match (answered, topic.as_str()) {
            (None, NONE) => Outcome::Right,
            (None, _) => Outcome::Escalated,
            (Some(answered), topic) if answered == topic => judged(table.as_ref(), answer.as_deref()),
            (Some(_), _) => Outcome::Wrong,
        };
        Asked { topic: topic.clone(), text: text.clone(), nearest, outcome, table }
    }

    fn print(&self) {
        let word = if self.outcome == Outcome::Wrong { "WRONG    " } else { "escalated" };
        let nearest = self.nearest.as_ref().map_or_else(|| "nothing near".to_owned(), |(topic, sure)| format!("{topic} {sure:.2}"));
        let table = match &self.table {
            Some(Reply::Says(text)) => format!("; says: {text}"),
            Some(Reply::Asks(slot)) => format!("; asks for {slot}"),
            Some(Reply::Unsure) => "; no row says it".to_owned(),
            None => String::new(),
        };
        println!("{word} {}: {} ({nearest}{table})", self.topic, self.text);
    }
}

/// What a table says to a question, in the language of the base in which it finds the most of its keys.
fn from_table(base: &Knowledge, article: &Article, text: &str) -> Reply {
    let local = jiff::Zoned::now().datetime();
    let languages: BTreeSet<&Lang> = article.text.by_lang.keys().collect();
    let replies = languages.into_iter().map(|lang| base.reply(article, &Nobody, &Search { text, lang, local, items: &[] }, Form::Written));
    // The first of those that know as much.
    let best = replies.rev().max_by_key(|(_, known)| known.len());
    best.map_or(Reply::Unsure, |(reply, _)| reply)
}

fn judged(table: Option<&Reply>, wanted: Option<&str>) -> Outcome {
    let is_right = match (table, wanted) {
        (None, _) | (Some(Reply::Says(_) | Reply::Asks(_)), None) => true,
        (Some(Reply::Says(text)), Some(words)) => words != NONE && words != ASKS && text.contains(words),
        (Some(Reply::Asks(_)), Some(words)) => words == ASKS,
        (Some(Reply::Unsure), Some(words)) => words == NONE,
        (Some(Reply::Unsure), None) => false,
    };
    match (is_right, table) {
        (true, _) => Outcome::Right,
        (false, Some(Reply::Unsure | Reply::Asks(_))) => Outcome::Escalated,
        (false, _) => Outcome::Wrong,
    }
}

/// Nothing is known of who asks.
struct Nobody;

impl Scope for Nobody {
    fn value(&self, _path: &Names) -> Option<serde_json::Value> {
        None
    }
}

#[derive(Default, Debug, PartialEq)]
struct Figures {
    /// Questions that have an article: all, answered rightly, wrongly, left to a person.
    known: [usize; 4],
    /// Questions that have none: all, left to a person.
    unknown: [usize; 2],
    /// Questions to tables: answered by a row, asked back, said by none.
    tables: [usize; 3],
}

impl Figures {
    fn of(asked: &[Asked]) -> Figures {
        let count = |known: bool, outcome: Option<Outcome>| {
            asked.iter().filter(|one| (one.topic != NONE) == known && outcome.is_none_or(|wanted| one.outcome == wanted)).count()
        };
        let known = [None, Some(Outcome::Right), Some(Outcome::Wrong), Some(Outcome::Escalated)].map(|outcome| count(true, outcome));
        let table = |is: fn(&Reply) -> bool| asked.iter().filter(|one| one.table.as_ref().is_some_and(is)).count();
        let tables = [
            table(|reply| matches!(reply, Reply::Says(_))),
            table(|reply| matches!(reply, Reply::Asks(_))),
            table(|reply| *reply == Reply::Unsure),
        ];
        Figures { known, unknown: [count(false, None), count(false, Some(Outcome::Right))], tables }
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
        let [rows, asks, unsure] = self.tables;
        if rows + asks + unsure > 0 {
            println!("{} of all went to tables: {rows} answered by a row, {asks} asked back, {unsure} not sure", rows + asks + unsure);
        }
    }

    fn json(&self, base: &Knowledge) -> serde_json::Value {
        let ([all, right, wrong, escalated], [others, left], [rows, asks, unsure]) = (self.known, self.unknown, self.tables);
        json!({
            "kb": base.name, "articles": base.articles.len(), "sure": SURE,
            "questions": all, "answered": right + wrong, "wrong": wrong, "escalated": escalated,
            "tables": {"answered": rows, "asked_back": asks, "unsure": unsure},
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
        let asked: Vec<Asked> = questions.iter().map(|question| Asked::of((&base, &model), question, Medium::Chat)).collect();
        let figures = Figures::of(&asked);
        let [all, right, wrong, _] = figures.known;
        assert_eq!((all, figures.unknown[0]), (150, 20));
        let answered = percent(right + wrong, all);
        assert!(answered >= ANSWERED, "{answered:.1} % answered: {figures:?}");
        assert!(percent(wrong, right + wrong) <= WRONG, "{figures:?}");
        assert!(figures.unknown[1] >= 18, "who asks for something else comes to a person: {figures:?}");
    }

    #[test]
    fn s11_kb_eval_asks_tables_too_and_tells_rows_from_what_is_asked_back_and_what_nobody_says() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/insurance");
        let model = SentenceModel::default();
        let base = base(&[folder.join("knowledge/health.yaml")], &model).unwrap();
        let questions = questions(&folder.join("questions.tsv"), &base).unwrap();
        let asked: Vec<Asked> = questions.iter().map(|question| Asked::of((&base, &model), question, Medium::Chat)).collect();
        asked.iter().for_each(Asked::print);
        let figures = Figures::of(&asked);
        assert_eq!(figures, Figures { known: [7, 7, 0, 0], unknown: [1, 1], tables: [3, 1, 1] });
    }

    /// What S8 wants of common questions, in percent.
    const ANSWERED: f64 = 60.0;
    /// Of what is answered, so much may be wrong.
    const WRONG: f64 = 5.0;

    #[test]
    fn s08_figures_count_what_has_an_article_and_what_has_none_apart() {
        let one = |topic: &str, outcome| Asked { topic: topic.into(), text: String::new(), nearest: None, outcome, table: None };
        let asked = [
            one("a", Outcome::Right),
            one("a", Outcome::Wrong),
            one("b", Outcome::Escalated),
            one(NONE, Outcome::Right),
            one(NONE, Outcome::Wrong),
        ];
        assert_eq!(Figures::of(&asked), Figures { known: [3, 1, 1, 1], unknown: [2, 1], tables: [0; 3] });
    }
}
