//! `/v1/sessions` and `/v1/conversations`: one model for calls and chats.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Caller;
use super::customers::Paging;
use super::extract::{Body, Query, field, id};
use super::problem::{Problem, Refused};
use crate::control::event::Fact;
use crate::control::words::agent::{AgentCommand, Reply};
use crate::control::words::chat::Content;
use crate::control::words::{AgentId, SessionId};
use crate::store::events::{Event, Span};
use crate::store::messages::Message;
use crate::store::page::{Page, Slice};
use crate::store::sessions::{Conversation, Session, Slot, Wanted};

pub(super) const UNKNOWN: &str = "session_unknown";
const CONVERSATION_UNKNOWN: &str = "conversation_unknown";
/// A trace is read whole; a longer one is cut, newest lines first to go.
const TRACE_LINES: i64 = 5_000;
/// Lines of a whole conversation given at once.
const CONVERSATION_LINES: i64 = 500;

/// Which sessions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// Of this customer.
    pub customer: Option<String>,
    /// Of this conversation.
    pub conversation: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// On this channel.
    pub channel: Option<String>,
    /// Last with this agent: id or user name.
    pub agent: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500, usually 50.
    pub limit: Option<i64>,
}

/// Which conversations.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConversationListing {
    /// Of this customer.
    pub customer: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500, usually 50.
    pub limit: Option<i64>,
}

/// A line to the customer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// Yours: the same one again gives the same message, for ever.
    pub client_id: String,
    /// Which agent says it: id or user name; absent = the API's owner.
    pub agent: Option<String>,
    /// `{"kind":"text","text":"…"}`, `media`, `location` or `card`.
    #[schema(value_type = super::channels::ContentShape)]
    pub content: Content,
}

/// Where to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The queue: id or name.
    pub queue: String,
}

/// How it is summed up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// The summary code.
    pub disposition: Option<String>,
}

/// The summary code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDisposition {
    /// The code.
    pub disposition: String,
    /// Who gives it: id or user name.
    pub agent: Option<String>,
}

/// What the plan asked and learned.
#[derive(Serialize, ToSchema)]
pub struct Slots {
    /// By name.
    pub data: Vec<Slot>,
}

/// Every fact of a session in order.
#[derive(Serialize, ToSchema)]
pub struct Trace {
    /// Nodes, understandings, slots, lookups, keys, states.
    pub data: Vec<Event>,
}

/// Lines of a conversation.
#[derive(Serialize, ToSchema)]
pub struct Lines {
    /// Oldest first.
    pub data: Vec<Message>,
}

pub(super) async fn load(state: &ApiState, id: &str) -> Result<Session, Problem> {
    state.store.session(id).await?.ok_or_else(|| Problem::unknown(UNKNOWN, id))
}

/// Sessions, newest first.
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", params(Listing), responses((status = 200, body = Page<Session>), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller, Query(query): Query<Listing>) -> Result<Json<Page<Session>>, Problem> {
    caller.may("sessions:read")?;
    let agent = query.agent.as_deref().map(|agent| state.agent(agent).map(|agent| agent.to_string())).transpose()?;
    let wanted = Wanted { customer: query.customer, conversation: query.conversation, state: query.state, channel: query.channel, agent };
    Ok(Json(state.store.sessions(&wanted, &Slice { cursor: query.cursor, limit: query.limit }).await?))
}

/// A session.
#[utoipa::path(get, path = "/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path)), responses((status = 200, body = Session), Refused))]
pub async fn one(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Session>, Problem> {
    caller.may("sessions:read")?;
    Ok(Json(load(&state, &id).await?))
}

/// What was said and written, oldest first; the cursor goes forward.
#[utoipa::path(get, path = "/v1/sessions/{id}/messages", tag = "sessions", params(("id" = String, Path), Paging),
    responses((status = 200, body = Page<Message>), Refused))]
pub async fn messages(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Message>>, Problem> {
    caller.may("messages:read")?;
    load(&state, &id).await?;
    Ok(Json(state.store.messages(&id, &paging.into()).await?))
}

/// Says a line to the customer. 201 when it is new, 200 when `client_id` came before.
#[utoipa::path(post, path = "/v1/sessions/{id}/messages", tag = "sessions", params(("id" = String, Path)), request_body = NewMessage,
    responses((status = 201, body = Message), (status = 200, body = Message), Refused))]
pub async fn say(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    caller.may("messages:write")?;
    let session: SessionId = id(UNKNOWN, &text)?;
    if let Some(before) = state.store.message_of_client(&text, &new.client_id).await? {
        return Ok((StatusCode::OK, Json(before)));
    }
    load(&state, &text).await?;
    let agent = new.agent.as_deref().map(|agent| state.agent(agent)).transpose()?;
    let command = AgentCommand::Say { session, client_id: new.client_id.clone(), agent, content: new.content };
    let replayed = matches!(state.control.command(command).await?, Reply::Message { replayed: true, .. });
    state.settled().await?;
    let message = state.store.message_of_client(&text, &new.client_id).await?;
    let message = message
        .ok_or_else(|| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_behind", "the message is accepted but not yet readable"))?;
    Ok((if replayed { StatusCode::OK } else { StatusCode::CREATED }, Json(message)))
}

/// Every fact of a session in order: why it went where it went.
#[utoipa::path(get, path = "/v1/sessions/{id}/trace", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Trace), Refused))]
pub async fn trace(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Trace>, Problem> {
    caller.may("sessions:read")?;
    load(&state, &id).await?;
    let span = Span { after: 0, limit: TRACE_LINES, session: Some(id), kind: None };
    Ok(Json(Trace { data: state.store.events(&span).await? }))
}

/// What the plan asked and learned.
#[utoipa::path(get, path = "/v1/sessions/{id}/slots", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Slots), Refused))]
pub async fn slots(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Slots>, Problem> {
    caller.may("sessions:read")?;
    load(&state, &id).await?;
    Ok(Json(Slots { data: state.store.slots(&id).await? }))
}

/// Sets the summary code, also after the end.
#[utoipa::path(put, path = "/v1/sessions/{id}/disposition", tag = "sessions", params(("id" = String, Path)), request_body = NewDisposition,
    responses((status = 200, body = Session), Refused))]
pub async fn disposition(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(new): Body<NewDisposition>,
) -> Result<Json<Session>, Problem> {
    caller.may("sessions:write")?;
    load(&state, &text).await?;
    let agent: Option<AgentId> = new.agent.as_deref().map(|agent| state.agent(agent)).transpose()?;
    let session = id(UNKNOWN, &text)?;
    state.record(vec![Fact::Disposition { session, disposition: new.disposition, agent }]).await?;
    Ok(Json(load(&state, &text).await?))
}

/// Ends a session.
#[utoipa::path(post, path = "/v1/sessions/{id}/close", tag = "sessions", params(("id" = String, Path)), request_body = Closing,
    responses((status = 200, body = Session), Refused))]
pub async fn close(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(closing): Body<Closing>,
) -> Result<Json<Session>, Problem> {
    caller.may("sessions:write")?;
    load(&state, &text).await?;
    let session = id(UNKNOWN, &text)?;
    state.command(AgentCommand::Close { session, disposition: closing.disposition }).await?;
    Ok(Json(load(&state, &text).await?))
}

/// Hands a session to a queue.
#[utoipa::path(post, path = "/v1/sessions/{id}/transfer", tag = "sessions", params(("id" = String, Path)), request_body = Transfer,
    responses((status = 200, body = Session), Refused))]
pub async fn transfer(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(to): Body<Transfer>,
) -> Result<Json<Session>, Problem> {
    caller.may("sessions:write")?;
    load(&state, &text).await?;
    let queue = state.queue(&to.queue)?;
    state.command(AgentCommand::Transfer { session: id(UNKNOWN, &text)?, queue }).await?;
    Ok(Json(load(&state, &text).await?))
}

/// Conversations, newest first.
#[utoipa::path(get, path = "/v1/conversations", tag = "conversations", params(ConversationListing),
    responses((status = 200, body = Page<Conversation>), Refused))]
pub async fn conversations(
    State(state): State<ApiState>,
    caller: Caller,
    Query(query): Query<ConversationListing>,
) -> Result<Json<Page<Conversation>>, Problem> {
    caller.may("sessions:read")?;
    if let Some(customer) = query.customer.as_deref() {
        field::<crate::control::words::CustomerId>("customer", customer)?;
    }
    let slice = Slice { cursor: query.cursor, limit: query.limit };
    Ok(Json(state.store.conversations(query.customer.as_deref(), &slice).await?))
}

/// A conversation.
#[utoipa::path(get, path = "/v1/conversations/{id}", tag = "conversations", params(("id" = String, Path)),
    responses((status = 200, body = Conversation), Refused))]
pub async fn conversation(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Conversation>, Problem> {
    caller.may("sessions:read")?;
    state.store.conversation(&id).await?.map(Json).ok_or_else(|| Problem::unknown(CONVERSATION_UNKNOWN, &id))
}

/// The last 500 lines of a conversation over all its sessions and channels, oldest first.
#[utoipa::path(get, path = "/v1/conversations/{id}/messages", tag = "conversations", params(("id" = String, Path)),
    responses((status = 200, body = Lines), Refused))]
pub async fn conversation_messages(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Lines>, Problem> {
    caller.may("messages:read")?;
    if state.store.conversation(&id).await?.is_none() {
        return Err(Problem::unknown(CONVERSATION_UNKNOWN, &id));
    }
    Ok(Json(Lines { data: state.store.conversation_messages(&id, CONVERSATION_LINES).await? }))
}
