//! One customer's timeline: calls, chats, tickets and who came about them again, messages left, callbacks, surveys, actions that agents took and
//! page views in one order.

use serde::Serialize;
use utoipa::ToSchema;

use super::db::Row;
use super::page::{Page, Slice};
use super::{Error, Store};
use crate::args;

/// Something that happened with a customer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Happening {
    /// `call chat ticket ticket_linked left_message callback survey action activity`
    pub kind: String,
    /// The thing's own id.
    pub id: String,
    /// In which session, when in one.
    pub session: Option<String>,
    /// In which conversation, when in one.
    pub conversation: Option<String>,
    /// One line.
    pub title: String,
    /// Its state, ending or score.
    pub detail: Option<String>,
    /// RFC 3339.
    pub at: String,
    #[serde(skip)]
    micros: i64,
}

const SQL: &str = "SELECT * FROM ( \
    SELECT CASE WHEN call IS NOT NULL THEN 'call' ELSE 'chat' END AS kind, id, id AS session, conversation, COALESCE(intent, plan, entry) AS title, \
        COALESCE(ending, state) AS detail, created_at AS at FROM sessions WHERE customer = $1 \
    UNION ALL SELECT 'ticket', id, session, conversation, title, state, opened_at FROM tickets WHERE customer = $1 \
    UNION ALL SELECT 'ticket_linked', m.id, m.session, s.conversation, t.title, t.state, m.at \
        FROM ticket_comments m JOIN tickets t ON t.id = m.ticket JOIN sessions s ON s.id = m.session WHERE t.customer = $1 \
    UNION ALL SELECT 'left_message', l.id, l.session, s.conversation, COALESCE(l.text, l.mode), l.contact, l.at \
        FROM left_messages l JOIN sessions s ON s.id = l.session WHERE s.customer = $1 \
    UNION ALL SELECT 'callback', c.id, c.session, s.conversation, c.why, c.state, c.at \
        FROM callbacks c JOIN sessions s ON s.id = c.session WHERE s.customer = $1 \
    UNION ALL SELECT 'survey', s.id || '/' || v.survey, v.session, s.conversation, v.survey, CAST(v.score AS TEXT), v.at \
        FROM surveys v JOIN sessions s ON s.id = v.session WHERE s.customer = $1 \
    UNION ALL SELECT 'action', g.id, g.session, s.conversation, g.text, g.rule, g.updated_at \
        FROM suggestions g JOIN sessions s ON s.id = g.session WHERE s.customer = $1 AND g.state = 'accepted' AND g.rule IS NOT NULL \
    UNION ALL SELECT 'activity', id, NULL, NULL, title, url, at FROM activities WHERE customer = $1 \
    ) AS happenings WHERE ($2 IS NULL OR at < $2 OR (at = $2 AND id < $3)) ORDER BY at DESC, id DESC LIMIT $4";

fn happening(row: &Row) -> Result<Happening, Error> {
    Ok(Happening {
        kind: row.text("kind")?,
        id: row.text("id")?,
        session: row.opt_text("session")?,
        conversation: row.opt_text("conversation")?,
        title: row.text("title")?,
        detail: row.opt_text("detail")?,
        at: row.time("at")?,
        micros: row.int("at")?,
    })
}

impl Store {
    /// What happened with a customer, newest first. The cursor is `microseconds.id`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn timeline(&self, customer: &str, slice: &Slice) -> Result<Page<Happening>, Error> {
        let (at, id) = match slice.cursor.as_deref().and_then(|cursor| cursor.split_once('.')) {
            Some((at, id)) => (at.parse::<i64>().ok(), Some(id)),
            None => (None, None),
        };
        let rows = self.db.rows(SQL, args![customer, at, id, slice.probe()]).await?;
        slice.page(&rows, happening, |it| format!("{}.{}", it.micros, it.id))
    }
}
