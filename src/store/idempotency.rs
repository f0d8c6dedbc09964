//! The answers to POSTs with an `Idempotency-Key`, kept for a day.

use std::time::Duration;

use super::{Error, Store};
use crate::args;
use crate::clock::now;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// What is known of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Before {
    /// It is new, and taken now by this request.
    New,
    /// The same request was answered so.
    Answered {
        /// HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The same request is under way.
    UnderWay,
    /// Another request came with this key.
    Other,
}

impl Store {
    /// Takes a key for a request, or tells what came with it before. The UNIQUE index decides between two at once.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_idempotency(&self, api_key: &str, key: &str, request_hash: &str) -> Result<Before, Error> {
        let at = now();
        let old = at.0.saturating_sub(u64::try_from(KEPT.as_micros()).unwrap_or(u64::MAX));
        self.db.run("DELETE FROM idempotency WHERE at < $1", args![old]).await?;
        let sql = "INSERT INTO idempotency (api_key, idem_key, request_hash, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        if self.db.run(sql, args![api_key, key, request_hash, at]).await? > 0 {
            return Ok(Before::New);
        }
        let sql = "SELECT request_hash, status, body FROM idempotency WHERE api_key = $1 AND idem_key = $2";
        let Some(row) = self.db.row(sql, args![api_key, key]).await? else { return Ok(Before::UnderWay) };
        if row.text("request_hash")? != request_hash {
            return Ok(Before::Other);
        }
        Ok(match row.opt_int("status")?.and_then(|status| u16::try_from(status).ok()) {
            Some(status) => Before::Answered { status, body: row.text("body")? },
            None => Before::UnderWay,
        })
    }

    /// Keeps the answer.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keep_answer(&self, api_key: &str, key: &str, status: u16, body: &str) -> Result<(), Error> {
        let sql = "UPDATE idempotency SET status = $3, body = $4 WHERE api_key = $1 AND idem_key = $2";
        self.db.run(sql, args![api_key, key, u64::from(status), body]).await.map(|_| ())
    }

    /// Lets a key go again: the request failed, and may be tried with it once more.
    ///
    /// # Errors
    /// What the database says.
    pub async fn forget_idempotency(&self, api_key: &str, key: &str) -> Result<(), Error> {
        self.db.run("DELETE FROM idempotency WHERE api_key = $1 AND idem_key = $2", args![api_key, key]).await.map(|_| ())
    }
}
