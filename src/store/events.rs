//! The log as the API shows it, by `seq`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::db::{Db, Row};
use super::{Error, Store};
use crate::args;

/// One fact of the log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its place in the log, without gaps.
    pub seq: i64,
    /// `evt_…`
    pub id: String,
    /// `session.created` …
    #[serde(rename = "type")]
    pub kind: String,
    /// RFC 3339.
    pub at: String,
    /// The fact's fields.
    #[schema(value_type = Object)]
    pub data: Value,
}

/// Which part of the log.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// Those after this seq.
    pub after: u64,
    /// So many at most.
    pub limit: i64,
    /// Of this session.
    pub session: Option<String>,
    /// Of this kind; a trailing `*` takes all that begin so.
    pub kind: Option<String>,
}

fn event(row: &Row) -> Result<Event, Error> {
    Ok(Event { seq: row.int("seq")?, id: row.text("id")?, kind: row.text("type")?, at: row.time("at")?, data: row.json("data")? })
}

/// Facts in the order of the log, in the database of a server that need not run.
///
/// # Errors
/// What the database says.
pub async fn read(db: &Db, span: &Span) -> Result<Vec<Event>, Error> {
    let kind = span.kind.as_deref().map(|kind| kind.replace('*', "%"));
    // By session there is an index, which a condition that may be absent would keep from being used.
    let rows = match &span.session {
        Some(session) => {
            let sql = "SELECT * FROM events WHERE session = $1 AND seq > $2 AND ($3 IS NULL OR type LIKE $3) ORDER BY seq LIMIT $4";
            db.rows(sql, args![session, span.after, kind, span.limit]).await?
        }
        None => {
            let sql = "SELECT * FROM events WHERE seq > $1 AND ($2 IS NULL OR type LIKE $2) ORDER BY seq LIMIT $3";
            db.rows(sql, args![span.after, kind, span.limit]).await?
        }
    };
    rows.iter().map(event).collect()
}

/// What the log says of a customer himself: his data and addresses, not his sessions.
///
/// # Errors
/// What the database says.
pub async fn of_customer(db: &Db, customer: &str) -> Result<Vec<Event>, Error> {
    let sql = "SELECT * FROM events WHERE customer = $1 AND (type LIKE 'customer.%' OR type LIKE 'identity.%') ORDER BY seq";
    db.rows(sql, args![customer]).await?.iter().map(event).collect()
}

impl Store {
    /// Facts in the order of the log.
    ///
    /// # Errors
    /// What the database says.
    pub async fn events(&self, span: &Span) -> Result<Vec<Event>, Error> {
        read(&self.db, span).await
    }

    /// The first seq that is still kept, 1 while all are.
    ///
    /// # Errors
    /// What the database says.
    pub async fn first_seq(&self) -> Result<u64, Error> {
        let row = self.db.row("SELECT COALESCE(MIN(seq), 1) AS first FROM events", args![]).await?;
        Ok(row.map_or(Ok(1), |row| row.int("first"))?.cast_unsigned())
    }
}
