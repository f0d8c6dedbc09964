//! Articles: one answer for every channel, with variants by who asks and in which language.

use std::collections::BTreeMap;

use super::expr::{Expr, Scope};
use super::plan::Texts;
use crate::control::words::Lang;

/// One knowledge base.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// Its name.
    pub name: String,
    /// Articles by topic.
    pub articles: BTreeMap<String, Article>,
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
}

impl Article {
    /// The answer for this customer.
    #[must_use]
    pub fn answer(&self, scope: &dyn Scope) -> &Texts {
        self.variants.iter().find(|(when, _)| when.is_true(scope)).map_or(&self.text, |(_, text)| text)
    }
}

impl Knowledge {
    /// The article that answers a free question, when one does so surely.
    #[must_use]
    pub fn topic_of(&self, question: &str, _lang: &str) -> Option<String> {
        let same = |known: &&String| known.as_str() == question;
        self.articles
            .iter()
            .find(|(_, article)| article.questions.values().flatten().any(|known| same(&known)))
            .map(|(topic, _)| topic.clone())
    }
}
