//! Bodies, queries and ids, with refusals that name the field.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::control::discreet::discreet;
use crate::control::event::{DomainEvent, Fact};
use crate::control::words::EventId;

/// A JSON body.
pub struct Body<T>(pub T);

/// A JSON body as it was sent, for those who must check a signature before they read it.
pub struct Raw(Bytes);

impl Raw {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What they say.
    ///
    /// # Errors
    /// As [`Body`].
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        // A list would be read as the fields in their order.
        if self.0.trim_ascii_start().first() == Some(&b'[') {
            let detail = "the body is a list: send an object, {\"field\": value}";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "field_invalid", detail));
        }
        match axum::Json::<T>::from_bytes(&self.0) {
            Ok(axum::Json(body)) => Ok(body),
            Err(rejection) => Err(refused(&rejection)),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Raw, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::bad("content_type_not_json", "send the body as Content-Type: application/json"));
        }
        let too_long = |why: BytesRejection| {
            let code = if why.status() == StatusCode::PAYLOAD_TOO_LARGE { "body_too_long" } else { "body_invalid" };
            Problem::new(why.status(), code, why.body_text())
        };
        Bytes::from_request(request, state).await.map(Raw).map_err(too_long)
    }
}

/// The query of a URL.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, Problem> {
        Raw::from_request(request, state).await?.read().map(Body)
    }
}

fn refused(rejection: &JsonRejection) -> Problem {
    let code = if matches!(rejection, JsonRejection::JsonDataError(_)) { "field_invalid" } else { "body_invalid" };
    Problem::new(rejection.status(), code, rejection.body_text())
}

/// Is it `application/json`, or `application/…+json`?
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Query(query)),
            Err(QueryRejection::FailedToDeserializeQueryString(why)) => Err(Problem::bad("query_invalid", why.body_text())),
            Err(why) => Err(Problem::bad("query_invalid", why.body_text())),
        }
    }
}

/// An id of the path; what is no id is unknown.
///
/// # Errors
/// 404 with `code`.
pub fn id<T: FromStr>(code: &'static str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::unknown(code, text))
}

/// An id of a body or query.
///
/// # Errors
/// 422 `field_invalid`, naming the field.
pub fn field<T: FromStr>(name: &str, text: &str) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|why| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "field_invalid", format!("{name}: {why}")))
}

/// Facts that happen now, with ids of their own.
#[must_use]
pub fn events(facts: Vec<Fact>) -> Vec<DomainEvent> {
    let (at, mut random) = (crate::clock::now(), crate::clock::chance());
    facts.into_iter().map(|fact| DomainEvent { id: EventId::new(at, &mut random), at, fact: discreet(fact) }).collect()
}
