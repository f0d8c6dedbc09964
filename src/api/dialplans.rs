//! `/v1/dialplans`: the plans in force, their versions, publishing, trials and roll-backs.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::auth::Caller;
use super::extract::Body;
use super::problem::{Problem, Refused};
use crate::control::dialplan::Plan;
use crate::plans::{Aim, Checked, Done, PlanFile, Refusal, Wish};
use crate::store::plans::{KnownVersion, Trial};

const UNKNOWN: &str = "dialplan_unknown";

/// A plan in force.
#[derive(Serialize, ToSchema)]
pub struct Dialplan {
    /// Its id.
    pub id: String,
    /// The name people see.
    pub title: String,
    /// `self_service finder hybrid`
    pub mode: String,
    /// The version that new sessions get: the hash of its canonical content.
    pub version: String,
    /// Languages, the default first.
    pub languages: Vec<String>,
    /// Numbers that lead to it.
    pub numbers: Vec<String>,
    /// A version that some of the new sessions get instead.
    pub canary: Option<Trying>,
}

/// A version on trial.
#[derive(Serialize, ToSchema)]
pub struct Trying {
    /// It.
    pub version: String,
    /// How many of a hundred new sessions take it.
    pub percent: u8,
}

/// All plans.
#[derive(Serialize, ToSchema)]
pub struct Dialplans {
    /// By id.
    pub data: Vec<Dialplan>,
}

/// What is known of a plan's versions.
#[derive(Serialize, ToSchema)]
pub struct Versions {
    /// The version in force.
    pub version: String,
    /// The newest first; a draft has no `published_at`.
    pub data: Vec<KnownVersion>,
    /// Trials, the newest first.
    pub canaries: Vec<Trial>,
}

/// A version with its text.
#[derive(Serialize, ToSchema)]
pub struct Version {
    /// The plan.
    pub plan: String,
    /// The version.
    pub version: String,
    /// The YAML as it was written.
    pub text: String,
}

/// A file to be published.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFile {
    /// Below the plans' folder: `driver-hotline.yaml`, `knowledge/driver.yaml`, `desk.yaml`, `driver-hotline.test.yaml`.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Files to be published together.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFiles {
    /// All of them come into force, or none. A plan takes the place of the file that has its id.
    pub files: Vec<NewFile>,
    /// Check only: nothing changes.
    #[serde(default)]
    pub dry_run: bool,
}

/// A text to be kept as a draft.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDraft {
    /// The YAML of the plan.
    pub text: String,
}

/// A draft that is kept.
#[derive(Serialize, ToSchema)]
pub struct Draft {
    /// The plan.
    pub plan: String,
    /// The version.
    pub version: String,
    /// What the linter warns of.
    pub findings: Vec<String>,
}

/// A trial to be begun.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCanary {
    /// The version; the youngest draft when absent.
    pub version: Option<String>,
    /// How many of a hundred new sessions take it, 1 to 99.
    pub percent: u8,
}

/// What shall be put back.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct Back {
    /// A version; what was in force before when absent (a running trial is ended instead).
    pub version: Option<String>,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Unknown { what: "plan", .. } => Problem::new(StatusCode::NOT_FOUND, UNKNOWN, detail),
            Refusal::Unknown { what: "version", .. } => Problem::new(StatusCode::NOT_FOUND, "version_unknown", detail),
            Refusal::Unknown { what: "article", .. } => Problem::new(StatusCode::NOT_FOUND, "article_unknown", detail),
            Refusal::Unknown { .. } => Problem::new(StatusCode::NOT_FOUND, "notice_unknown", detail),
            Refusal::Invalid(_) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "field_invalid", detail),
            Refusal::Failed(checked) => {
                let findings = checked.findings.into_iter().chain(checked.failed.into_iter().map(|why| format!("test failed: {why}")));
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "dialplan_refused", detail);
                Problem { findings: findings.collect(), ..problem }
            }
            Refusal::Mismatch(_) => Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail),
            Refusal::Conflict(_) => Problem::conflict("state_conflict", detail),
            Refusal::Broken(_) | Refusal::Busy => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail),
        }
    }
}

/// The answer to a wish had another kind than the wish.
pub(super) fn unexpected(done: &Done) -> Problem {
    tracing::error!(?done, "the plans answered a wish with something else");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "unexpected_reply", "the plans answered with something else")
}

fn shown(state: &ApiState, plan: &Plan) -> Dialplan {
    let directory = state.directory();
    let canary = directory.live.canaries.get(&plan.id);
    Dialplan {
        id: plan.id.clone(),
        title: plan.title.clone(),
        mode: plan.mode.word().to_owned(),
        version: plan.version.clone(),
        languages: plan.languages.iter().map(ToString::to_string).collect(),
        numbers: plan.numbers.clone(),
        canary: canary.map(|canary| Trying { version: canary.plan.version.clone(), percent: canary.percent }),
    }
}

fn known(state: &ApiState, id: &str) -> Result<Dialplan, Problem> {
    let directory = state.directory();
    directory.plans.get(id).map(|plan| shown(state, plan)).ok_or_else(|| Problem::unknown(UNKNOWN, id))
}

fn tagged(plan: Dialplan) -> Response {
    let tag = HeaderValue::from_str(&format!("\"{}\"", plan.version));
    let mut response = Json(plan).into_response();
    if let Ok(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The version that `If-Match` names.
fn expected(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(header::IF_MATCH)?.to_str().ok()?;
    (tag != "*").then(|| tag.trim_matches('"').to_owned())
}

/// What came of a wish that publishes.
pub(super) async fn published(state: &ApiState, wish: Wish, caller: &Caller) -> Result<Json<Checked>, Problem> {
    match state.plans.ask(wish, &caller.0.name).await? {
        Done::Published(checked) => Ok(Json(checked)),
        other => Err(unexpected(&other)),
    }
}

/// The plans in force.
#[utoipa::path(get, path = "/v1/dialplans", tag = "dialplans", responses((status = 200, body = Dialplans), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller) -> Result<Json<Dialplans>, Problem> {
    caller.may("dialplans:read")?;
    Ok(Json(Dialplans { data: state.directory().plans.values().map(|plan| shown(&state, plan)).collect() }))
}

/// A plan in force; its `ETag` is the version, for `If-Match`.
#[utoipa::path(get, path = "/v1/dialplans/{id}", tag = "dialplans", params(("id" = String, Path)),
    responses((status = 200, body = Dialplan), Refused))]
pub async fn one(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    caller.may("dialplans:read")?;
    Ok(tagged(known(&state, &id)?))
}

/// Publishes files: loaded, linted and tested first, then written into the plans' folder and in force for every new session.
#[utoipa::path(post, path = "/v1/dialplans/publish", tag = "dialplans", request_body = NewFiles,
    responses((status = 200, body = Checked), Refused))]
pub async fn publish(State(state): State<ApiState>, caller: Caller, Body(new): Body<NewFiles>) -> Result<Json<Checked>, Problem> {
    caller.may("dialplans:write")?;
    let files = new.files.into_iter().map(|file| PlanFile { name: file.name, text: file.text }).collect();
    let aim = if new.dry_run { Aim::Check } else { Aim::Publish };
    published(&state, Wish::Publish { files, expected: None, aim }, &caller).await
}

/// The versions of a plan: those that were in force, drafts, and trials.
#[utoipa::path(get, path = "/v1/dialplans/{id}/versions", tag = "dialplans", params(("id" = String, Path)),
    responses((status = 200, body = Versions), Refused))]
pub async fn versions(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Versions>, Problem> {
    caller.may("dialplans:read")?;
    let version = known(&state, &id)?.version;
    Ok(Json(Versions { version, data: state.store.plan_versions(&id).await?, canaries: state.store.trials(&id).await? }))
}

/// Keeps a text as a draft. It must load; its tests are run when it is published or put on trial.
#[utoipa::path(post, path = "/v1/dialplans/{id}/versions", tag = "dialplans", params(("id" = String, Path)), request_body = NewDraft,
    responses((status = 201, body = Draft), Refused))]
pub async fn draft(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(new): Body<NewDraft>,
) -> Result<(StatusCode, Json<Draft>), Problem> {
    caller.may("dialplans:write")?;
    match state.plans.ask(Wish::Draft { plan: Some(id), text: new.text }, &caller.0.name).await? {
        Done::Drafted(plan, version, findings) => Ok((StatusCode::CREATED, Json(Draft { plan, version, findings }))),
        other => Err(unexpected(&other)),
    }
}

/// A version with its text.
#[utoipa::path(get, path = "/v1/dialplans/{id}/versions/{version}", tag = "dialplans",
    params(("id" = String, Path), ("version" = String, Path)), responses((status = 200, body = Version), Refused))]
pub async fn version(
    State(state): State<ApiState>,
    caller: Caller,
    Path((plan, version)): Path<(String, String)>,
) -> Result<Json<Version>, Problem> {
    caller.may("dialplans:read")?;
    let wish = Wish::Text { plan: plan.clone(), version: version.clone() };
    match state.plans.ask(wish, &caller.0.name).await? {
        Done::Text(text) => Ok(Json(Version { plan, version, text })),
        other => Err(unexpected(&other)),
    }
}

/// Lints and tests a version; nothing changes.
#[utoipa::path(post, path = "/v1/dialplans/{id}/versions/{version}/test", tag = "dialplans",
    params(("id" = String, Path), ("version" = String, Path)), responses((status = 200, body = Checked), Refused))]
pub async fn lint(
    State(state): State<ApiState>,
    caller: Caller,
    Path((plan, version)): Path<(String, String)>,
) -> Result<Json<Checked>, Problem> {
    caller.may("dialplans:read")?;
    published(&state, Wish::PublishVersion { plan, version, expected: None, aim: Aim::Check }, &caller).await
}

/// Publishes a version that is kept. With `If-Match` only while that version is in force.
#[utoipa::path(post, path = "/v1/dialplans/{id}/versions/{version}/publish", tag = "dialplans",
    params(("id" = String, Path), ("version" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = Checked), Refused))]
pub async fn publish_version(
    State(state): State<ApiState>,
    caller: Caller,
    Path((plan, version)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Checked>, Problem> {
    caller.may("dialplans:write")?;
    published(&state, Wish::PublishVersion { plan, version, expected: expected(&headers), aim: Aim::Publish }, &caller).await
}

/// Gives a version to some of the new sessions. It is taken back by itself when it does clearly worse than the one in force.
#[utoipa::path(post, path = "/v1/dialplans/{id}/canary", tag = "dialplans", params(("id" = String, Path)), request_body = NewCanary,
    responses((status = 200, body = Trying), Refused))]
pub async fn canary(
    State(state): State<ApiState>,
    caller: Caller,
    Path(plan): Path<String>,
    Body(new): Body<NewCanary>,
) -> Result<Json<Trying>, Problem> {
    caller.may("dialplans:write")?;
    let percent = new.percent;
    match state.plans.ask(Wish::Canary { plan, version: new.version, percent }, &caller.0.name).await? {
        Done::OnTrial(_, version) => Ok(Json(Trying { version, percent })),
        other => Err(unexpected(&other)),
    }
}

/// Ends a trial: all new sessions get the version in force.
#[utoipa::path(delete, path = "/v1/dialplans/{id}/canary", tag = "dialplans", params(("id" = String, Path)),
    responses((status = 204, description = "It has ended"), Refused))]
pub async fn stop(State(state): State<ApiState>, caller: Caller, Path(plan): Path<String>) -> Result<StatusCode, Problem> {
    caller.may("dialplans:write")?;
    state.plans.ask(Wish::EndCanary { plan }, &caller.0.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts back what was in force before. While a version is on trial, the trial is ended and nothing else changes.
#[utoipa::path(post, path = "/v1/dialplans/{id}/rollback", tag = "dialplans", params(("id" = String, Path)), request_body = Back,
    responses((status = 200, body = Dialplan), Refused))]
pub async fn rollback(
    State(state): State<ApiState>,
    caller: Caller,
    Path(plan): Path<String>,
    Body(back): Body<Back>,
) -> Result<Response, Problem> {
    caller.may("dialplans:write")?;
    state.plans.ask(Wish::Rollback { plan: plan.clone(), version: back.version }, &caller.0.name).await?;
    Ok(tagged(known(&state, &plan)?))
}
