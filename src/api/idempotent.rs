//! `Idempotency-Key` on every POST: the same key and request within a day get the first answer, another request gets 409.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::auth::Caller;
use super::problem::Problem;
use super::{ApiState, BODY_BYTES};
use crate::store::idempotency::Before;

const HEADER: &str = "idempotency-key";
/// The longest key, in bytes.
const KEY_BYTES: usize = 200;

/// Answers of this path carry a secret and are never kept.
const SECRETS: &str = "/v1/keys";

/// Answers a repeated POST from what was kept.
pub async fn replay(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let key = request.headers().get(HEADER).and_then(|key| key.to_str().ok()).map(str::to_owned);
    let caller = request.extensions().get::<Caller>().map(|caller| caller.0.id.clone());
    let (Some(key), Some(caller), &Method::POST) = (key, caller, request.method()) else { return next.run(request).await };
    if request.uri().path() == SECRETS {
        return next.run(request).await;
    }
    match once(&state, (&caller, &key), request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn once(state: &ApiState, (caller, key): (&str, &str), request: Request, next: Next) -> Result<Response, Problem> {
    if key.is_empty() || key.len() > KEY_BYTES {
        return Err(Problem::bad("idempotency_key_invalid", format!("an Idempotency-Key has 1 to {KEY_BYTES} bytes")));
    }
    let (parts, body) = request.into_parts();
    let too_long = |_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_long", format!("a body has at most {BODY_BYTES} bytes"));
    let body = to_bytes(body, BODY_BYTES).await.map_err(too_long)?;
    let hash = fingerprint(parts.method.as_str(), &parts.uri.to_string(), &body);
    match state.store.take_idempotency(caller, key, &hash).await? {
        Before::New => {}
        Before::Answered { status, body } => return Ok(again(status, body)),
        Before::UnderWay => return Err(Problem::conflict("idempotency_in_progress", "the same request is under way")),
        Before::Other => return Err(Problem::conflict("idempotency_mismatch", "this Idempotency-Key came with another request")),
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    keep(state, (caller, key), response).await
}

/// Keeps good answers; a failed request may be tried again with its key.
async fn keep(state: &ApiState, (caller, key): (&str, &str), response: Response) -> Result<Response, Problem> {
    if !response.status().is_success() {
        state.store.forget_idempotency(caller, key).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, BODY_BYTES).await.unwrap_or_default();
    state.store.keep_answer(caller, key, parts.status.as_u16(), &String::from_utf8_lossy(&body)).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn again(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    response
}

fn fingerprint(method: &str, uri: &str, body: &Bytes) -> String {
    let mut sum = Sha256::new();
    sum.update(method);
    sum.update([0]);
    sum.update(uri);
    sum.update([0]);
    sum.update(body);
    hex::encode(sum.finalize())
}
