//! Messages: a spoken sentence and a chat line are the same thing.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::changes::{Add, Changes};
use super::db::Row;
use super::fold::Place;
use super::page::{Page, Slice};
use super::{Error, Store, word};
use crate::args;
use crate::control::event::{Author, Fact};
use crate::control::words::chat::Content;

/// One spoken sentence or chat line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Message {
    /// `msg_…`
    pub id: String,
    /// Its place in the log.
    pub seq: i64,
    /// In which session.
    pub session: String,
    /// `customer`, `bot`, `agent` or `system`.
    pub author: String,
    /// Which agent.
    pub agent: Option<String>,
    /// `{kind: text|media|location|card, …}`
    #[schema(value_type = Object)]
    pub content: Value,
    /// BCP 47.
    pub lang: Option<String>,
    /// The poster's own id.
    pub client_id: Option<String>,
    /// The channel's own id.
    pub external_id: Option<String>,
    /// How it was spoken.
    #[serde(flatten)]
    pub speech: Speech,
    /// RFC 3339.
    pub at: String,
}

/// How a message was spoken, for voice.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Speech {
    /// From the beginning of the call.
    pub offset_ms: Option<i64>,
    /// How long it was.
    pub duration_ms: Option<i64>,
    /// 0.0 to 1.0.
    pub confidence: Option<f64>,
    /// The recognizer's name, or where else the words come from.
    pub source: Option<String>,
}

static CREATED: Add = Add {
    into: "INSERT INTO messages (id, seq, session, channel, author, agent, content, text, lang, client_id, external_id, \
           offset_ms, duration_ms, confidence, source, at, buttons)",
    conflict: "ON CONFLICT DO NOTHING",
};

pub(super) async fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) -> Result<(), Error> {
    let Fact::MessageCreated {
        message,
        session,
        author,
        agent,
        content,
        lang,
        client_id,
        external_id,
        offset_ms,
        duration_ms,
        confidence,
        source,
        buttons,
    } = fact
    else {
        return Ok(());
    };
    let text = if let Content::Text { text } = content { Some(text.clone()) } else { None };
    let content = serde_json::to_value(content).unwrap_or_default();
    let channel = match (author, external_id) {
        (Author::Customer, Some(_)) => to.row("SELECT channel FROM sessions WHERE id = $1", args![*session]).await?,
        _ => None,
    };
    let channel = channel.map(|row| row.opt_text("channel")).transpose()?.flatten();
    let buttons = (!buttons.is_empty()).then(|| serde_json::to_string(buttons).unwrap_or_default());
    let lang = lang.as_ref().map(ToString::to_string);
    let mut args = args![*message, place.seq, *session, channel, word(author), *agent, &content, text, lang, client_id, external_id];
    args.extend(args![*offset_ms, *duration_ms, *confidence, source, place.at, buttons]);
    to.add(&CREATED, args);
    Ok(())
}

fn message(row: &Row) -> Result<Message, Error> {
    Ok(Message {
        id: row.text("id")?,
        seq: row.int("seq")?,
        session: row.text("session")?,
        author: row.text("author")?,
        agent: row.opt_text("agent")?,
        content: row.json("content")?,
        lang: row.opt_text("lang")?,
        client_id: row.opt_text("client_id")?,
        external_id: row.opt_text("external_id")?,
        speech: Speech {
            offset_ms: row.opt_int("offset_ms")?,
            duration_ms: row.opt_int("duration_ms")?,
            confidence: row.opt_real("confidence")?,
            source: row.opt_text("source")?,
        },
        at: row.time("at")?,
    })
}

impl Store {
    /// What the plan said while a recording ran, in order: milliseconds from its beginning, and the line.
    ///
    /// # Errors
    /// What the database says.
    pub async fn plan_lines(&self, recording: &str) -> Result<Vec<(u64, Message)>, Error> {
        let sql = "SELECT m.*, (m.at - r.started_at) / 1000 AS since FROM messages m JOIN recordings r ON r.session = m.session \
                   WHERE r.id = $1 AND m.author = 'bot' ORDER BY m.seq";
        let line = |row: &Row| Ok((row.int("since")?.max(0).cast_unsigned(), message(row)?));
        self.db.rows(sql, args![recording]).await?.iter().map(line).collect()
    }

    /// The language that most lines of a session have.
    ///
    /// # Errors
    /// What the database says.
    pub async fn spoken_lang(&self, session: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT lang FROM messages WHERE session = $1 AND lang IS NOT NULL GROUP BY lang ORDER BY COUNT(*) DESC, lang LIMIT 1";
        self.db.row(sql, args![session]).await?.map(|row| row.text("lang")).transpose()
    }

    /// The messages of a session, oldest first: here the cursor is the last `seq` seen.
    ///
    /// # Errors
    /// What the database says.
    pub async fn messages(&self, session: &str, slice: &Slice) -> Result<Page<Message>, Error> {
        let sql = "SELECT * FROM messages WHERE session = $1 AND seq > $2 ORDER BY seq LIMIT $3";
        let after: i64 = slice.cursor.as_deref().and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let rows = self.db.rows(sql, args![session, after, slice.probe()]).await?;
        slice.page(&rows, message, |it| it.seq.to_string())
    }

    /// A message by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn message(&self, id: &str) -> Result<Option<Message>, Error> {
        self.db.row("SELECT * FROM messages WHERE id = $1", args![id]).await?.as_ref().map(message).transpose()
    }

    /// The message that came with this `client_id` before, if one did.
    ///
    /// # Errors
    /// What the database says.
    pub async fn message_of_client(&self, session: &str, client_id: &str) -> Result<Option<Message>, Error> {
        let sql = "SELECT * FROM messages WHERE session = $1 AND client_id = $2";
        self.db.row(sql, args![session, client_id]).await?.as_ref().map(message).transpose()
    }

    /// The message that came with this `external_id` on a channel before, if one did.
    ///
    /// # Errors
    /// What the database says.
    pub async fn message_of_channel(&self, channel: &str, external_id: &str) -> Result<Option<Message>, Error> {
        let sql = "SELECT * FROM messages WHERE channel = $1 AND external_id = $2";
        self.db.row(sql, args![channel, external_id]).await?.as_ref().map(message).transpose()
    }

    /// The last `most` messages of a conversation, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn conversation_messages(&self, conversation: &str, most: i64) -> Result<Vec<Message>, Error> {
        let sql = "SELECT * FROM messages WHERE session IN (SELECT id FROM sessions WHERE conversation = $1) ORDER BY seq DESC LIMIT $2";
        let rows = self.db.rows(sql, args![conversation, most]).await?;
        rows.iter().rev().map(message).collect()
    }
}
