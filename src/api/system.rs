//! `/v1/healthz`, `/v1/readyz`, `/v1/metrics`, `/v1/openapi.json`: the server about itself.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiState;
use super::problem::Problem;
use crate::control::words::agent::{AgentCommand, Reply};
use crate::telemetry::metrics;

/// The content type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long the metrics wait for what the rules count.
const COUNTING: Duration = Duration::from_secs(1);

/// The process lives.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`
    pub status: &'static str,
    /// The server's version.
    pub version: &'static str,
}

/// Can it take work?
#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// Everything below is fine.
    pub ready: bool,
    /// The database answers.
    pub database: bool,
    /// The disk keeps up with the log.
    pub log: bool,
    /// The rules keep up with what comes in.
    pub rules: bool,
    /// The last fact on disk.
    pub seq_durable: u64,
    /// The last fact in the tables.
    pub seq_applied: u64,
}

/// The process lives.
#[utoipa::path(get, path = "/v1/healthz", tag = "system", security(()), responses((status = 200, body = Health)))]
pub async fn healthz() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// The server can take work: 200, or 503 with the reason.
#[utoipa::path(get, path = "/v1/readyz", tag = "system", security(()),
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn readyz(State(state): State<ApiState>) -> (StatusCode, Json<Readiness>) {
    let (database, log, rules) = (state.store.ping().await.is_ok(), !state.journal.is_pressed(), !state.control.is_full());
    let ready = database && log && rules;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let (seq_durable, seq_applied) = (state.journal.durable(), state.store.applied());
    (status, Json(Readiness { ready, database, log, rules, seq_durable, seq_applied }))
}

/// Metrics in the OpenMetrics text form.
#[utoipa::path(get, path = "/v1/metrics", tag = "system", security(()),
    responses((status = 200, content_type = "application/openmetrics-text", body = String)))]
pub async fn metrics(State(state): State<ApiState>) -> Result<Response, Problem> {
    // Rules that are too busy to count are no reason to show nothing of the rest.
    let counted = tokio::time::timeout(COUNTING, state.control.command(AgentCommand::Count)).await;
    let counts = if let Ok(Ok(Reply::Counts(counts))) = counted { Some(counts) } else { None };
    let failed = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics_failed", "the metrics could not be printed");
    let text = metrics::print(&state.registry, counts.as_deref()).map_err(failed)?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}
