//! How far the key of an agent reaches: to his own sessions, and to those of the teams he leads. What he tried beyond stands in the log.

use axum::http::StatusCode;

use super::ApiState;
use super::auth::Caller;
use super::problem::Problem;
use super::sessions::load;
use crate::control::event::Fact;
use crate::control::words::AgentId;
use crate::control::words::directory::{ALL_TEAMS, Directory};
use crate::store::recordings::Served;

/// May this key have `what` of a session? A key that is no agent's may what its scopes say.
///
/// # Errors
/// 403 `not_permitted`, with `access.denied` in the log.
pub(super) async fn within(state: &ApiState, caller: &Caller, session: &str, what: &str) -> Result<(), Problem> {
    let Some(own) = caller.agent() else { return Ok(()) };
    let served: Option<AgentId> = load(state, session).await?.whereabouts.agent.and_then(|agent| agent.parse().ok());
    let directory = state.directory();
    let reaches = match served {
        Some(agent) => agent == own || directory.leads(own, agent),
        None => leads_all(&directory, own),
    };
    if reaches { Ok(()) } else { Err(denied(state, caller, session, what).await?) }
}

fn leads_all(directory: &Directory, agent: AgentId) -> bool {
    directory.agents.get(&agent).is_some_and(|agent| agent.team.leads.iter().any(|team| team == ALL_TEAMS))
}

/// Whose sessions this key reaches: what [`within`] lets through one by one. `None`: all of them.
pub(super) fn served(state: &ApiState, caller: &Caller) -> Option<Served> {
    let own = caller.agent()?;
    let directory = state.directory();
    let led = directory.agents.keys().copied().filter(|agent| directory.leads(own, *agent));
    let served = Served::by(led.chain([own]));
    Some(if leads_all(&directory, own) { served.or_nobody() } else { served })
}

/// The refusal, once it stands in the log.
///
/// # Errors
/// 503 when it cannot be written down.
pub(super) async fn denied(state: &ApiState, caller: &Caller, id: &str, what: &str) -> Result<Problem, Problem> {
    let (key, what_id) = (caller.0.name.clone(), id.to_owned());
    state.record(vec![Fact::AccessDenied { key, agent: caller.agent(), what: what.to_owned(), id: what_id }]).await?;
    let detail = format!("{what} of {id} is neither this agent's own nor of a team he leads (`leads` in phones.toml)");
    Ok(Problem::new(StatusCode::FORBIDDEN, "not_permitted", detail))
}
