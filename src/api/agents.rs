//! `/v1/agents`, `/v1/offers`, `/v1/queues`: who works, what rings, who waits.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Caller;
use super::extract::{Body, Query, id};
use super::problem::{Problem, Refused};
use crate::clock::now;
use crate::control::words::agent::{AgentCommand, AgentState};
use crate::control::words::directory;
use crate::store::agents::{AgentStatus, Offer};
use crate::store::page::{Page, Slice};
use crate::store::queues::{QueueDay, Waiting};

const OFFER_UNKNOWN: &str = "offer_unknown";
const DAY_MICROS: u64 = 24 * 3_600 * 1_000_000;

/// An agent: who he is by the configuration, and what he does now.
#[derive(Serialize, ToSchema)]
pub struct Agent {
    /// `agt_…`
    pub id: String,
    /// His user name.
    pub user: String,
    /// The name people see.
    pub name: String,
    /// What others dial.
    pub extension: Option<String>,
    /// Skill → level 1 to 10.
    #[schema(value_type = Object)]
    pub skills: std::collections::BTreeMap<String, u8>,
    /// The queues he serves.
    pub queues: Vec<String>,
    /// What he may carry at once.
    pub capacity: f32,
    /// `offline available busy away wrap_up`
    pub state: String,
    /// Why he is away.
    pub reason: Option<String>,
    /// Since when, RFC 3339.
    pub since: Option<String>,
}

/// All agents.
#[derive(Serialize, ToSchema)]
pub struct Agents {
    /// By user name.
    pub data: Vec<Agent>,
}

/// What an agent may wish for, for the OpenAPI document; the rest follows from what he holds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WishedState {
    /// He may be offered sessions.
    Available,
    /// On a break.
    Away,
    /// Not at work.
    Offline,
}

/// The agent's own wish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgentState {
    /// `available`, `away` or `offline`.
    #[schema(value_type = WishedState)]
    pub state: AgentState,
    /// Why he is away.
    pub reason: Option<String>,
}

/// A queue with who waits and what it did today (UTC).
#[derive(Serialize, ToSchema)]
pub struct Queue {
    /// `que_…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// In the order of service.
    pub waiting: Vec<Waiting>,
    /// Agents that serve it, by state.
    #[schema(value_type = Object)]
    pub agents: std::collections::BTreeMap<String, usize>,
    /// Since midnight.
    pub today: QueueDay,
}

/// All queues.
#[derive(Serialize, ToSchema)]
pub struct Queues {
    /// By name.
    pub data: Vec<Queue>,
}

/// Which offers.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// To this agent: id or user name.
    pub agent: Option<String>,
    /// Of this session.
    pub session: Option<String>,
    /// `ringing accepted rejected timed_out withdrawn`
    pub state: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500, usually 50.
    pub limit: Option<i64>,
}

fn agent(known: &directory::Agent, status: Option<AgentStatus>) -> Agent {
    let (state, reason, since) =
        status.map_or_else(|| ("offline".to_owned(), None, None), |status| (status.state, status.reason, Some(status.since)));
    Agent {
        id: known.id.to_string(),
        user: known.user.clone(),
        name: known.name.clone(),
        extension: known.extension.clone(),
        skills: known.skills.clone(),
        queues: known.queues.iter().map(ToString::to_string).collect(),
        capacity: known.capacity,
        state,
        reason,
        since,
    }
}

/// All agents with their states.
#[utoipa::path(get, path = "/v1/agents", tag = "agents", responses((status = 200, body = Agents), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller) -> Result<Json<Agents>, Problem> {
    caller.may("agents:read")?;
    let directory = state.directory();
    let mut states = state.store.agent_states().await?;
    let mut take = |id: String| states.iter().position(|status| status.agent == id).map(|at| states.swap_remove(at));
    let mut data: Vec<Agent> = directory.agents.values().map(|known| agent(known, take(known.id.to_string()))).collect();
    data.sort_by(|a, b| a.user.cmp(&b.user));
    Ok(Json(Agents { data }))
}

async fn load(state: &ApiState, text: &str) -> Result<Agent, Problem> {
    let id = state.agent(text)?;
    let directory = state.directory();
    let known = directory.agents.get(&id).ok_or_else(|| Problem::unknown("agent_unknown", text))?;
    Ok(agent(known, state.store.agent_state(&id.to_string()).await?))
}

/// An agent by id or user name.
#[utoipa::path(get, path = "/v1/agents/{id}", tag = "agents", params(("id" = String, Path)), responses((status = 200, body = Agent), Refused))]
pub async fn one(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Agent>, Problem> {
    caller.may("agents:read")?;
    Ok(Json(load(&state, &id).await?))
}

/// Sets an agent's state.
#[utoipa::path(put, path = "/v1/agents/{id}/state", tag = "agents", params(("id" = String, Path)), request_body = NewAgentState,
    responses((status = 200, body = Agent), Refused))]
pub async fn set_state(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(new): Body<NewAgentState>,
) -> Result<Json<Agent>, Problem> {
    caller.may("agents:write")?;
    let agent = state.agent(&text)?;
    if matches!(new.state, AgentState::Busy | AgentState::WrapUp) {
        return Err(Problem::bad("field_invalid", "state: an agent may wish for available, away or offline"));
    }
    state.command(AgentCommand::SetState { agent, state: new.state, reason: new.reason }).await?;
    Ok(Json(load(&state, &text).await?))
}

/// Ends an agent's wrap-up.
#[utoipa::path(post, path = "/v1/agents/{id}/ready", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = Agent), Refused))]
pub async fn ready(State(state): State<ApiState>, caller: Caller, Path(text): Path<String>) -> Result<Json<Agent>, Problem> {
    caller.may("agents:write")?;
    state.command(AgentCommand::Ready { agent: state.agent(&text)? }).await?;
    Ok(Json(load(&state, &text).await?))
}

/// Offers, newest first.
#[utoipa::path(get, path = "/v1/offers", tag = "offers", params(Listing), responses((status = 200, body = Page<Offer>), Refused))]
pub async fn offers(State(state): State<ApiState>, caller: Caller, Query(query): Query<Listing>) -> Result<Json<Page<Offer>>, Problem> {
    caller.may("offers:read")?;
    let agent = query.agent.as_deref().map(|agent| state.agent(agent).map(|agent| agent.to_string())).transpose()?;
    let slice = Slice { cursor: query.cursor, limit: query.limit };
    Ok(Json(state.store.offers(agent.as_deref(), query.session.as_deref(), query.state.as_deref(), &slice).await?))
}

async fn load_offer(state: &ApiState, id: &str) -> Result<Offer, Problem> {
    state.store.offer(id).await?.ok_or_else(|| Problem::unknown(OFFER_UNKNOWN, id))
}

/// An offer with its screen pop.
#[utoipa::path(get, path = "/v1/offers/{id}", tag = "offers", params(("id" = String, Path)), responses((status = 200, body = Offer), Refused))]
pub async fn offer(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Offer>, Problem> {
    caller.may("offers:read")?;
    Ok(Json(load_offer(&state, &id).await?))
}

/// Takes an offered chat.
#[utoipa::path(post, path = "/v1/offers/{id}/accept", tag = "offers", params(("id" = String, Path)), responses((status = 200, body = Offer), Refused))]
pub async fn accept(State(state): State<ApiState>, caller: Caller, Path(text): Path<String>) -> Result<Json<Offer>, Problem> {
    caller.may("offers:write")?;
    state.command(AgentCommand::Accept { offer: id(OFFER_UNKNOWN, &text)? }).await?;
    Ok(Json(load_offer(&state, &text).await?))
}

/// Declines an offer.
#[utoipa::path(post, path = "/v1/offers/{id}/reject", tag = "offers", params(("id" = String, Path)), responses((status = 200, body = Offer), Refused))]
pub async fn reject(State(state): State<ApiState>, caller: Caller, Path(text): Path<String>) -> Result<Json<Offer>, Problem> {
    caller.may("offers:write")?;
    state.command(AgentCommand::Reject { offer: id(OFFER_UNKNOWN, &text)? }).await?;
    Ok(Json(load_offer(&state, &text).await?))
}

async fn live(state: &ApiState, known: &directory::Queue, states: &[AgentStatus]) -> Result<Queue, Problem> {
    let id = known.id.to_string();
    let mut agents = std::collections::BTreeMap::new();
    for agent in state.directory().agents.values().filter(|agent| agent.queues.contains(&known.id)) {
        let own = agent.id.to_string();
        let word = states.iter().find(|status| status.agent == own).map_or("offline", |status| status.state.as_str());
        *agents.entry(word.to_owned()).or_insert(0) += 1;
    }
    let midnight = now().0 / DAY_MICROS * DAY_MICROS;
    let (waiting, today) = (state.store.waiting(&id).await?, state.store.queue_day(&id, midnight).await?);
    Ok(Queue { id, name: known.name.clone(), waiting, agents, today })
}

/// All queues, live.
#[utoipa::path(get, path = "/v1/queues", tag = "queues", responses((status = 200, body = Queues), Refused))]
pub async fn queues(State(state): State<ApiState>, caller: Caller) -> Result<Json<Queues>, Problem> {
    caller.may("queues:read")?;
    let (directory, states, mut data) = (state.directory(), state.store.agent_states().await?, Vec::new());
    for known in directory.queues.values() {
        data.push(live(&state, known, &states).await?);
    }
    data.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(Queues { data }))
}

/// A queue by id or name, live.
#[utoipa::path(get, path = "/v1/queues/{id}", tag = "queues", params(("id" = String, Path)), responses((status = 200, body = Queue), Refused))]
pub async fn queue(State(state): State<ApiState>, caller: Caller, Path(text): Path<String>) -> Result<Json<Queue>, Problem> {
    caller.may("queues:read")?;
    let id = state.queue(&text)?;
    let directory = state.directory();
    let known = directory.queues.get(&id).ok_or_else(|| Problem::unknown("queue_unknown", &text))?;
    let states = state.store.agent_states().await?;
    Ok(Json(live(&state, known, &states).await?))
}
