//! Sentences put into a copy of a plan or knowledge file: the file stays as its author wrote it, save for the new lines.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::control::dialplan::problem::nearest;
use crate::control::dialplan::syntax::{self, Kind, Yaml};
use crate::nlu::is_han;

/// Lines shown around what changes.
const CONTEXT: usize = 3;
/// Files of a folder.
const MOST_FILES: usize = 2_000;

/// Where sentences belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The options that lead to this node.
    Node(String),
    /// An article: base and topic.
    Article(String, String),
}

impl Target {
    /// `node:claims`, `article:driver/deposit`.
    pub fn parse(text: &str) -> anyhow::Result<Target> {
        match text.split_once(':') {
            Some(("node", name)) if !name.is_empty() => Ok(Target::Node(name.to_owned())),
            Some(("article", path)) => {
                let (base, topic) = path.split_once('/').context("--to article:BASE/TOPIC")?;
                let good = topic.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) && !topic.is_empty();
                if !good {
                    bail!("a topic is named with letters, digits, - and _");
                }
                Ok(Target::Article(base.to_owned(), topic.to_owned()))
            }
            _ => bail!("--to {text}: write node:NAME or article:BASE/TOPIC"),
        }
    }
}

/// The files of a plans' folder.
pub struct Home(Vec<(PathBuf, String)>);

/// A changed copy.
pub struct Draft {
    /// The file it is a copy of.
    pub file: PathBuf,
    /// As it was.
    pub before: String,
    /// As it would be.
    pub text: String,
}

impl Home {
    /// Reads the folder and its knowledge.
    pub fn read(dir: &Path) -> anyhow::Result<Home> {
        let mut files = Vec::new();
        for folder in [dir.to_path_buf(), dir.join("knowledge")] {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for path in entries.take(MOST_FILES).filter_map(Result::ok).map(|entry| entry.path()) {
                let name = path.to_string_lossy();
                if name.ends_with(".yaml") && !name.ends_with(".test.yaml") {
                    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
                    files.push((path, text));
                }
            }
        }
        files.sort();
        if files.is_empty() {
            bail!("there are no plans in {}: name the folder with --dir", dir.display());
        }
        Ok(Home(files))
    }

    /// A copy with the sentences in it.
    pub fn draft(&self, target: &Target, plan: Option<&str>, sentences: &[String], answer: Option<&str>) -> anyhow::Result<Draft> {
        match target {
            Target::Node(node) => self.to_option(node, plan, sentences),
            Target::Article(base, topic) => self.to_article(base, topic, sentences, answer),
        }
    }

    fn to_option(&self, node: &str, plan: Option<&str>, sentences: &[String]) -> anyhow::Result<Draft> {
        let mut fitting = Vec::new();
        for (file, text) in &self.0 {
            let Ok(yaml) = syntax::parse(&file.to_string_lossy(), text) else { continue };
            let id = yaml.get("id").and_then(Yaml::scalar).unwrap_or_default();
            if yaml.get("dialplan").is_none() || plan.is_some_and(|wanted| wanted != id) {
                continue;
            }
            let mut options = Vec::new();
            options_to(&yaml, node, &mut options);
            if let Some(option) = options.into_iter().find(|option| option.get("examples").is_some()) {
                fitting.push((file, text, option.clone()));
            }
        }
        let (file, text, option) = match fitting.as_slice() {
            [one] => one,
            [] => bail!("no option with `examples` leads to the node '{node}': {}", self.near(node)),
            _ => bail!("several plans have a node '{node}': say which with --plan"),
        };
        let lists = option.get("examples").context("an option with examples")?;
        Ok(Draft { file: (*file).clone(), before: (*text).clone(), text: with_sentences(text, lists, sentences)? })
    }

    /// What is wrong with a node that no option with examples leads to.
    fn near(&self, node: &str) -> String {
        let mut known = Vec::new();
        for (file, text) in &self.0 {
            if let Ok(yaml) = syntax::parse(&file.to_string_lossy(), text) {
                targets(&yaml, &mut known);
            }
        }
        match nearest(node, known.iter().map(String::as_str)).filter(|near| *near != node) {
            Some(near) => format!("did you mean '{near}'?"),
            None => "give it one example by hand first".to_owned(),
        }
    }

    fn to_article(&self, base: &str, topic: &str, sentences: &[String], answer: Option<&str>) -> anyhow::Result<Draft> {
        let mut of_base = None;
        for (file, text) in &self.0 {
            let Ok(yaml) = syntax::parse(&file.to_string_lossy(), text) else { continue };
            if yaml.get("knowledge").and_then(Yaml::scalar) != Some(base) {
                continue;
            }
            if let Some(article) = yaml.get("articles").and_then(|all| all.get(topic)) {
                let lists = article.get("questions").context("the article has no `questions`: give it one by hand first")?;
                return Ok(Draft { file: file.clone(), before: text.clone(), text: with_sentences(text, lists, sentences)? });
            }
            of_base.get_or_insert((file, text));
        }
        let (file, before) = of_base.with_context(|| format!("there is no knowledge base '{base}'"))?;
        let answer = answer.with_context(|| format!("the article '{topic}' is new: give its answer with --text"))?;
        let text = format!("{}\n{}", before.trim_end(), article(topic, sentences, answer));
        Ok(Draft { file: file.clone(), before: before.clone(), text })
    }
}

fn article(topic: &str, sentences: &[String], answer: &str) -> String {
    let lang = |text: &str| if text.chars().any(is_han) { "zh-CN" } else { "en-US" };
    let mut out = format!("  {topic}:\n    questions:\n");
    for tag in ["zh-CN", "en-US"] {
        let own: Vec<String> = sentences.iter().filter(|sentence| lang(sentence) == tag).map(|sentence| quoted(sentence)).collect();
        if !own.is_empty() {
            out += &format!("      {tag}: [{}]\n", own.join(", "));
        }
    }
    out + &format!("    text: {{{}: {}}}\n", lang(answer), quoted(answer))
}

/// All options that lead to a node.
fn options_to<'y>(yaml: &'y Yaml, node: &str, out: &mut Vec<&'y Yaml>) {
    match &yaml.kind {
        Kind::List(items) => items.iter().for_each(|item| options_to(item, node, out)),
        Kind::Map(pairs) => {
            if yaml.get("label").is_some() && yaml.get("goto").and_then(Yaml::scalar) == Some(node) {
                out.push(yaml);
            }
            pairs.iter().for_each(|pair| options_to(&pair.value, node, out));
        }
        _ => {}
    }
}

/// Where options with examples lead.
fn targets(yaml: &Yaml, out: &mut Vec<String>) {
    match &yaml.kind {
        Kind::List(items) => items.iter().for_each(|item| targets(item, out)),
        Kind::Map(pairs) => {
            let goto = yaml.get("goto").and_then(Yaml::scalar).filter(|_| yaml.get("examples").is_some());
            out.extend(goto.map(str::to_owned));
            pairs.iter().for_each(|pair| targets(&pair.value, out));
        }
        _ => {}
    }
}

/// The text with sentences at the beginning of the lists of their languages; those that stand there already are left out.
fn with_sentences(text: &str, lists: &Yaml, sentences: &[String]) -> anyhow::Result<String> {
    let by_lang: Vec<(&str, &Yaml)> = match &lists.kind {
        Kind::Map(pairs) => pairs.iter().map(|pair| (pair.key.as_str(), &pair.value)).collect(),
        Kind::List(_) => vec![("", lists)],
        _ => bail!("the examples are no list"),
    };
    let mut places: Vec<(usize, Vec<&String>)> = Vec::new();
    for sentence in sentences {
        let fits = |lang: &str| lang.is_empty() || lang.starts_with("zh") == sentence.chars().any(is_han);
        let list = by_lang.iter().find(|(lang, _)| fits(lang)).map(|(_, list)| *list);
        let list = list.with_context(|| format!("there are no examples in the language of \"{sentence}\": add one by hand first"))?;
        let Kind::List(known) = &list.kind else { bail!("the examples are no list") };
        if known.iter().any(|known| known.scalar() == Some(sentence)) {
            continue;
        }
        let at = offset(text, list.at.line, list.at.column);
        match places.iter_mut().find(|(place, _)| *place == at) {
            Some((_, all)) => all.push(sentence),
            None => places.push((at, vec![sentence])),
        }
    }
    if places.is_empty() {
        bail!("all of these sentences stand there already");
    }
    places.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let mut out = text.to_owned();
    for (at, new) in places {
        put(&mut out, at, &new);
    }
    Ok(out)
}

/// Puts sentences in at the beginning of a list: `[a]` or lines with dashes.
fn put(text: &mut String, at: usize, new: &[&String]) {
    let all: Vec<String> = new.iter().map(|sentence| quoted(sentence)).collect();
    if text[at..].starts_with('[') {
        let empty = text[at + 1..].trim_start().starts_with(']');
        let comma = if empty { "" } else { ", " };
        text.insert_str(at + 1, &format!("{}{comma}", all.join(", ")));
        return;
    }
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let indent = &text[line..at].to_owned();
    let lines: String = all.iter().map(|sentence| format!("- {sentence}\n{indent}")).collect();
    text.insert_str(at, &lines);
}

/// The byte of a line and column, both from 1, the column in characters.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    start + text[start..].chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Draft {
    /// What differs, as a unified diff. The lines between the first and the last difference are one hunk.
    pub fn diff(&self) -> String {
        let (old, new): (Vec<&str>, Vec<&str>) = (self.before.lines().collect(), self.text.lines().collect());
        let head = old.iter().zip(&new).take_while(|(left, right)| left == right).count();
        let most = old.len().min(new.len()) - head;
        let tail = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(left, right)| left == right).count();
        let (from, until) = (head.saturating_sub(CONTEXT), (old.len() - tail + CONTEXT).min(old.len()));
        let after = until - (old.len() - tail);
        let name = self.file.display();
        let counts = (until - from, new.len() - tail + after - from);
        let mut out = format!("--- {name}\n+++ {name}\n@@ -{},{} +{},{} @@\n", from + 1, counts.0, from + 1, counts.1);
        let mut show = |mark: char, lines: &[&str]| lines.iter().for_each(|line| out += &format!("{mark}{line}\n"));
        show(' ', &old[from..head]);
        show('-', &old[head..old.len() - tail]);
        show('+', &new[head..new.len() - tail]);
        show(' ', &old[old.len() - tail..until]);
        out
    }

    /// What to do with it.
    pub fn advice(&self, out: &Path) -> String {
        let of_knowledge = self.file.parent().is_some_and(|parent| parent.ends_with("knowledge"));
        if of_knowledge {
            format!("look it over, put it in the place of {}, then `hotline dialplan publish`", self.file.display())
        } else {
            format!("look it over, then `hotline dialplan publish {}` or `hotline dialplan canary 5 {}`", out.display(), out.display())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "dialplan: 1\nid: shop\nlanguages: [zh-CN, en-US]\nstart: main\nnodes:\n  main:\n    - menu:\n        prompt: Hi\n        options:\n          - {key: 1, goto: order, label: order, examples: {zh-CN: [查订单], en-US: [my order]}}\n          - key: 2\n            goto: pay\n            label: pay\n            examples:\n              zh-CN:\n                - 付款\n  order: [{hangup: ~}]\n  pay: [{hangup: ~}]\n";
    const KNOWLEDGE: &str =
        "knowledge: faq\nlanguages: [zh-CN]\narticles:\n  open:\n    questions: {zh-CN: [几点开门]}\n    text: {zh-CN: 九点}\n";

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("knowledge")).unwrap();
        fs::write(dir.path().join("shop.yaml"), PLAN).unwrap();
        fs::write(dir.path().join("knowledge/faq.yaml"), KNOWLEDGE).unwrap();
        let home = Home::read(dir.path()).unwrap();
        (dir, home)
    }

    fn said(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn s15_sentences_become_examples_of_an_option_in_their_language_and_nothing_else_changes() {
        let (_dir, home) = home();
        let target = Target::parse("node:order").unwrap();
        let draft = home.draft(&target, None, &said(&["我的包裹呢", "where is it: now", "查订单"]), None).unwrap();
        assert!(draft.text.contains("zh-CN: [\"我的包裹呢\", 查订单], en-US: [\"where is it: now\", my order]"), "{}", draft.text);
        let diff = draft.diff();
        assert_eq!(diff.lines().filter(|line| line.starts_with('+') && !line.starts_with("+++")).count(), 1, "{diff}");
        assert_eq!(fs::read_to_string(&draft.file).unwrap(), PLAN, "the file itself stays");
        let block = home.draft(&Target::parse("node:pay").unwrap(), Some("shop"), &said(&["怎么给钱"]), None).unwrap();
        assert!(block.text.contains("                - \"怎么给钱\"\n                - 付款\n"), "{}", block.text);
        let plan = crate::control::dialplan::Source { name: "shop.yaml".into(), text: block.text.clone() };
        let loaded = crate::control::dialplan::load(&[plan], &std::collections::BTreeMap::new());
        assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    }

    #[test]
    fn s15_sentences_become_questions_of_an_article_or_a_new_article_with_its_answer() {
        let (_dir, home) = home();
        let known = home.draft(&Target::parse("article:faq/open").unwrap(), None, &said(&["现在开着吗"]), None).unwrap();
        assert!(known.text.contains("{zh-CN: [\"现在开着吗\", 几点开门]}"), "{}", known.text);
        let new = Target::parse("article:faq/parking").unwrap();
        assert!(home.draft(&new, None, &said(&["能停车吗"]), None).is_err(), "an article needs an answer");
        let drafted = home.draft(&new, None, &said(&["能停车吗"]), Some("门口免费停车。")).unwrap();
        let file = crate::control::dialplan::Source { name: "knowledge/faq.yaml".into(), text: drafted.text.clone() };
        let loaded = crate::control::dialplan::load(&[file], &std::collections::BTreeMap::new());
        assert!(loaded.knowledge["faq"].articles.contains_key("parking"), "{} {:?}", drafted.text, loaded.problems);
        assert!(drafted.diff().contains("+  parking:"), "{}", drafted.diff());
    }

    #[test]
    fn s15_what_cannot_be_placed_says_why() {
        let (_dir, home) = home();
        let draft =
            |to: &str, text: &str| home.draft(&Target::parse(to).unwrap(), None, &said(&[text]), None).err().map(|why| why.to_string());
        assert!(draft("node:nowhere", "x").unwrap().contains("no option"));
        assert!(draft("node:ordre", "x").unwrap().contains("did you mean 'order'?"));
        assert!(draft("node:pay", "how do I pay").unwrap().contains("language"));
        assert!(draft("node:order", "查订单").unwrap().contains("already"));
        assert!(Target::parse("claims").is_err() && Target::parse("article:faq").is_err() && Target::parse("article:faq/a b").is_err());
    }
}
