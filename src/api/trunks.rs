//! `/v1/trunks`: the ways to the outside, and how they are.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::auth::Caller;
use super::problem::{Problem, Refused};
use crate::control::words::agent::{AgentCommand, Reply};
use crate::control::words::directory::Directory;
use crate::control::words::trunk;
use crate::store::trunks::TrunkState;

/// A trunk: what it is by the configuration, and how it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trunk {
    /// Its name.
    pub name: String,
    /// `register`: we register there; `address`: they know us by our address.
    pub kind: String,
    /// The far end, host by host.
    pub hosts: Vec<String>,
    /// The groups it is of.
    pub groups: Vec<String>,
    /// `unknown up down`; a trunk that is never asked and where we do not register stays unknown.
    pub state: String,
    /// Why it is down.
    pub why: Option<String>,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Calls now, both ways; null when no server runs.
    pub calls: Option<u32>,
    /// The most calls at once, both ways.
    pub max_calls: Option<u32>,
    /// The most new calls a second that we place.
    pub calls_per_second: Option<u32>,
}

/// All trunks.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Trunks {
    /// By name.
    pub data: Vec<Trunk>,
}

/// All trunks with their states.
#[utoipa::path(get, path = "/v1/trunks", tag = "calls", responses((status = 200, body = Trunks), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller) -> Result<Json<Trunks>, Problem> {
    caller.may("calls:read")?;
    let states = state.store.trunk_states().await?;
    match state.control.command(AgentCommand::Count).await? {
        Reply::Counts(counts) => Ok(Json(of(&state.directory(), &states, &counts.trunks))),
        other => Err(Problem::unexpected(&other)),
    }
}

/// The trunks of a configuration with what is known of them.
#[must_use]
pub fn of(directory: &Directory, states: &[TrunkState], loads: &[(String, u32)]) -> Trunks {
    Trunks { data: directory.trunks.values().map(|trunk| one(directory, trunk, states, loads)).collect() }
}

fn one(directory: &Directory, trunk: &trunk::Trunk, states: &[TrunkState], loads: &[(String, u32)]) -> Trunk {
    let known = states.iter().find(|state| state.trunk == trunk.name);
    let of_group = |group: &&trunk::Group| group.trunks.iter().any(|choice| choice.to == trunk.name);
    Trunk {
        name: trunk.name.clone(),
        kind: if trunk.registers.is_some() { "register" } else { "address" }.to_owned(),
        hosts: trunk.hosts.iter().map(|host| host.to.to_string()).collect(),
        groups: directory.trunk_groups.values().filter(of_group).map(|group| group.name.clone()).collect(),
        state: known.map_or("unknown", |state| &state.state).to_owned(),
        why: known.and_then(|state| state.why.clone()),
        since: known.map(|state| state.since.clone()),
        calls: loads.iter().find(|(name, _)| *name == trunk.name).map(|(_, calls)| *calls),
        max_calls: trunk.bounds.calls,
        calls_per_second: trunk.bounds.per_second,
    }
}
