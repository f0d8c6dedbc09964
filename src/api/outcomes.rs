//! `/v1/left_messages`, `/v1/callbacks`, `/v1/evaluations`, `/v1/scorecards`: what sessions leave behind.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Caller;
use super::extract::{Body, Query, id};
use super::problem::{Problem, Refused};
use crate::control::event::Fact;
use crate::store::outcomes::{Callback, Evaluation, LeftMessage};
use crate::store::page::{Page, Slice};

const CALLBACK_UNKNOWN: &str = "callback_unknown";

/// Which of them.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfSession {
    /// Of this session.
    pub session: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500, usually 50.
    pub limit: Option<i64>,
}

/// Which callbacks.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InState {
    /// `promised done cancelled`
    pub state: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500, usually 50.
    pub limit: Option<i64>,
}

/// A callback's state.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallbackWord {
    /// Still to do.
    Promised,
    /// The customer was reached.
    Done,
    /// It is not needed any more.
    Cancelled,
}

/// A change of a callback.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCallbackState {
    /// To what.
    pub state: CallbackWord,
}

/// A scorecard that sessions are measured by.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Scorecard {
    /// `name@version`
    pub id: String,
    /// The name people see.
    pub title: String,
    /// How many rules it has.
    pub rules: usize,
}

/// All scorecards in use.
#[derive(Serialize, ToSchema)]
pub struct Scorecards {
    /// By id.
    pub data: Vec<Scorecard>,
}

/// Messages left, newest first.
#[utoipa::path(get, path = "/v1/left_messages", tag = "left_messages", params(OfSession),
    responses((status = 200, body = Page<LeftMessage>), Refused))]
pub async fn left_messages(
    State(state): State<ApiState>,
    caller: Caller,
    Query(query): Query<OfSession>,
) -> Result<Json<Page<LeftMessage>>, Problem> {
    caller.may("left_messages:read")?;
    let slice = Slice { cursor: query.cursor, limit: query.limit };
    Ok(Json(state.store.left_messages(query.session.as_deref(), &slice).await?))
}

/// A message left.
#[utoipa::path(get, path = "/v1/left_messages/{id}", tag = "left_messages", params(("id" = String, Path)),
    responses((status = 200, body = LeftMessage), Refused))]
pub async fn left_message(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<LeftMessage>, Problem> {
    caller.may("left_messages:read")?;
    state.store.left_message(&id).await?.map(Json).ok_or_else(|| Problem::unknown("left_message_unknown", &id))
}

/// Callbacks, newest first.
#[utoipa::path(get, path = "/v1/callbacks", tag = "callbacks", params(InState), responses((status = 200, body = Page<Callback>), Refused))]
pub async fn callbacks(
    State(state): State<ApiState>,
    caller: Caller,
    Query(query): Query<InState>,
) -> Result<Json<Page<Callback>>, Problem> {
    caller.may("callbacks:read")?;
    let slice = Slice { cursor: query.cursor, limit: query.limit };
    Ok(Json(state.store.callbacks(query.state.as_deref(), &slice).await?))
}

async fn load(state: &ApiState, id: &str) -> Result<Callback, Problem> {
    state.store.callback(id).await?.ok_or_else(|| Problem::unknown(CALLBACK_UNKNOWN, id))
}

/// A callback.
#[utoipa::path(get, path = "/v1/callbacks/{id}", tag = "callbacks", params(("id" = String, Path)),
    responses((status = 200, body = Callback), Refused))]
pub async fn callback(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Callback>, Problem> {
    caller.may("callbacks:read")?;
    Ok(Json(load(&state, &id).await?))
}

/// Marks a callback as done or cancelled.
#[utoipa::path(patch, path = "/v1/callbacks/{id}", tag = "callbacks", params(("id" = String, Path)), request_body = NewCallbackState,
    responses((status = 200, body = Callback), Refused))]
pub async fn change_callback(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(new): Body<NewCallbackState>,
) -> Result<Json<Callback>, Problem> {
    caller.may("callbacks:write")?;
    let _turn = state.turns.of(&text).await;
    load(&state, &text).await?;
    let callback = id(CALLBACK_UNKNOWN, &text)?;
    state.record(vec![Fact::CallbackState { callback, state: crate::store::word(&new.state) }]).await?;
    Ok(Json(load(&state, &text).await?))
}

/// Evaluations, newest first.
#[utoipa::path(get, path = "/v1/evaluations", tag = "evaluations", params(OfSession),
    responses((status = 200, body = Page<Evaluation>), Refused))]
pub async fn evaluations(
    State(state): State<ApiState>,
    caller: Caller,
    Query(query): Query<OfSession>,
) -> Result<Json<Page<Evaluation>>, Problem> {
    caller.may("evaluations:read")?;
    let slice = Slice { cursor: query.cursor, limit: query.limit };
    Ok(Json(state.store.evaluations(query.session.as_deref(), &slice).await?))
}

/// An evaluation: each rule's verdict with its evidence.
#[utoipa::path(get, path = "/v1/evaluations/{id}", tag = "evaluations", params(("id" = String, Path)),
    responses((status = 200, body = Evaluation), Refused))]
pub async fn evaluation(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Evaluation>, Problem> {
    caller.may("evaluations:read")?;
    state.store.evaluation(&id).await?.map(Json).ok_or_else(|| Problem::unknown("evaluation_unknown", &id))
}

/// The scorecards that sessions are measured by.
#[utoipa::path(get, path = "/v1/scorecards", tag = "scorecards", responses((status = 200, body = Scorecards), Refused))]
pub async fn scorecards(State(state): State<ApiState>, caller: Caller) -> Result<Json<Scorecards>, Problem> {
    caller.may("evaluations:read")?;
    Ok(Json(Scorecards { data: state.scorecards.to_vec() }))
}
