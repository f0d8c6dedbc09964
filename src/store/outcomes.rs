//! What sessions leave behind besides tickets: messages left, callbacks promised, evaluations, survey answers.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::changes::Changes;
use super::db::Row;
use super::fold::Place;
use super::page::{Page, Slice};
use super::{Error, Store};
use crate::args;
use crate::control::event::Fact;

/// A message a customer left.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LeftMessage {
    /// `lm_…`
    pub id: String,
    /// In which session.
    pub session: String,
    /// Where to reach him.
    pub contact: Option<String>,
    /// The recording, for voice.
    pub recording: Option<String>,
    /// The words, for chat.
    pub text: Option<String>,
    /// `voice` or `form`.
    pub mode: String,
    /// RFC 3339.
    pub at: String,
}

/// A callback promised.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Callback {
    /// `cb_…`
    pub id: String,
    /// For which session.
    pub session: String,
    /// From which queue.
    pub queue: String,
    /// Whom to call.
    pub address: String,
    /// Why it was promised.
    pub why: String,
    /// `promised done cancelled`
    pub state: String,
    /// RFC 3339.
    pub at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// A session measured by a scorecard.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Evaluation {
    /// `evl_…`
    pub id: String,
    /// Which session.
    pub session: String,
    /// `name@version`
    pub scorecard: String,
    /// 0 to 100.
    pub score: f64,
    /// Each rule's verdict with its evidence: utterance ids and offsets.
    #[schema(value_type = Vec<Object>)]
    pub answers: Value,
    /// RFC 3339.
    pub at: String,
}

pub(super) async fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) -> Result<(), Error> {
    let (sql, args) = match fact {
        Fact::MessageLeft { left, session, contact, recording, text, mode } => (
            "INSERT INTO left_messages (id, session, contact, recording, text, mode, at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            args![*left, *session, contact, *recording, text, mode, place.at],
        ),
        Fact::CallbackPromised { callback, session, queue, address, why } => (
            "INSERT INTO callbacks (id, session, queue, address, why, state, at, updated_at) VALUES ($1, $2, $3, $4, $5, 'promised', $6, $6) \
             ON CONFLICT DO NOTHING",
            args![*callback, *session, *queue, address, why, place.at],
        ),
        Fact::CallbackState { callback, state } => {
            ("UPDATE callbacks SET state = $2, updated_at = $3 WHERE id = $1", args![*callback, state, place.at])
        }
        Fact::EvaluationFinished { evaluation, session, scorecard, score, answers } => (
            "INSERT INTO evaluations (id, session, scorecard, score, answers, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            args![*evaluation, *session, scorecard, *score, answers, place.at],
        ),
        Fact::SurveyAnswered { session, survey, score } => (
            "INSERT INTO surveys (seq, session, survey, score, at) VALUES ($1, $2, $3, $4, $5)",
            args![place.seq, *session, survey, u64::from(*score), place.at],
        ),
        _ => return Ok(()),
    };
    to.run(sql, args).await.map(|_| ())
}

fn left(row: &Row) -> Result<LeftMessage, Error> {
    Ok(LeftMessage {
        id: row.text("id")?,
        session: row.text("session")?,
        contact: row.opt_text("contact")?,
        recording: row.opt_text("recording")?,
        text: row.opt_text("text")?,
        mode: row.text("mode")?,
        at: row.time("at")?,
    })
}

fn callback(row: &Row) -> Result<Callback, Error> {
    Ok(Callback {
        id: row.text("id")?,
        session: row.text("session")?,
        queue: row.text("queue")?,
        address: row.text("address")?,
        why: row.text("why")?,
        state: row.text("state")?,
        at: row.time("at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn evaluation(row: &Row) -> Result<Evaluation, Error> {
    Ok(Evaluation {
        id: row.text("id")?,
        session: row.text("session")?,
        scorecard: row.text("scorecard")?,
        score: row.opt_real("score")?.unwrap_or_default(),
        answers: row.json("answers")?,
        at: row.time("at")?,
    })
}

impl Store {
    /// Messages left, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn left_messages(&self, session: Option<&str>, slice: &Slice) -> Result<Page<LeftMessage>, Error> {
        let sql = "SELECT * FROM left_messages WHERE ($1 IS NULL OR id < $1) AND ($2 IS NULL OR session = $2) ORDER BY id DESC LIMIT $3";
        let rows = self.db.rows(sql, args![&slice.cursor, session, slice.probe()]).await?;
        slice.page(&rows, left, |it| it.id.clone())
    }

    /// A message left, by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn left_message(&self, id: &str) -> Result<Option<LeftMessage>, Error> {
        self.db.row("SELECT * FROM left_messages WHERE id = $1", args![id]).await?.as_ref().map(left).transpose()
    }

    /// Callbacks, newest first, in one state when given.
    ///
    /// # Errors
    /// What the database says.
    pub async fn callbacks(&self, state: Option<&str>, slice: &Slice) -> Result<Page<Callback>, Error> {
        let sql = "SELECT * FROM callbacks WHERE ($1 IS NULL OR id < $1) AND ($2 IS NULL OR state = $2) ORDER BY id DESC LIMIT $3";
        let rows = self.db.rows(sql, args![&slice.cursor, state, slice.probe()]).await?;
        slice.page(&rows, callback, |it| it.id.clone())
    }

    /// A callback by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn callback(&self, id: &str) -> Result<Option<Callback>, Error> {
        self.db.row("SELECT * FROM callbacks WHERE id = $1", args![id]).await?.as_ref().map(callback).transpose()
    }

    /// Evaluations, newest first, of one session when given.
    ///
    /// # Errors
    /// What the database says.
    pub async fn evaluations(&self, session: Option<&str>, slice: &Slice) -> Result<Page<Evaluation>, Error> {
        let sql = "SELECT * FROM evaluations WHERE ($1 IS NULL OR id < $1) AND ($2 IS NULL OR session = $2) ORDER BY id DESC LIMIT $3";
        let rows = self.db.rows(sql, args![&slice.cursor, session, slice.probe()]).await?;
        slice.page(&rows, evaluation, |it| it.id.clone())
    }

    /// An evaluation by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn evaluation(&self, id: &str) -> Result<Option<Evaluation>, Error> {
        self.db.row("SELECT * FROM evaluations WHERE id = $1", args![id]).await?.as_ref().map(evaluation).transpose()
    }
}
