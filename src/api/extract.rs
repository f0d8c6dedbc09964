//! Bodies, queries and ids, with refusals that name the field.

use std::str::FromStr;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::control::event::{DomainEvent, Fact};
use crate::control::words::EventId;

/// A JSON body.
pub struct Body<T>(pub T);

/// The query of a URL.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Body(body)),
            Err(rejection) => Err(refused(&rejection)),
        }
    }
}

fn refused(rejection: &JsonRejection) -> Problem {
    let code = match rejection {
        JsonRejection::JsonDataError(_) => "field_invalid",
        JsonRejection::MissingJsonContentType(_) => "content_type_not_json",
        _ if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => "body_too_long",
        _ => "body_invalid",
    };
    let status = if code == "content_type_not_json" { StatusCode::BAD_REQUEST } else { rejection.status() };
    Problem::new(status, code, rejection.body_text())
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
    facts.into_iter().map(|fact| DomainEvent { id: EventId::new(at, &mut random), at, fact }).collect()
}
