//! `/v1/calls/{id}/signalling`: the SIP messages of one of the latest calls, as a list and as a capture file.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Caller;
use super::problem::{Problem, Refused};
use super::{ApiState, pcap};
use crate::control::words::agent::{AgentCommand, Reply};
use crate::control::words::seen::{Ladder, Seen};

/// The media type of a capture file.
const CAPTURE: &str = "application/vnd.tcpdump.pcap";

/// One message on the wire.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// RFC 3339.
    pub at: String,
    /// `in`, `out`
    pub direction: String,
    /// `UDP TCP TLS WS WSS`
    pub transport: String,
    /// Our address.
    pub local: String,
    /// The peer's.
    pub remote: String,
    /// The first line.
    pub line: String,
    /// All of it that is kept; credentials, keys and written words are struck out.
    pub text: String,
}

/// The messages of a call, in the order of their times.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Signalling {
    /// As asked for.
    pub call: String,
    /// Those that are kept: the first of each dialog.
    pub messages: Vec<Message>,
    /// So many more there were.
    pub left_out: u64,
}

/// The SIP messages of a call (`call_…`) or of one dialog (its SIP Call-ID), kept in memory for the latest calls.
#[utoipa::path(get, path = "/v1/calls/{id}/signalling", tag = "calls", params(("id" = String, Path)),
    responses((status = 200, body = Signalling), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Signalling>, Problem> {
    caller.may("calls:read")?;
    let Ladder { messages, left_out } = ladder(&state, &id).await?;
    Ok(Json(Signalling { call: id, messages: messages.iter().map(shown).collect(), left_out }))
}

/// The same as a capture file for tcpdump and Wireshark: each message as one datagram, whatever it came over.
#[utoipa::path(get, path = "/v1/calls/{id}/signalling/pcap", tag = "calls", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/vnd.tcpdump.pcap", body = Vec<u8>), Refused))]
pub async fn capture(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    caller.may("calls:read")?;
    let messages = ladder(&state, &id).await?.messages;
    Ok(([(header::CONTENT_TYPE, CAPTURE)], pcap::of(&messages)).into_response())
}

async fn ladder(state: &ApiState, id: &str) -> Result<Ladder, Problem> {
    match state.control.command(AgentCommand::Ladder { of: id.to_owned() }).await? {
        Reply::Ladder(ladder) => Ok(*ladder),
        other => Err(Problem::unexpected(&other)),
    }
}

fn shown(seen: &Seen) -> Message {
    let text = String::from_utf8_lossy(&seen.bytes).into_owned();
    Message {
        at: seen.at.rfc3339(),
        direction: seen.direction.word().to_owned(),
        transport: seen.transport.token().to_owned(),
        local: seen.local.to_string(),
        remote: seen.remote.to_string(),
        line: text.lines().next().unwrap_or_default().to_owned(),
        text,
    }
}
