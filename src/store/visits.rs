//! What a visitor of the web chat sees: his own lines and ours, over all his sessions on the channel, in the order of the log.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::db::Row;
use super::{Error, Store};
use crate::args;

/// A line of a visitor's chat.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct VisitorLine {
    /// Its place in the log.
    pub seq: i64,
    /// `msg_…`
    pub id: String,
    /// `ses_…`
    pub session: String,
    /// `customer`, `bot`, `agent` or `system`.
    pub author: String,
    /// `{kind: text|media|location|card, …}`
    #[schema(value_type = Object)]
    pub content: Value,
    /// Buttons: `[[label, what a press sends]]`.
    #[schema(value_type = Vec<Object>)]
    pub buttons: Value,
    /// The page's own id of the line.
    pub client_id: Option<String>,
    /// RFC 3339.
    pub at: String,
}

fn line(row: &Row, address: &str) -> Result<VisitorLine, Error> {
    let own = row.opt_text("external_id")?.and_then(|id| id.strip_prefix(address)?.strip_prefix('/').map(str::to_owned));
    Ok(VisitorLine {
        seq: row.int("seq")?,
        id: row.text("id")?,
        session: row.text("session")?,
        author: row.text("author")?,
        content: row.json("content")?,
        buttons: row.opt_text("buttons")?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| Value::Array(Vec::new())),
        client_id: own,
        at: row.time("at")?,
    })
}

impl Store {
    /// A visitor's chat after `after`, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn visitor_lines(&self, channel: &str, address: &str, after: i64, most: i64) -> Result<Vec<VisitorLine>, Error> {
        let sql = "SELECT m.seq, m.id, m.session, m.author, m.content, m.external_id, m.at, m.buttons FROM sessions s \
                   JOIN messages m ON m.session = s.id \
                   WHERE s.channel = $1 AND s.address = $2 AND m.seq > $3 AND m.author <> 'system' ORDER BY m.seq LIMIT $4";
        let rows = self.db.rows(sql, args![channel, address, after, most]).await?;
        rows.iter().map(|row| line(row, address)).collect()
    }
}
