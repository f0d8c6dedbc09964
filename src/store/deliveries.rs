//! Messages on their way to a channel's customers: what is due, what was delivered, what was given up.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::db::Row;
use super::{Error, Store};
use crate::args;
use crate::clock::now;
use crate::control::time::Time;

/// A message on its way.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// Which message.
    pub message: String,
    /// Of which session.
    pub session: String,
    /// Over which channel.
    pub channel: String,
    /// To whom.
    pub address: String,
    /// What the adapter gets.
    #[schema(value_type = Object)]
    pub body: Value,
    /// `due delivered dead waiting`; `waiting` is fetched by the visitor himself.
    pub state: String,
    /// How often it was tried.
    pub tries: i64,
    /// What the last try met.
    pub last_error: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// The same for reckoning.
    #[serde(skip)]
    pub created: Time,
}

fn delivery(row: &Row) -> Result<Delivery, Error> {
    Ok(Delivery {
        message: row.text("message")?,
        session: row.text("session")?,
        channel: row.text("channel")?,
        address: row.text("address")?,
        body: row.json("body")?,
        state: row.text("state")?,
        tries: row.int("tries")?,
        last_error: row.opt_text("last_error")?,
        created_at: row.time("created_at")?,
        created: Time(row.int("created_at")?.cast_unsigned()),
    })
}

impl Store {
    /// Notes a message to be delivered: `due` is pushed to the adapter, `waiting` is fetched by the visitor. Once a message.
    ///
    /// # Errors
    /// What the database says.
    pub async fn add_delivery(&self, to: (&str, &str, &str), message: &str, body: &Value, state: &str) -> Result<(), Error> {
        let (session, channel, address) = to;
        let sql = "INSERT INTO deliveries (message, session, channel, address, body, state, tries, next_at, created_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $7) ON CONFLICT DO NOTHING";
        self.db.run(sql, args![message, session, channel, address, body, state, now()]).await.map(|_| ())
    }

    /// Channels with messages that are due now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn due_channels(&self) -> Result<Vec<String>, Error> {
        let rows = self.db.rows("SELECT DISTINCT channel FROM deliveries WHERE state = 'due' AND next_at <= $1", args![now()]).await?;
        rows.iter().map(|row| row.text("channel")).collect()
    }

    /// Messages of a channel that are due now, oldest first; of each address only the oldest, so that none overtakes another.
    ///
    /// # Errors
    /// What the database says.
    pub async fn due_deliveries(&self, channel: &str, most: i64) -> Result<Vec<Delivery>, Error> {
        // Ids of one millisecond are in no order: the time at which they were noted is that of the plan's words.
        let sql = "SELECT * FROM deliveries d WHERE channel = $3 AND state = 'due' AND next_at <= $1 AND NOT EXISTS (SELECT 1 FROM deliveries e \
                   WHERE e.channel = d.channel AND e.address = d.address AND e.state = 'due' AND e.created_at < d.created_at) \
                   ORDER BY created_at LIMIT $2";
        self.db.rows(sql, args![now(), most, channel]).await?.iter().map(delivery).collect()
    }

    /// When the next message is due after `now`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn next_delivery(&self, now: Time) -> Result<Option<Time>, Error> {
        let row = self.db.row("SELECT MIN(next_at) AS next FROM deliveries WHERE state = 'due' AND next_at > $1", args![now]).await?;
        Ok(row.map(|row| row.opt_int("next")).transpose()?.flatten().map(|at| Time(at.cast_unsigned())))
    }

    /// Notes how a try went: `delivered`, `dead`, or `due` again at `next`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn note_delivery(&self, message: &str, state: &str, error: Option<&str>, next: Time) -> Result<(), Error> {
        let sql = "UPDATE deliveries SET state = $2, last_error = $3, next_at = $4, tries = tries + 1 WHERE message = $1";
        self.db.run(sql, args![message, state, error, next]).await.map(|_| ())
    }

    /// What a visitor has to fetch after the message he saw last, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn visitor_deliveries(&self, channel: &str, address: &str, after: Option<&str>, most: i64) -> Result<Vec<Delivery>, Error> {
        let sql = "SELECT * FROM deliveries WHERE channel = $1 AND address = $2 AND ($3 IS NULL OR message > $3) ORDER BY message LIMIT $4";
        self.db.rows(sql, args![channel, address, after, most]).await?.iter().map(delivery).collect()
    }

    /// Messages that were given up, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn dead_deliveries(&self, most: i64) -> Result<Vec<Delivery>, Error> {
        let sql = "SELECT * FROM deliveries WHERE state = 'dead' ORDER BY message DESC LIMIT $1";
        self.db.rows(sql, args![most]).await?.iter().map(delivery).collect()
    }
}
