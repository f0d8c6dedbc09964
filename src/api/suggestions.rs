//! `/v1/suggestions`: what agents are advised, and what they make of it.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::ApiState;
use super::auth::Caller;
use super::extract::{Query, id};
use super::problem::{Problem, Refused};
use super::reach::{self, within};
use crate::control::words::agent::AgentCommand;
use crate::control::words::suggestion::Verdict;
use crate::store::page::{Page, Slice};
use crate::store::suggestions::{Suggestion, Wanted};

const UNKNOWN: &str = "suggestion_unknown";
const SESSION_UNKNOWN: &str = "session_unknown";

/// Which suggestions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// Of this session.
    pub session: Option<String>,
    /// `open accepted dismissed expired`
    pub state: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500, usually 50.
    pub limit: Option<i64>,
}

/// Suggestions, newest first; a key of an agent's own sees those of his sessions and of the teams he leads.
#[utoipa::path(get, path = "/v1/suggestions", tag = "suggestions", params(Listing),
    responses((status = 200, body = Page<Suggestion>), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller, Query(query): Query<Listing>) -> Result<Json<Page<Suggestion>>, Problem> {
    caller.may("suggestions:read")?;
    let slice = Slice { cursor: query.cursor, limit: query.limit };
    let wanted = Wanted { session: query.session, state: query.state, served: reach::served(&state, &caller) };
    Ok(Json(state.store.suggestions(&wanted, &slice).await?))
}

async fn load(state: &ApiState, text: &str) -> Result<Suggestion, Problem> {
    state.store.suggestion(text).await?.ok_or_else(|| Problem::unknown(UNKNOWN, text))
}

/// A suggestion.
#[utoipa::path(get, path = "/v1/suggestions/{id}", tag = "suggestions", params(("id" = String, Path)),
    responses((status = 200, body = Suggestion), Refused))]
pub async fn one(State(state): State<ApiState>, caller: Caller, Path(text): Path<String>) -> Result<Json<Suggestion>, Problem> {
    caller.may("suggestions:read")?;
    let found = load(&state, &text).await?;
    within(&state, &caller, &found.session, "the suggestion").await?;
    Ok(Json(found))
}

/// The agent takes it: in a chat it is said to the customer, as a message with the source `suggestion`.
#[utoipa::path(post, path = "/v1/suggestions/{id}/accept", tag = "suggestions", params(("id" = String, Path)),
    responses((status = 200, body = Suggestion), Refused))]
pub async fn accept(State(state): State<ApiState>, caller: Caller, Path(text): Path<String>) -> Result<Json<Suggestion>, Problem> {
    settle(&state, &caller, &text, Verdict::Accepted).await
}

/// The agent does without it.
#[utoipa::path(post, path = "/v1/suggestions/{id}/dismiss", tag = "suggestions", params(("id" = String, Path)),
    responses((status = 200, body = Suggestion), Refused))]
pub async fn dismiss(State(state): State<ApiState>, caller: Caller, Path(text): Path<String>) -> Result<Json<Suggestion>, Problem> {
    settle(&state, &caller, &text, Verdict::Dismissed).await
}

async fn settle(state: &ApiState, caller: &Caller, text: &str, verdict: Verdict) -> Result<Json<Suggestion>, Problem> {
    caller.may("suggestions:write")?;
    let found = load(state, text).await?;
    within(state, caller, &found.session, "the suggestion").await?;
    if found.fate.state != "open" {
        return Err(Problem::conflict("state_conflict", format!("the suggestion is {}", found.fate.state)));
    }
    let (suggestion, session) = (id(UNKNOWN, text)?, id(SESSION_UNKNOWN, &found.session)?);
    state.command(AgentCommand::SettleSuggestion { session, suggestion, by: caller.agent(), verdict }).await?;
    Ok(Json(load(state, text).await?))
}
