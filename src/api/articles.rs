//! `/v1/articles`: the knowledge bases in force, questions to them, and what they lack.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Caller;
use super::dialplans::published;
use super::extract::{Body, Query, field};
use super::problem::{Problem, Refused};
use crate::control::dialplan::expr::{Path as Names, Scope};
use crate::control::dialplan::knowledge::{Article, Knowledge, Reply, SURE};
use crate::control::dialplan::template::Form;
use crate::control::dialplan::understand::Said;
use crate::control::dialplan::values::Search;
use crate::control::time::Time;
use crate::control::words::Lang;
use crate::nlu::Medium;
use crate::nlu::cluster::clusters;
use crate::plans::{Checked, Wish};
use crate::store::gaps::Unmatched;

const UNKNOWN: &str = "article_unknown";
/// Different sentences that are grouped; the most frequent ones.
const MOST_SENTENCES: usize = 1_000;
/// Sentences shown of a group.
const SHOWN: usize = 8;
/// Groups shown.
const MOST_GROUPS: usize = 100;
/// What is looked at when nobody says since when.
const USUAL_DAYS: i64 = 7;
/// Characters of a group's id.
const ID_CHARS: usize = 6;

/// An article in force.
#[derive(Serialize, ToSchema)]
pub struct Shown {
    /// `topic@version`: what sessions it answered in carry.
    pub id: String,
    /// Its knowledge base.
    pub kb: String,
    /// Its topic.
    pub topic: String,
    /// Hash of its content.
    pub version: String,
    /// Its title, by language.
    pub title: BTreeMap<String, String>,
    /// Example questions, by language.
    pub questions: BTreeMap<String, Vec<String>>,
    /// The answer, by language; values stay as written.
    pub text: BTreeMap<String, String>,
    /// How many answers it has for some customers only.
    pub variants: usize,
    /// The keys of its table and how many rows that has; null without one.
    pub table: Option<ShownTable>,
}

/// An article's table.
#[derive(Serialize, ToSchema)]
pub struct ShownTable {
    /// The slots that tell its rows apart.
    pub keys: Vec<String>,
    /// How many there are.
    pub rows: usize,
}

/// Articles.
#[derive(Serialize, ToSchema)]
pub struct Articles {
    /// By knowledge base and topic.
    pub data: Vec<Shown>,
}

/// Which articles.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// Of this knowledge base.
    pub kb: Option<String>,
}

/// A question.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The knowledge base.
    pub kb: String,
    /// The words.
    pub question: String,
    /// The language of the answer; zh-CN when absent.
    pub lang: Option<String>,
    /// What is known of who asks: `{"city": "上海"}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub customer: Map<String, Value>,
    /// Values of a table's keys that were asked for before: `{"person": "child"}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub slots: Map<String, Value>,
}

/// What a plan would do with a question.
#[derive(Serialize, ToSchema)]
pub struct Answered {
    /// `topic@version`; null = nobody is sure enough, and a person answers.
    pub article: Option<String>,
    /// How sure the nearest one is, 0 to 1.
    pub confidence: f32,
    /// From which confidence on an article answers.
    pub sure: f32,
    /// The words; null where a table's row has still to be found, or none says it.
    pub text: Option<String>,
    /// The values of the table's keys that are known.
    #[schema(value_type = Object)]
    pub slots: Map<String, Value>,
    /// The key of the table that has to be asked for next.
    pub asks: Option<String>,
}

/// Since when.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Since {
    /// RFC 3339; seven days ago when absent.
    pub since: Option<String>,
    /// Of this plan.
    pub plan: Option<String>,
}

/// Sentences that mean about the same and that nobody understood.
#[derive(Serialize, ToSchema)]
pub struct Gap {
    /// Lasting as long as its middle sentence is.
    pub id: String,
    /// The sentence in its middle.
    pub label: String,
    /// How often they were said.
    pub count: usize,
    /// The intent that came nearest to the middle sentence, and its score.
    pub nearest: Option<Near>,
    /// Some of them, the middle first.
    pub examples: Vec<Example>,
}

/// An intent.
#[derive(Serialize, ToSchema)]
pub struct Near {
    /// Its node.
    pub intent: String,
    /// 0 to 1.
    pub score: f64,
}

/// A sentence and where it was said.
#[derive(Serialize, ToSchema)]
pub struct Example {
    /// The words.
    pub text: String,
    /// How often.
    pub count: usize,
    /// The last session it was said in.
    pub session: String,
    /// The sound of that session: `/v1/recordings/…/audio`.
    pub audio: Option<String>,
}

/// Groups, the largest first.
#[derive(Serialize, ToSchema)]
pub struct Gaps {
    /// They.
    pub data: Vec<Gap>,
    /// Sentences that were not understood, all together.
    pub sentences: usize,
}

fn bases(state: &ApiState) -> std::sync::Arc<BTreeMap<String, Knowledge>> {
    state.directory().plans.values().next().map(|plan| plan.surroundings.knowledge.clone()).unwrap_or_default()
}

fn shown(kb: &str, topic: &str, article: &Article) -> Shown {
    let texts = |texts: &crate::control::dialplan::plan::Texts| {
        texts
            .by_lang
            .iter()
            .map(|(lang, text)| {
                (
                    lang.to_string(),
                    text.render(&Known { customer: Value::Object(Map::new()), slots: Map::new() }, lang.primary(), Form::Written),
                )
            })
            .collect()
    };
    Shown {
        id: format!("{topic}@{}", article.version),
        kb: kb.to_owned(),
        topic: topic.to_owned(),
        version: article.version.clone(),
        title: texts(&article.title),
        questions: article.questions.iter().map(|(lang, all)| (lang.to_string(), all.clone())).collect(),
        text: texts(&article.text),
        variants: article.variants.len(),
        table: article.table.as_ref().map(|table| ShownTable { keys: table.keys.clone(), rows: table.rows.len() }),
    }
}

/// `customer.*` and slots as they were told.
struct Known {
    customer: Value,
    slots: Map<String, Value>,
}

impl Scope for Known {
    fn value(&self, path: &Names) -> Option<Value> {
        match path.root.as_str() {
            "customer" => path.follow(&self.customer).cloned(),
            root => self.slots.get(root).and_then(|value| path.follow(value).cloned()),
        }
    }
}

/// The articles in force.
#[utoipa::path(get, path = "/v1/articles", tag = "articles", params(Listing), responses((status = 200, body = Articles), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller, Query(query): Query<Listing>) -> Result<Json<Articles>, Problem> {
    caller.may("articles:read")?;
    let bases = bases(&state);
    let wanted = bases.iter().filter(|(name, _)| query.kb.as_ref().is_none_or(|kb| kb == *name));
    let data = wanted.flat_map(|(name, base)| base.articles.iter().map(move |(topic, article)| shown(name, topic, article))).collect();
    Ok(Json(Articles { data }))
}

/// An article in force.
#[utoipa::path(get, path = "/v1/articles/{kb}/{topic}", tag = "articles", params(("kb" = String, Path), ("topic" = String, Path)),
    responses((status = 200, body = Shown), Refused))]
pub async fn one(State(state): State<ApiState>, caller: Caller, Path((kb, topic)): Path<(String, String)>) -> Result<Json<Shown>, Problem> {
    caller.may("articles:read")?;
    let bases = bases(&state);
    let article = bases.get(&kb).and_then(|base| base.articles.get(&topic));
    article.map(|article| Json(shown(&kb, &topic, article))).ok_or_else(|| Problem::unknown(UNKNOWN, &format!("{kb}/{topic}")))
}

/// Writes an article, in the form it has in a knowledge file (`title`, `questions`, `text`, `variants`); it is in force at once.
#[utoipa::path(put, path = "/v1/articles/{kb}/{topic}", tag = "articles", params(("kb" = String, Path), ("topic" = String, Path)),
    request_body = Object, responses((status = 200, body = Checked), Refused))]
pub async fn put(
    State(state): State<ApiState>,
    caller: Caller,
    Path((kb, topic)): Path<(String, String)>,
    Body(article): Body<Map<String, Value>>,
) -> Result<Json<Checked>, Problem> {
    caller.may("articles:write")?;
    published(&state, Wish::PutArticle { kb, topic, article: Some(Value::Object(article)) }, &caller).await
}

/// Takes away an article that came by the API.
#[utoipa::path(delete, path = "/v1/articles/{kb}/{topic}", tag = "articles", params(("kb" = String, Path), ("topic" = String, Path)),
    responses((status = 204, description = "It answers no more"), Refused))]
pub async fn drop_one(
    State(state): State<ApiState>,
    caller: Caller,
    Path((kb, topic)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    caller.may("articles:write")?;
    state.plans.ask(Wish::PutArticle { kb, topic, article: None }, &caller.0.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a plan would answer to a typed question of this customer.
#[utoipa::path(post, path = "/v1/articles/ask", tag = "articles", request_body = Question, responses((status = 200, body = Answered), Refused))]
pub async fn ask(State(state): State<ApiState>, caller: Caller, Body(new): Body<Question>) -> Result<Json<Answered>, Problem> {
    caller.may("articles:read")?;
    let bases = bases(&state);
    let base = bases.get(&new.kb).ok_or_else(|| Problem::unknown("knowledge_unknown", &new.kb))?;
    let lang = Lang::new(new.lang.as_deref().unwrap_or("zh-CN"));
    let meanings = state.control.meanings(&new.question).await;
    let said = Said { text: &new.question, pinyin: None, meanings: &meanings, medium: Medium::Chat };
    let (topic, confidence) = base.nearest(&said).unwrap_or_default();
    let article = base.articles.get(&topic).filter(|_| confidence >= SURE);
    let scope = Known { customer: Value::Object(new.customer), slots: new.slots };
    let search = Search { text: &new.question, lang: &lang, local: jiff::Zoned::now().datetime(), items: &[] };
    let (reply, slots) = article.map(|article| base.reply(article, &scope, &search, Form::Written)).unzip();
    let (text, asks) = match reply {
        Some(Reply::Says(text)) => (Some(text), None),
        Some(Reply::Asks(slot)) => (None, Some(slot)),
        Some(Reply::Unsure) | None => (None, None),
    };
    let article = article.map(|article| format!("{topic}@{}", article.version));
    Ok(Json(Answered { article, confidence, sure: SURE, text, slots: slots.unwrap_or_default(), asks }))
}

/// What customers asked and nobody understood, grouped by meaning: candidates for examples and articles.
#[utoipa::path(get, path = "/v1/articles/gaps", tag = "articles", params(Since), responses((status = 200, body = Gaps), Refused))]
pub async fn gaps(State(state): State<ApiState>, caller: Caller, Query(query): Query<Since>) -> Result<Json<Gaps>, Problem> {
    caller.may("articles:read")?;
    let since = match &query.since {
        None => jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * USUAL_DAYS),
        Some(text) => field("since", text)?,
    };
    let unmatched = state.store.unmatched(Time::from(since), query.plan.as_deref()).await?;
    let broken = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "grouping_failed", "the sentences could not be grouped");
    tokio::task::spawn_blocking(move || Json(grouped(&unmatched))).await.map_err(broken)
}

fn grouped(unmatched: &[Unmatched]) -> Gaps {
    let mut by_text: BTreeMap<&str, Vec<&Unmatched>> = BTreeMap::new();
    for one in unmatched {
        by_text.entry(one.text.as_str()).or_default().push(one);
    }
    let mut sentences: Vec<(&str, Vec<&Unmatched>)> = by_text.into_iter().collect();
    sentences.sort_by(|left, right| right.1.len().cmp(&left.1.len()).then_with(|| left.0.cmp(right.0)));
    sentences.truncate(MOST_SENTENCES);
    let texts: Vec<&str> = sentences.iter().map(|(text, _)| *text).collect();
    let mut data: Vec<Gap> = clusters(&texts).iter().map(|cluster| gap(&sentences, cluster.label, &cluster.members)).collect();
    data.sort_by_key(|gap| std::cmp::Reverse(gap.count));
    data.truncate(MOST_GROUPS);
    Gaps { data, sentences: unmatched.len() }
}

fn gap(sentences: &[(&str, Vec<&Unmatched>)], label: usize, members: &[usize]) -> Gap {
    let label = &sentences[label];
    let example = |at: &usize| {
        let (text, said) = &sentences[*at];
        let last = said.first();
        let audio = last.and_then(|last| last.recording.as_ref()).map(|recording| format!("/v1/recordings/{recording}/audio"));
        Example { text: (*text).to_owned(), count: said.len(), session: last.map(|last| last.session.clone()).unwrap_or_default(), audio }
    };
    let near = label.1.first().and_then(|said| said.nearest.clone());
    Gap {
        id: hex::encode(Sha256::digest(label.0.as_bytes()))[..ID_CHARS].to_owned(),
        label: label.0.to_owned(),
        count: members.iter().map(|at| sentences[*at].1.len()).sum(),
        nearest: near.map(|(intent, score)| Near { intent, score }),
        examples: members.iter().take(SHOWN).map(example).collect(),
    }
}
