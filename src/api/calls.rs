//! `/v1/calls`: the telephone side of sessions.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Caller;
use super::extract::{Body, Query};
use super::problem::{Problem, Refused};
use crate::control::words::agent::{AgentCommand, Reply};
use crate::store::calls::{Call, Leg};
use crate::store::page::{Page, Slice};

const UNKNOWN: &str = "call_unknown";

/// Which calls.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// `started answered bridged ended`
    pub state: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500, usually 50.
    pub limit: Option<i64>,
}

/// A call to be placed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCall {
    /// A SIP URI or a number.
    pub to: String,
    /// Which entry of the center the callee lands at.
    pub entry: String,
}

/// The session that was begun.
#[derive(Serialize, ToSchema)]
pub struct Begun {
    /// `ses_…`
    pub session: String,
}

/// The legs of a call.
#[derive(Serialize, ToSchema)]
pub struct Legs {
    /// Oldest first.
    pub data: Vec<Leg>,
}

/// Calls, newest first.
#[utoipa::path(get, path = "/v1/calls", tag = "calls", params(Listing), responses((status = 200, body = Page<Call>), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller, Query(query): Query<Listing>) -> Result<Json<Page<Call>>, Problem> {
    caller.may("calls:read")?;
    Ok(Json(state.store.calls(query.state.as_deref(), &Slice { cursor: query.cursor, limit: query.limit }).await?))
}

/// A call.
#[utoipa::path(get, path = "/v1/calls/{id}", tag = "calls", params(("id" = String, Path)), responses((status = 200, body = Call), Refused))]
pub async fn one(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Call>, Problem> {
    caller.may("calls:read")?;
    state.store.call(&id).await?.map(Json).ok_or_else(|| Problem::unknown(UNKNOWN, &id))
}

/// The legs of a call with their packet counts.
#[utoipa::path(get, path = "/v1/calls/{id}/legs", tag = "calls", params(("id" = String, Path)), responses((status = 200, body = Legs), Refused))]
pub async fn legs(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Legs>, Problem> {
    caller.may("calls:read")?;
    if state.store.call(&id).await?.is_none() {
        return Err(Problem::unknown(UNKNOWN, &id));
    }
    Ok(Json(Legs { data: state.store.legs(&id).await? }))
}

/// Places a call.
#[utoipa::path(post, path = "/v1/calls", tag = "calls", request_body = NewCall, responses((status = 202, body = Begun), Refused))]
pub async fn originate(
    State(state): State<ApiState>,
    caller: Caller,
    Body(new): Body<NewCall>,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    caller.may("calls:write")?;
    match state.command(AgentCommand::Originate { to: new.to, entry: new.entry, by: Some(caller.0.name.clone()) }).await? {
        Reply::Session(session) => Ok((StatusCode::ACCEPTED, Json(Begun { session: session.to_string() }))),
        other => {
            tracing::error!(?other, "the rules answered a placed call with something else");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "unexpected_reply", "the call was placed, but its session is not known"))
        }
    }
}
