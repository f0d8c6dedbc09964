//! How trunks are. What they are stands in the configuration.

use super::changes::{Again, Changes, Set};
use super::db::Row;
use super::fold::Place;
use super::{Error, Store};
use crate::args;
use crate::control::event::Fact;

/// A trunk's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkState {
    /// Its name.
    pub trunk: String,
    /// `unknown up down`
    pub state: String,
    /// Why it is down.
    pub why: Option<String>,
    /// RFC 3339.
    pub since: String,
}

static STATE: Set = Set {
    table: "trunk_states",
    sql: "INSERT INTO trunk_states (trunk, state, why, since) SELECT v.column1, v.column2, v.column3, v.column4 \
          FROM (VALUES {values}) AS v WHERE v.column1 IS NOT NULL \
          ON CONFLICT (trunk) DO UPDATE SET state = excluded.state, why = excluded.why, since = excluded.since",
    again: Again::Replaces,
};

pub(super) fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) {
    if let Fact::TrunkState { trunk, state, why } = fact {
        to.set(&STATE, args![trunk, state, why, place.at]);
    }
}

fn state(row: &Row) -> Result<TrunkState, Error> {
    Ok(TrunkState { trunk: row.text("trunk")?, state: row.text("state")?, why: row.opt_text("why")?, since: row.time("since")? })
}

impl Store {
    /// The states of all trunks that ever had one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn trunk_states(&self) -> Result<Vec<TrunkState>, Error> {
        self.db.rows("SELECT * FROM trunk_states ORDER BY trunk", args![]).await?.iter().map(state).collect()
    }
}
