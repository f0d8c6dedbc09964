//! People who come into a running call: `/v1/sessions/{id}/supervision` (listen, whisper, barge) and `/v1/sessions/{id}/consult`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::auth::Caller;
use super::extract::{Body, id};
use super::problem::{Problem, Refused};
use super::reach::{denied, within};
use super::sessions::{UNKNOWN, load};
use crate::control::words::agent::{AgentCommand, ConsultEnd, Supervision};
use crate::control::words::media::Masking;
use crate::control::words::{AgentId, SessionId};
use crate::store::sessions::Session;

const SCOPE: &str = "supervisions:write";

/// What he does, for the OpenAPI document.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SupervisionMode {
    /// He hears all; nobody hears him.
    Listen,
    /// The agent hears him, the customer does not.
    Whisper,
    /// All hear him.
    Barge,
}

/// A supervision as it is wished.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WishedSupervision {
    /// Whose phone rings: id or user name. A key of an agent's own is his; he may leave it out.
    pub supervisor: Option<String>,
    /// `listen`, `whisper` or `barge`.
    #[schema(value_type = SupervisionMode)]
    pub mode: Supervision,
}

/// Whom to ask.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsult {
    /// A user, an extension, a number or a SIP URI.
    pub to: String,
}

/// Is the recording to be masked?
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WishedMask {
    /// Noise instead of what is said.
    pub masked: bool,
}

async fn shown(state: &ApiState, text: &str, command: AgentCommand) -> Result<Json<Session>, Problem> {
    state.command(command).await?;
    Ok(Json(load(state, text).await?))
}

/// The open or closed session of a path.
async fn known(state: &ApiState, text: &str) -> Result<SessionId, Problem> {
    load(state, text).await?;
    id(UNKNOWN, text)
}

/// Whose phone rings: his whose key it is, or whom an integration names.
async fn supervisor(state: &ApiState, caller: &Caller, session: &str, named: Option<&str>) -> Result<AgentId, Problem> {
    let named = named.map(|named| state.agent(named)).transpose()?;
    match (caller.agent(), named) {
        (None, Some(named)) => Ok(named),
        (Some(own), None) => Ok(own),
        (Some(own), Some(named)) if own == named => Ok(own),
        (Some(_), Some(_)) => Err(denied(state, caller, session, "supervision by another agent").await?),
        (None, None) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "field_invalid", "supervisor: whose phone is to ring?")),
    }
}

/// Rings a supervisor's phone and brings him into the call, or changes what he does there.
#[utoipa::path(put, path = "/v1/sessions/{id}/supervision", tag = "sessions", params(("id" = String, Path)), request_body = WishedSupervision,
    responses((status = 200, body = Session), Refused))]
pub async fn supervise(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(wish): Body<WishedSupervision>,
) -> Result<Json<Session>, Problem> {
    caller.may(SCOPE)?;
    let session = known(&state, &text).await?;
    let supervisor = supervisor(&state, &caller, &text, wish.supervisor.as_deref()).await?;
    shown(&state, &text, AgentCommand::Supervise { session, supervisor, mode: wish.mode }).await
}

/// The supervisor leaves the call.
#[utoipa::path(delete, path = "/v1/sessions/{id}/supervision", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Session), Refused))]
pub async fn leave(State(state): State<ApiState>, caller: Caller, Path(text): Path<String>) -> Result<Json<Session>, Problem> {
    caller.may(SCOPE)?;
    let session = known(&state, &text).await?;
    shown(&state, &text, AgentCommand::EndSupervision { session, by: caller.agent() }).await
}

/// The agent asks somebody while the customer hears music.
#[utoipa::path(post, path = "/v1/sessions/{id}/consult", tag = "sessions", params(("id" = String, Path)), request_body = NewConsult,
    responses((status = 200, body = Session), Refused))]
pub async fn consult(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(new): Body<NewConsult>,
) -> Result<Json<Session>, Problem> {
    caller.may("sessions:write")?;
    let session = known(&state, &text).await?;
    shown(&state, &text, AgentCommand::Consult { session, to: new.to }).await
}

async fn end(state: ApiState, caller: Caller, text: String, how: ConsultEnd) -> Result<Json<Session>, Problem> {
    caller.may("sessions:write")?;
    let session = known(&state, &text).await?;
    shown(&state, &text, AgentCommand::EndConsult { session, how }).await
}

/// Masks the recording from here on, or no more: noise stands in it, and `recording.masked` on the timeline.
#[utoipa::path(put, path = "/v1/sessions/{id}/recording/mask", tag = "recordings", params(("id" = String, Path)), request_body = WishedMask,
    responses((status = 200, body = Session), Refused))]
pub async fn mask(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(wish): Body<WishedMask>,
) -> Result<Json<Session>, Problem> {
    caller.may("recordings:write")?;
    let session = known(&state, &text).await?;
    within(&state, &caller, &text, "the recording").await?;
    let masking = if wish.masked { Masking::On } else { Masking::Off };
    shown(&state, &text, AgentCommand::MaskRecording { session, masking }).await
}

/// Who was asked leaves; the agent has the customer again.
#[utoipa::path(delete, path = "/v1/sessions/{id}/consult", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Session), Refused))]
pub async fn cancel(State(state): State<ApiState>, caller: Caller, Path(text): Path<String>) -> Result<Json<Session>, Problem> {
    end(state, caller, text, ConsultEnd::Cancel).await
}

/// All three speak with each other.
#[utoipa::path(post, path = "/v1/sessions/{id}/consult/conference", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Session), Refused))]
pub async fn conference(State(state): State<ApiState>, caller: Caller, Path(text): Path<String>) -> Result<Json<Session>, Problem> {
    end(state, caller, text, ConsultEnd::Conference).await
}

/// The agent leaves; who was asked has the customer.
#[utoipa::path(post, path = "/v1/sessions/{id}/consult/transfer", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Session), Refused))]
pub async fn complete(State(state): State<ApiState>, caller: Caller, Path(text): Path<String>) -> Result<Json<Session>, Problem> {
    end(state, caller, text, ConsultEnd::Transfer).await
}
