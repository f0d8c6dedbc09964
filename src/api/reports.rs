//! `/v1/reports`: counts over sessions.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Caller;
use super::extract::{Query, field};
use super::problem::{Problem, Refused};
use crate::control::time::Time;
use crate::store::reports::{ChannelReport, DispositionCount, NodeContainment, Period};

/// Sessions begun in a span of time.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Within {
    /// From then on, RFC 3339; absent = from the beginning.
    pub since: Option<String>,
    /// Before that, RFC 3339; absent = until now.
    pub until: Option<String>,
}

/// Sessions of a plan begun in a span of time.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfPlan {
    /// The plan's id.
    pub dialplan: String,
    /// From then on, RFC 3339; absent = from the beginning.
    pub since: Option<String>,
    /// Before that, RFC 3339; absent = until now.
    pub until: Option<String>,
}

/// Sessions by channel.
#[derive(Serialize, ToSchema)]
pub struct SessionsReport {
    /// By the alphabet.
    pub data: Vec<ChannelReport>,
}

/// How sessions of a plan ended.
#[derive(Serialize, ToSchema)]
pub struct ContainmentReport {
    /// The plan.
    pub dialplan: String,
    /// Ended sessions.
    pub sessions: i64,
    /// Settled by the plan.
    pub contained: i64,
    /// Taken by an agent.
    pub transferred: i64,
    /// Neither.
    pub abandoned: i64,
    /// By the node they ended in.
    pub nodes: Vec<NodeContainment>,
}

/// Sessions by summary code.
#[derive(Serialize, ToSchema)]
pub struct DispositionsReport {
    /// Most frequent first.
    pub data: Vec<DispositionCount>,
}

pub(super) fn period(since: Option<&str>, until: Option<&str>) -> Result<Period, Problem> {
    let micros = |name, text: &str| field::<Timestamp>(name, text).map(|at| Time::from(at).0);
    Ok(Period {
        since: since.map(|text| micros("since", text)).transpose()?.unwrap_or(0),
        until: until.map(|text| micros("until", text)).transpose()?.unwrap_or(i64::MAX.cast_unsigned()),
    })
}

/// Sessions by channel: how many, how they ended, how long they waited.
#[utoipa::path(get, path = "/v1/reports/sessions", tag = "reports", params(Within), responses((status = 200, body = SessionsReport), Refused))]
pub async fn sessions(
    State(state): State<ApiState>,
    caller: Caller,
    Query(within): Query<Within>,
) -> Result<Json<SessionsReport>, Problem> {
    caller.may("reports:read")?;
    let period = period(within.since.as_deref(), within.until.as_deref())?;
    Ok(Json(SessionsReport { data: state.store.report_sessions(period).await? }))
}

/// How a plan's ended sessions ended, by node: contained, transferred or abandoned.
#[utoipa::path(get, path = "/v1/reports/containment", tag = "reports", params(OfPlan),
    responses((status = 200, body = ContainmentReport), Refused))]
pub async fn containment(
    State(state): State<ApiState>,
    caller: Caller,
    Query(of): Query<OfPlan>,
) -> Result<Json<ContainmentReport>, Problem> {
    caller.may("reports:read")?;
    let period = period(of.since.as_deref(), of.until.as_deref())?;
    let nodes = state.store.report_containment(&of.dialplan, period).await?;
    let sum = |count: fn(&NodeContainment) -> i64| nodes.iter().map(count).sum();
    Ok(Json(ContainmentReport {
        sessions: sum(|node| node.sessions),
        contained: sum(|node| node.contained),
        transferred: sum(|node| node.transferred),
        abandoned: sum(|node| node.abandoned),
        dialplan: of.dialplan,
        nodes,
    }))
}

/// Ended sessions by summary code; the counts add up to the sessions.
#[utoipa::path(get, path = "/v1/reports/dispositions", tag = "reports", params(Within),
    responses((status = 200, body = DispositionsReport), Refused))]
pub async fn dispositions(
    State(state): State<ApiState>,
    caller: Caller,
    Query(within): Query<Within>,
) -> Result<Json<DispositionsReport>, Problem> {
    caller.may("reports:read")?;
    let period = period(within.since.as_deref(), within.until.as_deref())?;
    Ok(Json(DispositionsReport { data: state.store.report_dispositions(period).await? }))
}
