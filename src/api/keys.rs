//! `/v1/keys`: who may use the API.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::auth::{ADMIN, Caller};
use super::extract::Body;
use super::problem::{Problem, Refused};
use crate::store::keys::ApiKey;

/// What can be read or written, each a scope with `:read` or `:write`; `recordings:audio` is one of its own.
const SUBJECTS: [&str; 21] = [
    "customers",
    "sessions",
    "supervisions",
    "messages",
    "calls",
    "recordings",
    "transcripts",
    "tickets",
    "agents",
    "offers",
    "suggestions",
    "queues",
    "left_messages",
    "callbacks",
    "evaluations",
    "reports",
    "events",
    "sip",
    "dialplans",
    "notices",
    "articles",
];

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Whose or what for.
    pub name: String,
    /// `admin`, or `sessions:read`, `messages:write`, `channels:inbound` …
    pub scopes: Vec<String>,
    /// Whose own it is, id or user name: what it may is then also bounded by what he may.
    pub agent: Option<String>,
}

/// A key with its secret: shown this once.
#[derive(Serialize, ToSchema)]
pub struct MadeKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// Send it as `Authorization: Bearer …`; it is not kept.
    pub secret: String,
}

/// All keys, without their secrets.
#[derive(Serialize, ToSchema)]
pub struct Keys {
    /// Newest first.
    pub data: Vec<ApiKey>,
}

fn is_scope(scope: &str) -> bool {
    match scope.split_once(':') {
        None => scope == ADMIN,
        Some(("channels", "inbound") | ("recordings", "audio")) => true,
        Some((subject, "read" | "write")) => SUBJECTS.contains(&subject),
        Some(_) => false,
    }
}

/// All keys.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", responses((status = 200, body = Keys), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller) -> Result<Json<Keys>, Problem> {
    caller.may(ADMIN)?;
    Ok(Json(Keys { data: state.store.keys().await? }))
}

/// Makes a key.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = NewKey, responses((status = 201, body = MadeKey), Refused))]
pub async fn make(State(state): State<ApiState>, caller: Caller, Body(new): Body<NewKey>) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    caller.may(ADMIN)?;
    if let Some(scope) = new.scopes.iter().find(|scope| !is_scope(scope)) {
        let known = SUBJECTS.join(", ");
        let detail = format!("scopes: '{scope}' is no scope: admin, channels:inbound, recordings:audio, or :read/:write of {known}");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "field_invalid", detail));
    }
    let scopes: Vec<&str> = new.scopes.iter().map(String::as_str).collect();
    let agent = new.agent.as_deref().map(|agent| state.agent(agent)).transpose()?;
    let (key, secret) = state.store.make_key_of(&new.name, &scopes, agent).await?;
    Ok((StatusCode::CREATED, Json(MadeKey { key, secret })))
}

/// Revokes a key.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", params(("id" = String, Path)), responses((status = 204), Refused))]
pub async fn revoke(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    caller.may(ADMIN)?;
    if state.store.revoke_key(&id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::unknown("key_unknown", &id)) }
}
