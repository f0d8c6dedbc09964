//! Who waits in which queue, and how long the waits were.

use serde::Serialize;
use utoipa::ToSchema;

use super::changes::{Add, Again, Changes, Set};
use super::fold::Place;
use super::sessions::of_session;
use super::{Error, Store};
use crate::args;
use crate::control::event::Fact;

/// One session that waits.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Waiting {
    /// The session.
    pub session: String,
    /// How it came.
    pub channel: String,
    /// Higher goes first.
    pub priority: i64,
    /// Since when, RFC 3339.
    pub since: String,
}

/// What a queue did today (since the UTC midnight).
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct QueueDay {
    /// Entered it.
    pub entered: i64,
    /// Left it for an agent.
    pub answered: i64,
    /// Left it otherwise.
    pub gone: i64,
    /// Mean wait of those that left.
    pub wait_mean_ms: i64,
    /// Longest wait of those that left.
    pub wait_max_ms: i64,
}

static QUEUED: Add = Add { into: "INSERT INTO queue_waits (seq, session, queue, priority, skills, entered_at)", conflict: "" };
static LEFT: Set = Set {
    table: "queue_waits",
    sql: "UPDATE queue_waits SET left_at = v.column3, why = v.column4, waited_ms = v.column5 \
          FROM (VALUES {values}) AS v WHERE queue_waits.session = v.column1 AND queue_waits.queue = v.column2 AND left_at IS NULL",
    again: Again::Adds,
};
static RAISED: Set = Set {
    table: "queue_waits",
    sql: "UPDATE queue_waits SET priority = v.column3 \
          FROM (VALUES {values}) AS v WHERE queue_waits.session = v.column1 AND queue_waits.queue = v.column2 AND left_at IS NULL",
    again: Again::Adds,
};
static CLOSED: Set = Set {
    table: "queue_waits",
    sql: "UPDATE queue_waits SET left_at = v.column2, why = 'closed' \
          FROM (VALUES {values}) AS v WHERE queue_waits.session = v.column1 AND left_at IS NULL",
    again: Again::Adds,
};
static QUEUE: Set = of_session!("queue = v.column2", Again::Replaces);
static WAITED: Set = of_session!("waited_ms = COALESCE(waited_ms, 0) + v.column2", Again::Adds);

pub(super) async fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) -> Result<(), Error> {
    match fact {
        Fact::Queued { session, queue, skills, priority, .. } => {
            // An earlier wait of the same session is closed before: what closes it takes every open one.
            to.settle("queue_waits", &session.to_string()).await?;
            to.add(&QUEUED, args![place.seq, *session, *queue, u64::from(*priority), skills.join(" "), place.at]);
            to.set(&QUEUE, args![*session, *queue]);
        }
        Fact::Raised { session, queue, priority, .. } => to.set(&RAISED, args![*session, *queue, u64::from(*priority)]),
        Fact::Dequeued { session, queue, why, waited_ms } => {
            to.set(&LEFT, args![*session, *queue, place.at, why, *waited_ms]);
            to.set(&WAITED, args![*session, *waited_ms]);
        }
        Fact::SessionClosed { session, .. } => {
            to.set(&CLOSED, args![*session, place.at]);
        }
        _ => {}
    }
    Ok(())
}

impl Store {
    /// Who waits in a queue, in the order of service.
    ///
    /// # Errors
    /// What the database says.
    pub async fn waiting(&self, queue: &str) -> Result<Vec<Waiting>, Error> {
        let sql = "SELECT w.session, s.channel, w.priority, w.entered_at FROM queue_waits w JOIN sessions s ON s.id = w.session \
                   WHERE w.queue = $1 AND w.left_at IS NULL ORDER BY w.priority DESC, w.seq LIMIT 500";
        let rows = self.db.rows(sql, args![queue]).await?;
        let read = |row: &super::db::Row| {
            let (session, channel) = (row.text("session")?, row.text("channel")?);
            Ok(Waiting { session, channel, priority: row.int("priority")?, since: row.time("entered_at")? })
        };
        rows.iter().map(read).collect()
    }

    /// What a queue did since `since` (microseconds).
    ///
    /// # Errors
    /// What the database says.
    pub async fn queue_day(&self, queue: &str, since: u64) -> Result<QueueDay, Error> {
        let sql = "SELECT COUNT(*) AS entered, COUNT(CASE WHEN why IN ('answered', 'assigned', 'accepted') THEN 1 END) AS answered, \
                   COUNT(CASE WHEN left_at IS NOT NULL AND why NOT IN ('answered', 'assigned', 'accepted') THEN 1 END) AS gone, \
                   CAST(COALESCE(AVG(waited_ms), 0) AS BIGINT) AS mean, COALESCE(MAX(waited_ms), 0) AS longest \
                   FROM queue_waits WHERE queue = $1 AND entered_at >= $2";
        let Some(row) = self.db.row(sql, args![queue, since]).await? else { return Ok(QueueDay::default()) };
        Ok(QueueDay {
            entered: row.int("entered")?,
            answered: row.int("answered")?,
            gone: row.int("gone")?,
            wait_mean_ms: row.int("mean")?,
            wait_max_ms: row.int("longest")?,
        })
    }
}
