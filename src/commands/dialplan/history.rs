//! Sessions that were: asked from a running server, or read in the database of one that stands still.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::commands::asking::{Asking, Server};
use crate::config::{self, Config};
use crate::control::dialplan::Plan;
use crate::control::dialplan::recorded::{Recorded, reconstruct};
use crate::control::event::{DomainEvent, Fact};
use crate::control::session::identity::PHONE;
use crate::control::time::Time;
use crate::run::plans;
use crate::store::db::Db;
use crate::store::events::{self, Event, Span};

/// Facts asked for at once.
const AT_ONCE: i64 = 1_000;
/// Facts of one session, after which the rest is not read.
const MOST_FACTS: usize = 20_000;

/// Where the log is read.
pub enum Log {
    /// A running server.
    Api(Asking, String),
    /// The database of one that stands still, and its data folder.
    Tables(Db, PathBuf),
}

/// A page of `/v1/events`.
#[derive(serde::Deserialize)]
struct Page {
    data: Vec<Event>,
}

impl Log {
    /// The server's API when it answers, else its database.
    ///
    /// # Errors
    /// When the server refuses, or there is neither.
    pub async fn open(server: &Server) -> anyhow::Result<Log> {
        let unreached = match server.asking() {
            Err(no_key) => no_key,
            Ok(asking) => match asking.get("/v1/events?limit=1").await {
                Ok(_) => return Ok(Log::Api(asking, server.api.trim_end_matches('/').to_owned())),
                Err(why) if why.chain().any(is_unreached) => why,
                Err(why) => return Err(why),
            },
        };
        let args = config::Args {
            home: server.home.clone(),
            listen: Vec::new(),
            api: None,
            database: None,
            dialplans: None,
            models: None,
            sentence_model: None,
        };
        let config: Config = config::load(&args, config::Secrets::NONE).map_err(|problems| {
            crate::commands::check::print_problems(&problems);
            anyhow!("the configuration in {} has errors", server.home.display())
        })?;
        let url = &config.server.database;
        if url.strip_prefix("sqlite:").is_some_and(|file| !std::path::Path::new(file).is_file()) {
            return Err(unreached.context(format!("there is no database {url}, and")));
        }
        let db = Db::open(url).await.with_context(|| format!("{url} cannot be opened"))?;
        Ok(Log::Tables(db, config.server.folders.data.clone()))
    }

    async fn page(&self, span: &Span) -> anyhow::Result<Vec<Event>> {
        match self {
            Log::Tables(db, _) => Ok(events::read(db, span).await?),
            Log::Api(asking, _) => {
                let mut path = format!("/v1/events?after_seq={}&limit={}", span.after, span.limit);
                path += &span.session.as_ref().map(|session| format!("&session={session}")).unwrap_or_default();
                path += &span.kind.as_ref().map(|kind| format!("&type={kind}")).unwrap_or_default();
                let page: Page = asking.get(&path).await?.json().await.context("the server's answer is not that of this version")?;
                Ok(page.data)
            }
        }
    }

    /// Reads page after page to the end, or until `take` has enough of them.
    async fn each_page(&self, mut span: Span, mut take: impl FnMut(Vec<DomainEvent>) -> ControlFlow<()>) -> anyhow::Result<()> {
        loop {
            let page = self.page(&span).await?;
            let full = i64::try_from(page.len()).is_ok_and(|length| length == span.limit);
            span.after = page.last().map_or(span.after, |last| last.seq.cast_unsigned());
            if take(page.into_iter().filter_map(fact).collect()).is_break() || !full {
                return Ok(());
            }
        }
    }

    /// A session as its plan met it. `plan_of` gives the plan that names its queues.
    ///
    /// # Errors
    /// When the log cannot be read or does not know the session.
    pub async fn session<'p>(&self, id: &str, plan_of: &dyn Fn(&str) -> Option<&'p Plan>) -> anyhow::Result<Recorded> {
        if !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            bail!("'{id}' is no session: it looks like ses_01JD2XH0ZK8M4V9Q6T3R5W7Y1B");
        }
        let span = Span { after: 0, limit: AT_ONCE, session: Some(id.to_owned()), kind: None };
        let mut facts = Vec::new();
        self.each_page(span, |page| {
            facts.extend(page);
            if facts.len() < MOST_FACTS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .await?;
        let created = facts.iter().find_map(|event| match &event.fact {
            Fact::SessionCreated { customer, plan, .. } => Some((customer.to_string(), plan.clone(), event.at)),
            _ => None,
        });
        let Some((customer, plan, at)) = created else { bail!("the log knows no session {id}") };
        let known = self.customer(&customer, at).await?;
        let plan = plan.as_deref().and_then(plan_of);
        let mut recorded = reconstruct(&facts, known, plan).with_context(|| format!("the log has not the beginning of {id}"))?;
        if matches!(self, Log::Api(..)) && !recorded.start.customer.is_empty() {
            recorded.gaps.push("what is known of the customer is that of today".to_owned());
        }
        Ok(recorded)
    }

    /// The latest `most` sessions of a plan that began after this time, the oldest first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn sessions(&self, plan: &str, since: Time, most: usize) -> anyhow::Result<Vec<String>> {
        let span = Span { after: 0, limit: AT_ONCE, session: None, kind: Some("session.created".to_owned()) };
        let mut latest = VecDeque::new();
        self.each_page(span, |page| {
            for event in page.into_iter().filter(|event| event.at >= since) {
                let Fact::SessionCreated { session, plan: Some(id), .. } = event.fact else { continue };
                if id == plan {
                    latest.push_back(session.to_string());
                }
                if latest.len() > most {
                    latest.pop_front();
                }
            }
            ControlFlow::Continue(())
        })
        .await?;
        Ok(latest.into())
    }

    /// The text of a version that was in force once, or a draft; `None` when nobody has it.
    ///
    /// # Errors
    /// When the server refuses to answer.
    pub async fn version(&self, plan: &str, version: &str) -> anyhow::Result<Option<String>> {
        match self {
            Log::Tables(_, data) => Ok(plans::kept_text(data, plan, version)),
            Log::Api(asking, _) => {
                let answer = asking.send(Method::GET, &format!("/v1/dialplans/{plan}/versions/{version}"), None).await?;
                Ok(answer.ok().and_then(|answer| answer["text"].as_str().map(str::to_owned)))
            }
        }
    }

    /// What was known of a customer at a time; the API knows only what is known today.
    async fn customer(&self, id: &str, at: Time) -> anyhow::Result<Map<String, Value>> {
        match self {
            Log::Tables(db, _) => {
                let facts = events::of_customer(db, id).await?;
                let mut fields = Map::from_iter([("id".to_owned(), id.into())]);
                for event in facts.into_iter().filter_map(fact).filter(|event| event.at <= at) {
                    match event.fact {
                        Fact::CustomerCreated { name: Some(name), .. } => drop(fields.insert("name".to_owned(), name.into())),
                        Fact::CustomerUpdated { fields: changed, .. } => merge(&mut fields, changed),
                        Fact::IdentityLinked { channel, address, .. } if channel == PHONE => {
                            fields.entry("phone").or_insert_with(|| address.into());
                        }
                        _ => {}
                    }
                }
                Ok(fields)
            }
            Log::Api(asking, _) => {
                let answer: Value = asking.get(&format!("/v1/customers/{id}")).await?.json().await.context("the customer")?;
                let mut fields = answer.get("fields").and_then(Value::as_object).cloned().unwrap_or_default();
                for name in ["id", "name", "tags"] {
                    if let Some(value) = answer.get(name).filter(|value| !value.is_null()) {
                        fields.entry(name).or_insert_with(|| value.clone());
                    }
                }
                let known: Value = asking.get(&format!("/v1/customers/{id}/identities")).await?.json().await.context("his addresses")?;
                let of_phone = |one: &&Value| one.get("channel").and_then(Value::as_str) == Some(PHONE);
                let phone = known.get("data").and_then(Value::as_array).into_iter().flatten().find(of_phone);
                if let Some(address) = phone.and_then(|one| one.get("address")) {
                    fields.entry("phone").or_insert_with(|| address.clone());
                }
                Ok(fields)
            }
        }
    }

    /// Where a person finds the session.
    #[must_use]
    pub fn link(&self, session: &str) -> String {
        match self {
            Log::Api(_, api) => format!("{api}/v1/sessions/{session}"),
            Log::Tables(..) => session.to_owned(),
        }
    }
}

/// `{"fields": {…}}` of an update, or the fields themselves.
fn merge(fields: &mut Map<String, Value>, mut changed: Map<String, Value>) {
    if let Some(Value::Object(own)) = changed.remove("fields") {
        fields.extend(own);
    }
    fields.extend(changed);
}

fn is_unreached(why: &(dyn std::error::Error + 'static)) -> bool {
    why.downcast_ref::<reqwest::Error>().is_some_and(|why| why.is_connect() || why.is_timeout())
}

/// A fact of the API; `None` for those of a newer version.
fn fact(event: Event) -> Option<DomainEvent> {
    let at: jiff::Timestamp = event.at.parse().ok()?;
    let at = Time(u64::try_from(at.as_microsecond()).ok()?);
    let fact = serde_json::from_value(json!({"type": event.kind, "data": event.data})).ok()?;
    Some(DomainEvent { id: event.id.parse().ok()?, at, fact })
}
