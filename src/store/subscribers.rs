//! How far named subscribers of the event stream have acknowledged.

use super::{Error, Store};
use crate::args;
use crate::clock::now;

impl Store {
    /// The last seq that a subscriber acknowledged; `None` for one never seen.
    ///
    /// # Errors
    /// What the database says.
    pub async fn acked(&self, api_key: &str, name: &str) -> Result<Option<u64>, Error> {
        let row = self.db.row("SELECT acked_seq FROM subscribers WHERE api_key = $1 AND name = $2", args![api_key, name]).await?;
        row.map(|row| row.int("acked_seq").map(i64::cast_unsigned)).transpose()
    }

    /// Keeps how far a subscriber has acknowledged; it never goes back.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keep_ack(&self, api_key: &str, name: &str, seq: u64) -> Result<(), Error> {
        let sql = "INSERT INTO subscribers (api_key, name, acked_seq, at) VALUES ($1, $2, $3, $4) ON CONFLICT (api_key, name) \
                   DO UPDATE SET acked_seq = CASE WHEN excluded.acked_seq > subscribers.acked_seq THEN excluded.acked_seq \
                   ELSE subscribers.acked_seq END, at = excluded.at";
        self.db.run(sql, args![api_key, name, seq, now()]).await.map(|_| ())
    }
}
