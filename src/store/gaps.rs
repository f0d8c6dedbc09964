//! What customers said that no plan and no article knew: the raw material of learning.

use serde_json::Value;

use super::db::Row;
use super::reports::Period;
use super::{Error, Store};
use crate::args;
use crate::control::discreet::SECRET;
use crate::control::time::Time;
use crate::control::words::decision::is_gap;

/// Facts that are looked at.
const MOST_FACTS: i64 = 200_000;

/// A sentence that was not understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Unmatched {
    /// The words.
    pub text: String,
    /// In which session.
    pub session: String,
    /// Its plan.
    pub plan: Option<String>,
    /// A recording of it, when there is one.
    pub recording: Option<String>,
    /// The nearest intent and its score, when there was one.
    pub nearest: Option<(String, f64)>,
}

/// How a sentence was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Understood {
    /// In which session.
    pub session: String,
    /// The words; of an article its `topic@version`.
    pub text: String,
    /// `accept confirm reprompt unanswered article phrase key` …
    pub decision: String,
    /// The best intent.
    pub intent: Option<String>,
}

fn understood(row: &Row) -> Result<Understood, Error> {
    let data = row.json("data")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let intent = data["intents"][0]["intent"].as_str().map(str::to_owned);
    Ok(Understood { session: row.text("session")?, text: text(&data["text"]), decision: text(&data["decision"]), intent })
}

fn unmatched(row: &Row) -> Result<Option<Unmatched>, Error> {
    let data = row.json("data")?;
    let text = data["text"].as_str().unwrap_or_default().trim();
    if !data["decision"].as_str().is_some_and(is_gap) || text.is_empty() || text == SECRET {
        return Ok(None);
    }
    let best = &data["intents"][0];
    let nearest = best["intent"].as_str().map(|intent| (intent.to_owned(), best["score"].as_f64().unwrap_or_default()));
    let (session, plan, recording) = (row.text("session")?, row.opt_text("plan")?, row.opt_text("recording")?);
    Ok(Some(Unmatched { text: text.to_owned(), session, plan, recording, nearest }))
}

impl Store {
    /// Sentences that were not understood since then, the newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn unmatched(&self, since: Time, plan: Option<&str>) -> Result<Vec<Unmatched>, Error> {
        let sql = "SELECT e.session, e.data, s.plan, (SELECT MIN(r.id) FROM recordings r WHERE r.session = e.session) AS recording \
                   FROM events e LEFT JOIN sessions s ON s.id = e.session \
                   WHERE e.type = 'session.understood' AND e.at >= $1 AND ($2 IS NULL OR s.plan = $2) ORDER BY e.seq DESC LIMIT $3";
        let rows = self.db.rows(sql, args![since, plan, MOST_FACTS]).await?;
        rows.iter().filter_map(|row| unmatched(row).transpose()).collect()
    }

    /// How sentences of sessions of a plan (of all when absent) were understood in a span (microseconds), the newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn understood(&self, period: Period, plan: Option<&str>) -> Result<Vec<Understood>, Error> {
        let sql = "SELECT e.session, e.data FROM events e LEFT JOIN sessions s ON s.id = e.session \
                   WHERE e.type = 'session.understood' AND e.at >= $1 AND e.at < $2 AND ($3 IS NULL OR s.plan = $3) ORDER BY e.seq DESC LIMIT $4";
        let rows = self.db.rows(sql, args![period.since, period.until, plan, MOST_FACTS]).await?;
        rows.iter().map(understood).collect()
    }
}
