//! What agents do: their states and the offers they get. Who they are stands in the configuration.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::changes::{Add, Again, Changes, Set};
use super::db::Row;
use super::fold::Place;
use super::page::{Page, Slice};
use super::{Error, Store, word};
use crate::args;
use crate::control::event::Fact;

/// An agent's state.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AgentStatus {
    /// `agt_…`
    pub agent: String,
    /// `offline available busy away wrap_up`
    pub state: String,
    /// Why he is away.
    pub reason: Option<String>,
    /// RFC 3339.
    pub since: String,
}

/// A session shown to an agent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Offer {
    /// `ofr_…`
    pub id: String,
    /// Of which session.
    pub session: String,
    /// To whom.
    pub agent: String,
    /// From which queue.
    pub queue: String,
    /// Intent, slots, lookups and transcript so far: the screen pop.
    #[schema(value_type = Object)]
    pub context: Value,
    /// `ringing accepted rejected timed_out withdrawn`
    pub state: String,
    /// RFC 3339.
    pub offered_at: String,
    /// RFC 3339.
    pub ended_at: Option<String>,
}

static STATE: Set = Set {
    table: "agent_states",
    sql: "INSERT INTO agent_states (agent, state, reason, since) SELECT v.column1, v.column2, v.column3, v.column4 \
          FROM (VALUES {values}) AS v WHERE v.column1 IS NOT NULL ON CONFLICT (agent) DO UPDATE SET state = excluded.state, reason = excluded.reason, since = excluded.since",
    again: Again::Replaces,
};
static OFFERED: Add =
    Add { into: "INSERT INTO offers (id, session, agent, queue, context, state, offered_at)", conflict: "ON CONFLICT DO NOTHING" };
static ENDED: Set = Set {
    table: "offers",
    sql: "UPDATE offers SET state = v.column2, ended_at = v.column3 \
          FROM (VALUES {values}) AS v WHERE offers.id = v.column1",
    again: Again::Replaces,
};

pub(super) fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) {
    match fact {
        Fact::AgentState { agent, state, reason } => to.set(&STATE, args![*agent, word(state), reason, place.at]),
        Fact::Offered { offer, session, agent, queue, context } => {
            to.add(&OFFERED, args![*offer, *session, *agent, *queue, context, "ringing", place.at]);
        }
        Fact::OfferEnded { offer, end, .. } => to.set(&ENDED, args![*offer, word(end), place.at]),
        _ => {}
    }
}

fn status(row: &Row) -> Result<AgentStatus, Error> {
    Ok(AgentStatus { agent: row.text("agent")?, state: row.text("state")?, reason: row.opt_text("reason")?, since: row.time("since")? })
}

fn offer(row: &Row) -> Result<Offer, Error> {
    Ok(Offer {
        id: row.text("id")?,
        session: row.text("session")?,
        agent: row.text("agent")?,
        queue: row.text("queue")?,
        context: row.json("context")?,
        state: row.text("state")?,
        offered_at: row.time("offered_at")?,
        ended_at: row.opt_time("ended_at")?,
    })
}

impl Store {
    /// The states of all agents that ever had one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn agent_states(&self) -> Result<Vec<AgentStatus>, Error> {
        self.db.rows("SELECT * FROM agent_states ORDER BY agent", args![]).await?.iter().map(status).collect()
    }

    /// The state of one agent.
    ///
    /// # Errors
    /// What the database says.
    pub async fn agent_state(&self, agent: &str) -> Result<Option<AgentStatus>, Error> {
        self.db.row("SELECT * FROM agent_states WHERE agent = $1", args![agent]).await?.as_ref().map(status).transpose()
    }

    /// An offer by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn offer(&self, id: &str) -> Result<Option<Offer>, Error> {
        self.db.row("SELECT * FROM offers WHERE id = $1", args![id]).await?.as_ref().map(offer).transpose()
    }

    /// Offers, newest first, to one agent, of one session and in one state when given.
    ///
    /// # Errors
    /// What the database says.
    pub async fn offers(
        &self,
        agent: Option<&str>,
        session: Option<&str>,
        state: Option<&str>,
        slice: &Slice,
    ) -> Result<Page<Offer>, Error> {
        let sql = "SELECT * FROM offers WHERE ($1 IS NULL OR id < $1) AND ($2 IS NULL OR agent = $2) AND ($3 IS NULL OR session = $3) \
                   AND ($4 IS NULL OR state = $4) ORDER BY id DESC LIMIT $5";
        let rows = self.db.rows(sql, args![&slice.cursor, agent, session, state, slice.probe()]).await?;
        slice.page(&rows, offer, |it| it.id.clone())
    }
}
