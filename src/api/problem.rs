//! Errors as RFC 9457 `application/problem+json`, each with a stable `code` and the `request_id`.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::{chance, now};
use crate::control::words::agent::{Refusal, Reply};
use crate::control::words::id::ulid;
use crate::store::Error;

/// Seconds after which a busy server may be asked again.
const RETRY_AFTER: &str = "2";
/// The longest request id taken from a client, in bytes.
const REQUEST_ID_BYTES: usize = 64;
const REQUEST_ID: &str = "x-request-id";

/// What went wrong, for programs (`code`) and for people (`detail`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` names the kind.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The HTTP status in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs: `session_unknown`, `scope_missing` …
    pub code: &'static str,
    /// What is wrong and the mend.
    pub detail: String,
    /// Name it when you ask for help.
    pub request_id: String,
    /// What a checker found, one by one.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub findings: Box<[String]>,
}

impl Problem {
    /// A problem of a status with its code.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        let title = status.canonical_reason().unwrap_or("Error");
        Problem {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            code,
            detail: detail.into(),
            request_id: String::new(),
            findings: Box::default(),
        }
    }

    /// 404 with the code `<what>_unknown`.
    #[must_use]
    pub fn unknown(code: &'static str, id: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, code, format!("'{id}' is not known here"))
    }

    /// 500: the rules answered a command with something that is no answer to it.
    #[must_use]
    pub fn unexpected(reply: &Reply) -> Problem {
        tracing::error!(?reply, "the rules answered a command with something else");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "unexpected_reply", "the rules answered with something else")
    }

    /// 400: the request itself is wrong.
    #[must_use]
    pub fn bad(code: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 409: the thing's state does not allow it.
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, code, detail)
    }
}

impl IntoResponse for Problem {
    /// The body is written by [`number`], which knows the request's id.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        tracing::error!(%error, "the store did not answer an API request");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "the store does not answer now")
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Unknown { .. } => Problem::new(StatusCode::NOT_FOUND, "unknown", detail),
            Refusal::Conflict(_) => Problem::conflict("state_conflict", detail),
            Refusal::Forbidden(_) => Problem::new(StatusCode::FORBIDDEN, "not_permitted", detail),
            Refusal::Busy => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail),
        }
    }
}

/// Gives each request an id (or keeps the client's) and writes the bodies of problems.
pub async fn number(request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| id.len() <= REQUEST_ID_BYTES);
    let id = given.map_or_else(|| format!("req_{:032x}", ulid(now(), &mut chance())), str::to_owned);
    let mut response = next.run(request).await;
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.request_id.clone_from(&id);
        let headers = std::mem::take(response.headers_mut());
        response = body(problem);
        response.headers_mut().extend(headers);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn body(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(problem)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    match status {
        StatusCode::SERVICE_UNAVAILABLE => drop(headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER))),
        StatusCode::UNAUTHORIZED => drop(headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        _ => {}
    }
    response
}

/// The refusals that any route may answer with, for the OpenAPI document.
pub struct Refused;

impl utoipa::IntoResponses for Refused {
    fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::response::Response>> {
        use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder, ResponsesBuilder};
        let problem = |text: &str| {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            ResponseBuilder::new().description(text).content("application/problem+json", content).build()
        };
        let known = [
            ("400", "The request is wrong"),
            ("401", "No key, or an unknown one"),
            ("403", "The key lacks the scope"),
            ("404", "No such thing"),
            ("409", "Its state, or an Idempotency-Key, does not allow it"),
            ("412", "It has changed since (If-Match)"),
            ("413", "The body is too long"),
            ("422", "A field is wrong"),
            ("429", "Too many requests at once: `Retry-After` says when"),
            ("503", "The server takes no new work now"),
        ];
        let all = known.into_iter().fold(ResponsesBuilder::new(), |all, (status, text)| all.response(status, problem(text)));
        all.build().responses.into_iter().collect()
    }
}
