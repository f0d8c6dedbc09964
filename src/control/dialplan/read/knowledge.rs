//! Knowledge files.

use sha2::Digest;

use super::table::{self, TableDraft};
use super::{Context, Fields};
use crate::control::dialplan::expr::Path;
use crate::control::dialplan::knowledge::{Article, Knowledge, ROW};
use crate::control::dialplan::shape::Shape;
use crate::control::dialplan::syntax::{Kind, Place, Yaml};
use crate::control::words::Lang;

/// Characters of a version.
const VERSION_CHARS: usize = 8;

/// A knowledge file with the tables that are still to be bound to slots.
pub struct Draft {
    /// Its base, as far as this file has it.
    pub base: Knowledge,
    /// Tables of its articles.
    pub tables: Vec<TableDraft>,
}

/// One file: `knowledge: driver`, `languages`, `slots`, `articles`.
pub fn knowledge(yaml: &Yaml, context: &mut Context<'_>) -> Option<Draft> {
    let mut fields = Fields::of(yaml, "a knowledge file", context)?;
    let name = fields.need("knowledge", context).and_then(|yaml| context.text(yaml, "knowledge"))?;
    let languages = fields.need("languages", context).map(|yaml| context.texts_list(yaml, "languages")).unwrap_or_default();
    context.languages = languages.iter().map(|(tag, _)| Lang::new(tag)).collect();
    let slots = super::plan::slots(&mut fields, context);
    let mut base = Knowledge { name, slots, ..Knowledge::default() };
    let mut tables = Vec::new();
    let articles = fields.need("articles", context).and_then(|yaml| Fields::of(yaml, "articles", context));
    for pair in articles.iter().flat_map(Fields::pairs) {
        context.check_name(&pair.key, pair.at, "an article");
        context.seen.paths.clear();
        let Some((article, table)) = article(&pair.value, &pair.key, context) else { continue };
        base.articles.insert(pair.key.clone(), article);
        let used: Vec<(Path, Place)> = std::mem::take(&mut context.seen.paths).into_iter().filter(|(path, _)| path.root == ROW).collect();
        match table {
            Some(mut table) => {
                table.used = used;
                tables.push(table);
            }
            None => used.iter().for_each(|(_, at)| {
                context.mend("D127", *at, "the article has no table whose row could be meant", "add table: {keys: […], rows: […]}")
            }),
        }
    }
    fields.finish(context);
    Some(Draft { base, tables })
}

fn article(yaml: &Yaml, topic: &str, context: &mut Context<'_>) -> Option<(Article, Option<TableDraft>)> {
    let mut fields = Fields::of(yaml, "an article", context)?;
    let mut article = Article { version: version(yaml, Shape::Article), ..Article::default() };
    article.title = fields.take("title").map(|yaml| context.texts(yaml, "the title")).unwrap_or_default();
    article.questions = fields.take("questions").map(|yaml| context.sentences(yaml, "questions")).unwrap_or_default();
    article.text = fields.need("text", context).map(|yaml| context.texts(yaml, "the text")).unwrap_or_default();
    for item in fields.take("variants").map(|yaml| context.list(yaml, "variants")).unwrap_or_default() {
        let Some(mut fields) = Fields::of(item, "a variant", context) else { continue };
        let when = fields.need("when", context).and_then(|yaml| context.expr(yaml));
        let text = fields.need("text", context).map(|yaml| context.texts(yaml, "the text"));
        article.variants.extend(when.zip(text));
        fields.finish(context);
    }
    let table = fields.take("table").and_then(|yaml| table::table(yaml, topic, context));
    fields.finish(context);
    Some((article, table))
}

/// The version of an article whose table stands in a file of its own.
#[must_use]
pub fn version_with(version: &str, csv: &str) -> String {
    hex::encode(sha2::Sha256::digest(format!("{version}\n{csv}").as_bytes()))[..VERSION_CHARS].to_owned()
}

/// A hash of the canonical content: comments, quotes and the order of keys do not change it (where an order means something it does),
/// words do.
#[must_use]
pub fn version(yaml: &Yaml, shape: Shape) -> String {
    let mut text = String::new();
    canonical(yaml, shape, &mut text);
    hex::encode(sha2::Sha256::digest(text.as_bytes()))[..VERSION_CHARS].to_owned()
}

fn canonical(yaml: &Yaml, shape: Shape, out: &mut String) {
    match &yaml.kind {
        Kind::Null => out.push('~'),
        Kind::Bool(truth) => out.push(if *truth { 't' } else { 'f' }),
        Kind::Number(text) | Kind::Text(text) => {
            out.push_str(&text.len().to_string());
            out.push(':');
            out.push_str(text);
        }
        Kind::List(items) => {
            out.push('[');
            items.iter().for_each(|item| canonical(item, shape.of_item(), out));
            out.push(']');
        }
        Kind::Map(pairs) => {
            out.push('{');
            let keys: Vec<&str> = pairs.iter().map(|pair| pair.key.as_str()).collect();
            for pair in shape.order_of_content(&keys).into_iter().map(|at| &pairs[at]) {
                out.push_str(&format!("{}:{}=", pair.key.len(), pair.key));
                canonical(&pair.value, shape.of_key(&pair.key), out);
            }
            out.push('}');
        }
    }
}
