//! Articles that come by the API: each in a file of its own, `knowledge/<kb>.<topic>.yaml`, so that files written by people stay theirs.

use serde_json::{Value, json};

use super::{Cause, House, folder};
use crate::control::dialplan::syntax;
use crate::plans::{Aim, Done, PlanFile, Refusal};

impl House {
    pub(super) async fn put_article(&mut self, kb: &str, topic: &str, article: Option<Value>, by: &str) -> Result<Done, Refusal> {
        let good = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !good(kb) || !good(topic) {
            return Err(Refusal::Invalid("a knowledge base and a topic are named with letters, digits, - and _".to_owned()));
        }
        let name = format!("knowledge/{kb}.{topic}.yaml");
        let folder = self.config.server.folders.dialplans.clone();
        let files = folder::all(&folder).map_err(|why| Refusal::Broken(format!("{}: {why}", folder.display())))?;
        if let Some(other) = files.iter().find(|file| file.name != name && holds(file, kb, topic)) {
            let what = format!("the article {kb}/{topic} stands in {}: change it there and publish that file", other.name);
            return Err(Refusal::Conflict(what));
        }
        let Some(article) = article else {
            if !files.iter().any(|file| file.name == name && holds(file, kb, topic)) {
                return Err(Refusal::Unknown { what: "article", id: format!("{kb}/{topic}") });
            }
            return self
                .publish(&[written(name, kb, &languages_of(&files, kb), json!({}))], None, Aim::Publish, Cause { how: "api", by })
                .await;
        };
        let mut languages = languages_of(&files, kb);
        for lang in tongues(&article) {
            if !languages.contains(&lang) {
                languages.push(lang);
            }
        }
        let file = written(name, kb, &languages, json!({topic: article}));
        self.publish(&[file], None, Aim::Publish, Cause { how: "api", by }).await
    }
}

/// JSON is YAML: an article of the API is read by the same loader as those of people.
fn written(name: String, kb: &str, languages: &[String], articles: Value) -> PlanFile {
    let text = format!("# Written by the API; change it there.\nknowledge: {kb}\nlanguages: {}\narticles: {articles}\n", json!(languages));
    PlanFile { name, text }
}

fn holds(file: &PlanFile, kb: &str, topic: &str) -> bool {
    let Ok(yaml) = syntax::parse(&file.name, &file.text) else { return false };
    let named = yaml.get("knowledge").and_then(|name| name.scalar()) == Some(kb);
    named && yaml.get("articles").is_some_and(|articles| articles.get(topic).is_some())
}

/// The languages that the files of a knowledge base name.
fn languages_of(files: &[PlanFile], kb: &str) -> Vec<String> {
    let mut all = Vec::new();
    for file in files.iter().filter(|file| file.name.starts_with("knowledge/")) {
        let Ok(yaml) = syntax::parse(&file.name, &file.text) else { continue };
        if yaml.get("knowledge").and_then(|name| name.scalar()) != Some(kb) {
            continue;
        }
        if let Some(syntax::Kind::List(items)) = yaml.get("languages").map(|languages| &languages.kind) {
            all.extend(
                items.iter().filter_map(|item| item.scalar().map(str::to_owned)).filter(|lang| !all.contains(lang)).collect::<Vec<_>>(),
            );
        }
    }
    all
}

/// The languages that an article of the API is written in.
fn tongues(article: &Value) -> Vec<String> {
    let of = |part: &str| article[part].as_object().map(|texts| texts.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    [of("text"), of("questions"), of("title")].concat()
}
