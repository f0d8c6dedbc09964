//! Articles: one answer for every channel, with variants by who asks and in which language.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::expr::{Expr, Path, Scope};
use super::plan::{Slot, Texts};
use super::table::{Consulted, Table};
use super::template::Form;
use super::understand::Said;
use super::values::{self, Search};
use crate::control::words::Lang;
use crate::nlu::{Classifier, Focus, Intent, Options, SentenceModel};

/// The variable of the row that answers.
pub const ROW: &str = "row";

/// One knowledge base.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// Its name.
    pub name: String,
    /// Articles by topic.
    pub articles: BTreeMap<String, Article>,
    /// What tables depend on. Plans that answer from this base have these slots too.
    pub slots: BTreeMap<String, Slot>,
    /// Which question belongs to which article.
    pub(super) classifier: Option<Classifier>,
}

/// One article.
#[derive(Clone, Debug, Default)]
pub struct Article {
    /// Hash of its content.
    pub version: String,
    /// Its title.
    pub title: Texts,
    /// Example questions by language.
    pub questions: BTreeMap<Lang, Vec<String>>,
    /// The answer when no variant fits.
    pub text: Texts,
    /// Answers for some, the first that fits.
    pub variants: Vec<(Expr, Texts)>,
    /// The rows that the answer is taken from: `row.*` of its texts.
    pub table: Option<Table>,
}

/// What an article says to a question that is put in one go.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Its answer in a language.
    Says(String),
    /// This slot has to be asked for first.
    Asks(String),
    /// No row of its table says it.
    Unsure,
}

/// Who asks, with what the question says besides.
struct Asking<'s> {
    who: &'s dyn Scope,
    known: Map<String, Value>,
}

impl Scope for Asking<'_> {
    fn value(&self, path: &Path) -> Option<Value> {
        self.known.get(&path.root).map_or_else(|| self.who.value(path), |value| path.follow(value).cloned())
    }
}

impl Article {
    /// The answer for this customer.
    #[must_use]
    pub fn answer(&self, scope: &dyn Scope) -> &Texts {
        self.variants.iter().find(|(when, _)| when.is_true(scope)).map_or(&self.text, |(_, text)| text)
    }
}

/// From this confidence on an article answers a question; below it a person does.
pub const SURE: f32 = 0.6;

impl Knowledge {
    /// Learns which questions which article answers.
    pub fn train(&mut self, model: &SentenceModel) {
        let intents: Vec<Intent> = self
            .articles
            .iter()
            .filter(|(_, article)| !article.questions.is_empty())
            .map(|(topic, article)| {
                let fixed = |text: &super::template::Template| text.render(&Nothing, "", super::template::Form::Written);
                let titles = article.title.by_lang.values().map(fixed).filter(|title| !title.trim().is_empty());
                let examples = article.questions.values().flatten().cloned();
                Intent { id: topic.clone(), examples: examples.collect(), titles: titles.collect(), ..Intent::default() }
            })
            .collect();
        self.classifier = Classifier::train(&intents, &Options { meaning: model, ..Options::default() }).ok();
    }

    /// The slots of a table's keys.
    #[must_use]
    pub fn keys<'k>(&'k self, table: &'k Table) -> Vec<(&'k String, &'k Slot)> {
        table.keys.iter().filter_map(|key| Some((key, self.slots.get(key)?))).collect()
    }

    /// What an article says to a question put in one go, and the values of its table's keys: those the question names, and those that
    /// are known of who asks.
    #[must_use]
    pub fn reply(&self, article: &Article, who: &dyn Scope, search: &Search<'_>, form: Form) -> (Reply, Map<String, Value>) {
        let mut asking = Asking { who, known: Map::new() };
        let mut keys = Map::new();
        if let Some(table) = &article.table {
            let before = table.keys.iter().filter_map(|key| Some((key.clone(), who.value(&Path { root: key.clone(), rest: Vec::new() })?)));
            keys.extend(before.filter(|(_, value)| !value.is_null()));
            keys.extend(values::told(&self.keys(table), search));
            match table.consult(|key| keys.get(key).cloned()) {
                Consulted::Row(row) => asking.known.insert(ROW.to_owned(), Value::Object(row.values.clone())),
                Consulted::Missing(key) => return (Reply::Asks(key.to_owned()), keys),
                Consulted::Nothing => return (Reply::Unsure, keys),
            };
            asking.known.extend(keys.clone());
        }
        let text = article.answer(&asking).of(search.lang).map(|text| text.render(&asking, search.lang.primary(), form));
        (Reply::Says(text.unwrap_or_default()), keys)
    }

    /// The article that answers a free question, when one does so surely.
    #[must_use]
    pub fn topic_of(&self, said: &Said<'_>) -> Option<String> {
        self.nearest(said).filter(|(_, confidence)| *confidence >= SURE).map(|(topic, _)| topic)
    }

    /// The nearest article, and how sure it is that it answers the question.
    #[must_use]
    pub fn nearest(&self, said: &Said<'_>) -> Option<(String, f32)> {
        let ranked = self.classifier.as_ref()?.classify_meant(said.text, said.pinyin, said.meanings, said.medium, Focus::Everywhere);
        ranked.best().map(|hit| (hit.intent.clone(), hit.confidence))
    }
}

/// No variable has a value.
struct Nothing;

impl Scope for Nothing {
    fn value(&self, _path: &Path) -> Option<serde_json::Value> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::dialplan::{Source, load};
    use crate::nlu::{Meanings, Medium};
    use std::collections::BTreeMap as Map;

    #[test]
    fn s9_s10_a_free_question_finds_its_article_and_the_customer_his_variant() {
        let text = include_str!("../../../dialplans/knowledge/driver.yaml");
        let plan = "dialplan: 1\nid: faq\nlanguages: [zh-CN, en-US]\nstart: a\nnodes:\n  a: [{answer: {kb: driver}}, {hangup: ~}]\n";
        let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
        let loaded = load(&[file("knowledge/driver.yaml", text), file("faq.yaml", plan)], &Map::new());
        let base = &loaded.plans["faq"].surroundings.knowledge["driver"];
        let meanings = Meanings::default();
        let said = |text| Said { text, pinyin: None, meanings: &meanings, medium: Medium::Voice };
        assert_eq!(base.topic_of(&said("修车的钱谁来出")).as_deref(), Some("repair_pay"));
        assert_eq!(base.topic_of(&said("今天天气怎么样")), None);
        assert_eq!(base.articles["repair_pay"].version.len(), 8);
    }
}
