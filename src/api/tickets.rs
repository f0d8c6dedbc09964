//! `/v1/tickets`: what is left to do, with states, remarks and `If-Match`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Caller;
use super::extract::{Body, Query, field, id};
use super::problem::{Problem, Refused};
use crate::control::event::Fact;
use crate::control::words::agent::{AgentCommand, Reply};
use crate::store::page::{Page, Slice};
use crate::store::tickets::{Comment, Ticket};

const UNKNOWN: &str = "ticket_unknown";

/// Which tickets.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// Of this customer.
    pub customer: Option<String>,
    /// `new open pending solved closed`
    pub state: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500, usually 50.
    pub limit: Option<i64>,
}

/// A ticket to be opened.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicket {
    /// Whose.
    pub customer: String,
    /// From which session.
    pub session: Option<String>,
    /// `late_delivery` …
    pub kind: String,
    /// One line.
    pub title: String,
    /// The form.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
}

/// A ticket's state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// Nobody has seen it.
    New,
    /// Somebody works on it.
    Open,
    /// It waits for the customer or a third.
    Pending,
    /// Done; a word of the customer opens it again.
    Solved,
    /// Done for good.
    Closed,
}

impl TicketState {
    fn may_become(self, next: TicketState) -> bool {
        self != TicketState::Closed && next != TicketState::New && self != next
    }
}

/// A change of state.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewState {
    /// To what.
    pub state: TicketState,
    /// Why; it becomes a remark.
    pub note: Option<String>,
}

/// A remark.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewComment {
    /// The remark.
    pub text: String,
    /// Whose: absent = the key's name.
    pub author: Option<String>,
}

/// The remarks on a ticket.
#[derive(Serialize, ToSchema)]
pub struct Comments {
    /// Oldest first.
    pub data: Vec<Comment>,
}

async fn load(state: &ApiState, id: &str) -> Result<Ticket, Problem> {
    state.store.ticket(id).await?.ok_or_else(|| Problem::unknown(UNKNOWN, id))
}

fn etag(ticket: &Ticket) -> String {
    format!("\"{}\"", ticket.version)
}

fn tagged(status: StatusCode, ticket: Ticket) -> Response {
    let tag = etag(&ticket);
    let mut response = (status, Json(ticket)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Tickets, newest first.
#[utoipa::path(get, path = "/v1/tickets", tag = "tickets", params(Listing), responses((status = 200, body = Page<Ticket>), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller, Query(query): Query<Listing>) -> Result<Json<Page<Ticket>>, Problem> {
    caller.may("tickets:read")?;
    let slice = Slice { cursor: query.cursor, limit: query.limit };
    Ok(Json(state.store.tickets(query.customer.as_deref(), query.state.as_deref(), &slice).await?))
}

/// Opens a ticket by hand.
#[utoipa::path(post, path = "/v1/tickets", tag = "tickets", request_body = NewTicket, responses((status = 201, body = Ticket), Refused))]
pub async fn make(State(state): State<ApiState>, caller: Caller, Body(new): Body<NewTicket>) -> Result<Response, Problem> {
    caller.may("tickets:write")?;
    let customer = field("customer", &new.customer)?;
    if state.store.customer(&new.customer).await?.is_none() {
        return Err(Problem::unknown("customer_unknown", &new.customer));
    }
    let session = new.session.as_deref().map(|session| field("session", session)).transpose()?;
    let command = AgentCommand::OpenTicket { customer, session, kind: new.kind, title: new.title, fields: new.fields };
    match state.command(command).await? {
        Reply::Ticket(ticket) => Ok(tagged(StatusCode::CREATED, load(&state, &ticket.to_string()).await?)),
        other => {
            tracing::error!(?other, "the rules answered a ticket with something else");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "unexpected_reply", "the ticket was opened, but its id is not known"))
        }
    }
}

/// A ticket; its `ETag` is for `If-Match`.
#[utoipa::path(get, path = "/v1/tickets/{id}", tag = "tickets", params(("id" = String, Path)), responses((status = 200, body = Ticket), Refused))]
pub async fn one(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    caller.may("tickets:read")?;
    Ok(tagged(StatusCode::OK, load(&state, &id).await?))
}

/// Changes a ticket's state. With `If-Match` only when nobody changed it since.
#[utoipa::path(patch, path = "/v1/tickets/{id}", tag = "tickets", params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = NewState, responses((status = 200, body = Ticket), Refused))]
pub async fn change(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    headers: HeaderMap,
    Body(new): Body<NewState>,
) -> Result<Response, Problem> {
    caller.may("tickets:write")?;
    let _turn = state.turns.of(&text).await;
    let ticket = load(&state, &text).await?;
    let seen = headers.get(header::IF_MATCH).and_then(|tag| tag.to_str().ok());
    if seen.is_some_and(|seen| seen != "*" && seen != etag(&ticket)) {
        let detail = format!("the ticket is at version {} now", ticket.version);
        return Err(Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail));
    }
    let now: TicketState = serde_json::from_value(Value::from(ticket.state.as_str())).unwrap_or(TicketState::New);
    if !now.may_become(new.state) {
        let next = crate::store::word(&new.state);
        return Err(Problem::conflict("state_conflict", format!("a ticket that is {} does not become {next}", ticket.state)));
    }
    let fact = Fact::TicketState { ticket: id(UNKNOWN, &text)?, state: crate::store::word(&new.state), note: new.note };
    state.record(vec![fact]).await?;
    tell(&state, &ticket.customer).await?;
    Ok(tagged(StatusCode::OK, load(&state, &text).await?))
}

/// The rules offer a customer his open ticket first, and open no second one for its matter: they are told which are open now.
async fn tell(state: &ApiState, customer: &str) -> Result<(), Problem> {
    let Ok(id) = customer.parse() else { return Ok(()) };
    let tickets = state.store.open_tickets(customer).await?.into_iter().filter_map(Ticket::for_the_rules).collect();
    state.control.command(AgentCommand::OpenTicketsAre { customer: id, tickets }).await?;
    Ok(())
}

/// The remarks on a ticket, oldest first.
#[utoipa::path(get, path = "/v1/tickets/{id}/comments", tag = "tickets", params(("id" = String, Path)),
    responses((status = 200, body = Comments), Refused))]
pub async fn comments(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Comments>, Problem> {
    caller.may("tickets:read")?;
    load(&state, &id).await?;
    Ok(Json(Comments { data: state.store.comments(&id).await? }))
}

/// Remarks on a ticket.
#[utoipa::path(post, path = "/v1/tickets/{id}/comments", tag = "tickets", params(("id" = String, Path)), request_body = NewComment,
    responses((status = 201, body = Comments), Refused))]
pub async fn comment(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(new): Body<NewComment>,
) -> Result<(StatusCode, Json<Comments>), Problem> {
    caller.may("tickets:write")?;
    load(&state, &text).await?;
    let author = new.author.unwrap_or_else(|| caller.0.name.clone());
    state.record(vec![Fact::TicketCommented { ticket: id(UNKNOWN, &text)?, author, text: new.text }]).await?;
    Ok((StatusCode::CREATED, Json(Comments { data: state.store.comments(&text).await? })))
}
