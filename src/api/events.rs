//! `/v1/events`: the log by `seq`, over REST and server-sent events. Over WebSocket: `stream`.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Caller;
use super::extract::Query;
use super::problem::{Problem, Refused};
use crate::store::events::{Event, Span};

/// Facts given at once when nobody says otherwise.
const USUAL: i64 = 100;
/// The most facts given at once.
const MOST: i64 = 1_000;
/// A silent stream says that it lives.
const ALIVE: Duration = Duration::from_secs(15);

/// Which part of the log.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// Those after this seq; 0 = from the beginning.
    pub after_seq: Option<u64>,
    /// Of this session.
    pub session: Option<String>,
    /// Of this kind: `session.created`, `session.*`.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    pub kind: Option<String>,
    /// 1 to 1000, usually 100.
    pub limit: Option<i64>,
}

/// Where a stream begins.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct From {
    /// After this seq; absent = what comes from now on. `Last-Event-ID` wins.
    pub after_seq: Option<u64>,
}

/// A part of the log.
#[derive(Serialize, ToSchema)]
pub struct Events {
    /// In the order of `seq`.
    pub data: Vec<Event>,
    /// Ask on with this as `after_seq`.
    pub next_after_seq: u64,
    /// The last seq there is.
    pub seq_now: u64,
}

/// Facts in the order of `seq`.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(Part), responses((status = 200, body = Events), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller, Query(part): Query<Part>) -> Result<Json<Events>, Problem> {
    caller.may("events:read")?;
    let after = part.after_seq.unwrap_or(0);
    if i64::try_from(after).is_err() {
        return Err(Problem::bad("query_invalid", format!("after_seq: {after} is beyond every seq; at most {}", i64::MAX)));
    }
    let span = Span { after, limit: part.limit.unwrap_or(USUAL).clamp(1, MOST), session: part.session, kind: part.kind };
    let seq_now = state.store.applied();
    let data = state.store.events(&span).await?;
    let next_after_seq = data.last().map_or(after, |last| last.seq.cast_unsigned());
    Ok(Json(Events { data, next_after_seq, seq_now }))
}

/// The log as server-sent events; `id` is the seq, so that a browser resumes by itself.
#[utoipa::path(get, path = "/v1/events/sse", tag = "events", params(From),
    responses((status = 200, content_type = "text/event-stream", body = String), Refused))]
pub async fn sse(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Query(from): Query<From>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    caller.may("events:read")?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let after = last.or(from.after_seq).unwrap_or_else(|| state.store.applied());
    let feed = Feed { state, after, ready: Vec::new().into_iter() };
    Ok(Sse::new(stream::unfold(feed, Feed::next)).keep_alive(KeepAlive::new().interval(ALIVE)))
}

/// A reader of the log that waits at its end.
struct Feed {
    state: ApiState,
    after: u64,
    ready: std::vec::IntoIter<Event>,
}

impl Feed {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Feed)> {
        loop {
            if let Some(event) = self.ready.next() {
                self.after = event.seq.cast_unsigned();
                let sent = sse::Event::default().id(event.seq.to_string()).event(event.kind.clone());
                return Some((Ok(sent.data(serde_json::to_string(&event).unwrap_or_default())), self));
            }
            let after = self.after;
            self.state.store.watch().wait_for(|applied| *applied > after).await.ok()?;
            let span = Span { after, limit: USUAL, session: None, kind: None };
            self.ready = self.state.store.events(&span).await.ok()?.into_iter();
        }
    }
}
