//! `/v1/notices`: words that everybody hears before the greeting, until their hour.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::auth::Caller;
use super::dialplans::unexpected;
use super::extract::{Body, id};
use super::problem::{Problem, Refused};
use crate::control::words::Lang;
use crate::control::words::live::Announcement;
use crate::plans::{Done, Wish};

/// A notice.
#[derive(Serialize, ToSchema)]
pub struct Notice {
    /// `ntc_…`
    pub id: String,
    /// In languages that `by_lang` does not have.
    pub text: String,
    /// In others, by language tag.
    pub by_lang: BTreeMap<String, String>,
    /// RFC 3339: it ends by itself.
    pub until: String,
    /// On this plan only; null = on all.
    pub plan: Option<String>,
}

/// The notices that are said.
#[derive(Serialize, ToSchema)]
pub struct Notices {
    /// In the order they are said.
    pub data: Vec<Notice>,
}

/// A notice to be said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNotice {
    /// In languages that `by_lang` does not have.
    pub text: String,
    /// In others, by language tag.
    #[serde(default)]
    pub by_lang: BTreeMap<String, String>,
    /// RFC 3339.
    pub until: String,
    /// On this plan only.
    pub plan: Option<String>,
}

fn shown(notice: Announcement) -> Notice {
    let by_lang = notice.by_lang.into_iter().map(|(lang, text)| (lang.to_string(), text)).collect();
    Notice { id: notice.id.to_string(), text: notice.text, by_lang, until: notice.until.rfc3339(), plan: notice.plan }
}

/// The notices that are said now.
#[utoipa::path(get, path = "/v1/notices", tag = "notices", responses((status = 200, body = Notices), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller) -> Result<Json<Notices>, Problem> {
    caller.may("notices:read")?;
    match state.plans.ask(Wish::Notices, &caller.0.name).await? {
        Done::Notices(notices) => Ok(Json(Notices { data: notices.into_iter().map(shown).collect() })),
        other => Err(unexpected(&other)),
    }
}

/// Says something to every new caller and chat, before the greeting, until its hour.
#[utoipa::path(post, path = "/v1/notices", tag = "notices", request_body = NewNotice, responses((status = 201, body = Notice), Refused))]
pub async fn set(State(state): State<ApiState>, caller: Caller, Body(new): Body<NewNotice>) -> Result<(StatusCode, Json<Notice>), Problem> {
    caller.may("notices:write")?;
    let until: jiff::Timestamp = new.until.parse().map_err(|why| {
        let detail = format!("until: {why}; write 2026-11-22T18:00:00+08:00");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "field_invalid", detail)
    })?;
    let by_lang = new.by_lang.iter().map(|(lang, text)| (Lang::new(lang), text.clone())).collect();
    let wish = crate::plans::NewNotice { text: new.text, by_lang, until: until.into(), plan: new.plan };
    match state.plans.ask(Wish::SetNotice(wish), &caller.0.name).await? {
        Done::Notice(notice) => Ok((StatusCode::CREATED, Json(shown(notice)))),
        other => Err(unexpected(&other)),
    }
}

/// Says it no more.
#[utoipa::path(delete, path = "/v1/notices/{id}", tag = "notices", params(("id" = String, Path)),
    responses((status = 204, description = "It is not said any more"), Refused))]
pub async fn clear(State(state): State<ApiState>, caller: Caller, Path(notice): Path<String>) -> Result<StatusCode, Problem> {
    caller.may("notices:write")?;
    state.plans.ask(Wish::ClearNotice(id("notice_unknown", &notice)?), &caller.0.name).await?;
    Ok(StatusCode::NO_CONTENT)
}
