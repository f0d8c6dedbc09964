//! `/v1/sip/bans`: sources that are not heard at the SIP sockets for a while.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiState;
use super::auth::Caller;
use super::problem::{Problem, Refused};
use crate::control::words::agent::{AgentCommand, Reply};
use crate::control::words::guard;

/// A source that is not heard.
#[derive(Serialize, ToSchema)]
pub struct Ban {
    /// An IPv4 address, or the first address of an IPv6 /64.
    pub source: String,
    /// What it did last: `scanner wrong_proof unknown_user unknown_number flood`
    pub why: &'static str,
    /// RFC 3339.
    pub since: String,
    /// RFC 3339: it ends by itself.
    pub until: String,
    /// The how-manieth ban of this source; each is twice as long as the one before.
    pub strikes: u32,
    /// Requests that were read and not answered since; most are dropped unread.
    pub unheard: u64,
}

/// The bans that stand.
#[derive(Serialize, ToSchema)]
pub struct Bans {
    /// In the order of their sources.
    pub data: Vec<Ban>,
}

/// The bans that stand.
#[utoipa::path(get, path = "/v1/sip/bans", tag = "sip", responses((status = 200, body = Bans), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller) -> Result<Json<Bans>, Problem> {
    caller.may("sip:read")?;
    match state.control.command(AgentCommand::Bans).await? {
        Reply::Bans(bans) => Ok(Json(Bans { data: bans.iter().map(shown).collect() })),
        other => Err(Problem::unexpected(&other)),
    }
}

/// Takes a ban back, and forgets what was held against the source.
#[utoipa::path(delete, path = "/v1/sip/bans/{source}", tag = "sip", params(("source" = String, Path, description = "Any address of the source")),
    responses((status = 204, description = "It is heard again"), Refused))]
pub async fn lift(State(state): State<ApiState>, caller: Caller, Path(source): Path<String>) -> Result<StatusCode, Problem> {
    caller.may("sip:write")?;
    let source = source.parse().map_err(|_| Problem::unknown("ban_unknown", &source))?;
    state.command(AgentCommand::Lift { source }).await?;
    tracing::info!(%source, key = caller.0.name, "a ban was lifted by the API");
    Ok(StatusCode::NO_CONTENT)
}

fn shown(ban: &guard::Ban) -> Ban {
    let guard::Ban { source, why, since, until, strikes, unheard } = ban;
    Ban {
        source: source.to_string(),
        why: why.word(),
        since: since.rfc3339(),
        until: until.rfc3339(),
        strikes: *strikes,
        unheard: *unheard,
    }
}
