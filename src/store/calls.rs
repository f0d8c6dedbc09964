//! Calls and their legs: the telephone side of voice sessions.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::changes::{Add, Again, Changes, Set};
use super::db::Row;
use super::fold::Place;
use super::page::{Page, Slice};
use super::{Error, Store};
use crate::args;
use crate::control::event::Fact;

/// The telephone side of a session.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Call {
    /// `call_…`
    pub id: String,
    /// Its session.
    pub session: String,
    /// Who called.
    pub from: String,
    /// Which number.
    pub to: String,
    /// The Call-ID of the caller's dialog.
    pub sip_call_id: String,
    /// `started answered bridged ended`
    pub state: String,
    /// The last agent bridged.
    pub agent: Option<String>,
    /// How it ended.
    #[serde(flatten)]
    pub end: CallEnd,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub answered_at: Option<String>,
    /// RFC 3339.
    pub bridged_at: Option<String>,
    /// RFC 3339.
    pub ended_at: Option<String>,
}

/// How a call ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallEnd {
    /// `caller_hung_up` …
    pub ending: Option<String>,
    /// The final SIP status.
    pub sip_status: Option<i64>,
    /// Are we to blame?
    pub our_fault: Option<bool>,
    /// From INVITE to the end.
    pub duration_ms: Option<i64>,
}

/// One SIP dialog with its sound.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Leg {
    /// `leg_…`
    pub id: String,
    /// Of which call.
    pub call: String,
    /// `caller`, `agent` …
    pub role: String,
    /// Who is at its end.
    pub uri: String,
    /// Why it closed.
    pub why: Option<String>,
    /// Packets received, lost, late, sent, refused, and the jitter.
    #[schema(value_type = Object)]
    pub stats: Option<Value>,
    /// RFC 3339.
    pub opened_at: String,
    /// RFC 3339.
    pub closed_at: Option<String>,
}

static STARTED: Add =
    Add { into: "INSERT INTO calls (id, session, from_uri, to_uri, sip_call_id, state, started_at)", conflict: "ON CONFLICT DO NOTHING" };
static OPENED: Add = Add { into: "INSERT INTO legs (id, call, role, uri, opened_at)", conflict: "ON CONFLICT DO NOTHING" };
static ANSWERED: Set = Set {
    table: "calls",
    sql: "UPDATE calls SET state = 'answered', answered_at = COALESCE(answered_at, v.column2) \
          FROM (VALUES {values}) AS v WHERE calls.id = v.column1",
    again: Again::Adds,
};
static BRIDGED: Set = Set {
    table: "calls",
    sql: "UPDATE calls SET state = 'bridged', agent = COALESCE(v.column2, agent), bridged_at = COALESCE(bridged_at, v.column3) \
          FROM (VALUES {values}) AS v WHERE calls.id = v.column1",
    again: Again::Adds,
};
static ENDED: Set = Set {
    table: "calls",
    sql: "UPDATE calls SET state = 'ended', ending = v.column2, sip_status = v.column3, our_fault = v.column4, \
             duration_ms = v.column5, ended_at = v.column6 \
          FROM (VALUES {values}) AS v WHERE calls.id = v.column1",
    again: Again::Replaces,
};
static CLOSED: Set = Set {
    table: "legs",
    sql: "UPDATE legs SET why = v.column2, stats = v.column3, closed_at = v.column4 \
          FROM (VALUES {values}) AS v WHERE legs.id = v.column1",
    again: Again::Replaces,
};

pub(super) fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) {
    match fact {
        Fact::CallStarted { call, session, from, to: number, sip_call_id, .. } => {
            to.add(&STARTED, args![*call, *session, from, number, sip_call_id, "started", place.at]);
        }
        Fact::LegOpened { leg, call, role, uri } => to.add(&OPENED, args![*leg, *call, role, uri, place.at]),
        Fact::CallAnswered { call } => to.set(&ANSWERED, args![*call, place.at]),
        Fact::CallBridged { call, agent, .. } => to.set(&BRIDGED, args![*call, *agent, place.at]),
        Fact::CallEnded { call, ending, sip_status, our_fault, duration_ms } => {
            let args = args![*call, ending, i64::from(*sip_status), *our_fault, *duration_ms, place.at];
            to.set(&ENDED, args);
        }
        Fact::LegClosed { leg, why, stats, .. } => {
            let stats = serde_json::to_value(stats).unwrap_or_default();
            to.set(&CLOSED, args![*leg, why, &stats, place.at]);
        }
        _ => {}
    }
}

fn call(row: &Row) -> Result<Call, Error> {
    Ok(Call {
        id: row.text("id")?,
        session: row.text("session")?,
        from: row.text("from_uri")?,
        to: row.text("to_uri")?,
        sip_call_id: row.text("sip_call_id")?,
        state: row.text("state")?,
        agent: row.opt_text("agent")?,
        end: CallEnd {
            ending: row.opt_text("ending")?,
            sip_status: row.opt_int("sip_status")?,
            our_fault: row.opt_flag("our_fault")?,
            duration_ms: row.opt_int("duration_ms")?,
        },
        started_at: row.time("started_at")?,
        answered_at: row.opt_time("answered_at")?,
        bridged_at: row.opt_time("bridged_at")?,
        ended_at: row.opt_time("ended_at")?,
    })
}

fn leg(row: &Row) -> Result<Leg, Error> {
    Ok(Leg {
        id: row.text("id")?,
        call: row.text("call")?,
        role: row.text("role")?,
        uri: row.text("uri")?,
        why: row.opt_text("why")?,
        stats: row.opt_text("stats")?.and_then(|text| serde_json::from_str(&text).ok()),
        opened_at: row.time("opened_at")?,
        closed_at: row.opt_time("closed_at")?,
    })
}

impl Store {
    /// A call by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn call(&self, id: &str) -> Result<Option<Call>, Error> {
        self.db.row("SELECT * FROM calls WHERE id = $1", args![id]).await?.as_ref().map(call).transpose()
    }

    /// Calls, newest first, in one state when given.
    ///
    /// # Errors
    /// What the database says.
    pub async fn calls(&self, state: Option<&str>, slice: &Slice) -> Result<Page<Call>, Error> {
        let sql = "SELECT * FROM calls WHERE ($1 IS NULL OR id < $1) AND ($2 IS NULL OR state = $2) ORDER BY id DESC LIMIT $3";
        let rows = self.db.rows(sql, args![&slice.cursor, state, slice.probe()]).await?;
        slice.page(&rows, call, |it| it.id.clone())
    }

    /// The legs of a call, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn legs(&self, call: &str) -> Result<Vec<Leg>, Error> {
        self.db.rows("SELECT * FROM legs WHERE call = $1 ORDER BY id", args![call]).await?.iter().map(leg).collect()
    }
}
