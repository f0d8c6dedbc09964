//! Requests of the API that come as `cmd` frames of a WebSocket: they take the same way as over HTTP, keys, scopes and limits included.

use axum::body::{Body, to_bytes};
use axum::handler::Handler;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::routing::{MethodRouter, any_service};
use axum::{Router, response::Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::BODY_BYTES;
use super::problem::Problem;

/// A request as a frame.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The client's own; the result carries it.
    pub id: String,
    /// `GET`, `POST` …
    method: String,
    /// `/v1/…`
    path: String,
    /// The body.
    body: Option<Value>,
    /// As the header of that name.
    idempotency_key: Option<String>,
}

/// What came of it.
#[derive(Serialize)]
pub struct Done {
    id: String,
    status: u16,
    body: Value,
}

/// The whole API but its WebSockets, to be asked from inside.
#[derive(Clone)]
pub struct Inside(MethodRouter);

impl Inside {
    /// The routes.
    #[must_use]
    pub fn new(router: Router) -> Inside {
        Inside(any_service(router))
    }

    /// Carries a command out with the rights of `token`.
    pub async fn carry_out(self, token: String, command: Command) -> Done {
        let id = command.id.clone();
        match request(&token, command) {
            Ok(request) => read(id, Handler::call(self.0, request, ()).await).await,
            Err(problem) => Done::refused(id, &problem),
        }
    }
}

impl Done {
    /// Too many commands are under way.
    #[must_use]
    pub fn busy(id: String, most: usize) -> Done {
        let detail = format!("{most} commands are under way: wait for a result");
        Done::refused(id, &Problem::new(StatusCode::TOO_MANY_REQUESTS, "commands_too_many", detail))
    }

    fn refused(id: String, problem: &Problem) -> Done {
        Done { id, status: problem.status, body: json!(problem) }
    }
}

fn request(token: &str, command: Command) -> Result<Request<Body>, Problem> {
    let bad = |what: &str| Problem::bad("cmd_invalid", format!("cmd.{what}"));
    let Command { method, path, body, idempotency_key, .. } = command;
    if !path.starts_with("/v1/") {
        return Err(bad("path: it begins with /v1/"));
    }
    let token = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| bad("token: it is no header value"))?;
    let mut request = Request::builder().method(method.as_str()).uri(path).header(header::AUTHORIZATION, token);
    if let Some(key) = idempotency_key {
        request = request.header("idempotency-key", key);
    }
    let body = match body {
        Some(body) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    request.body(body).map_err(|why| bad(&format!("method, path or idempotency_key: {why}")))
}

/// Only JSON goes into a frame: sound and streams have routes of their own.
async fn read(id: String, response: Response) -> Done {
    let status = response.status().as_u16();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("").to_owned();
    if !kind.is_empty() && !kind.contains("json") {
        return Done::refused(id, &Problem::bad("not_in_a_frame", format!("this route answers with {kind}: ask it over HTTP")));
    }
    match to_bytes(response.into_body(), BODY_BYTES).await {
        Ok(bytes) => Done { id, status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) },
        Err(_) => Done::refused(id, &Problem::bad("not_in_a_frame", format!("the answer has more than {BODY_BYTES} bytes: ask for less"))),
    }
}
