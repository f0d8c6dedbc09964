//! `/v1/customers`: who they are, their addresses, tags, page views, and the one timeline of everything.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Caller;
use super::extract::{Body, Query, events, id};
use super::problem::{Problem, Refused};
use crate::clock::{chance, now};
use crate::control::event::Fact;
use crate::control::words::agent::AgentCommand;
use crate::control::words::{CustomerId, IdentityId, Lang};
use crate::store::customers::{Customer, Identity};
use crate::store::page::{Page, Slice};
use crate::store::timeline::Happening;

const UNKNOWN: &str = "customer_unknown";

/// Which customers.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// With this tag.
    pub tag: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500, usually 50.
    pub limit: Option<i64>,
}

/// An address.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Place {
    /// `phone`, `web`, `wechat` …
    pub channel: String,
    /// E.164 for phones.
    pub address: String,
}

/// Which part of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500, usually 50.
    pub limit: Option<i64>,
}

impl From<Paging> for Slice {
    fn from(paging: Paging) -> Slice {
        Slice { cursor: paging.cursor, limit: paging.limit }
    }
}

/// An address to be linked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIdentity {
    /// `phone`, `web`, `wechat` …
    pub channel: String,
    /// E.164 for phones.
    pub address: String,
    /// `claimed` (default), `verified` or `strong`.
    pub level: Option<String>,
}

/// A customer to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCustomer {
    /// The name.
    pub name: Option<String>,
    /// BCP 47.
    pub lang: Option<String>,
    /// His addresses.
    #[serde(default)]
    pub identities: Vec<NewIdentity>,
    /// `vip` …
    #[serde(default)]
    pub tags: Vec<String>,
    /// The shop's own fields.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
}

/// Changes: `name`, `lang`, `tags`, any other field; null takes a field away.
#[derive(Deserialize, ToSchema)]
#[schema(value_type = Object)]
pub struct Changes(pub Map<String, Value>);

/// Something a customer did outside of sessions.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewActivity {
    /// `page_view`, `order` …
    pub kind: String,
    /// One line.
    pub title: String,
    /// Where.
    pub url: Option<String>,
}

/// All addresses of a customer.
#[derive(Serialize, ToSchema)]
pub struct Identities {
    /// Oldest first.
    pub data: Vec<Identity>,
}

async fn load(state: &ApiState, id: &str) -> Result<Customer, Problem> {
    state.store.customer(id).await?.ok_or_else(|| Problem::unknown(UNKNOWN, id))
}

/// Customers, newest first.
#[utoipa::path(get, path = "/v1/customers", tag = "customers", params(Listing), responses((status = 200, body = Page<Customer>), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller, Query(query): Query<Listing>) -> Result<Json<Page<Customer>>, Problem> {
    caller.may("customers:read")?;
    let slice = Slice { cursor: query.cursor, limit: query.limit };
    Ok(Json(state.store.customers(query.tag.as_deref(), &slice).await?))
}

/// Makes a customer.
#[utoipa::path(post, path = "/v1/customers", tag = "customers", request_body = NewCustomer, responses((status = 201, body = Customer), Refused))]
pub async fn make(
    State(state): State<ApiState>,
    caller: Caller,
    Body(new): Body<NewCustomer>,
) -> Result<(StatusCode, Json<Customer>), Problem> {
    caller.may("customers:write")?;
    let (at, mut random) = (now(), chance());
    let customer = CustomerId::new(at, &mut random);
    let mut facts = vec![Fact::CustomerCreated { customer, name: new.name, lang: new.lang.as_deref().map(Lang::new) }];
    let mut fields = new.fields;
    if !new.tags.is_empty() {
        fields.insert("tags".to_owned(), new.tags.into());
    }
    if !fields.is_empty() {
        facts.push(Fact::CustomerUpdated { customer, fields });
    }
    for one in new.identities {
        if let Some(owner) = state.store.customer_at(&one.channel, &one.address).await? {
            return Err(Problem::conflict("identity_taken", format!("{} {} belongs to {}", one.channel, one.address, owner.id)));
        }
        let (identity, level) = (IdentityId::new(at, &mut random), one.level.unwrap_or_else(|| "claimed".to_owned()));
        facts.push(Fact::IdentityLinked { identity, customer, channel: one.channel, address: one.address, level });
    }
    state.record(facts).await?;
    Ok((StatusCode::CREATED, Json(load(&state, &customer.to_string()).await?)))
}

/// Who has this address.
#[utoipa::path(get, path = "/v1/customers/lookup", tag = "customers", params(Place), responses((status = 200, body = Customer), Refused))]
pub async fn lookup(State(state): State<ApiState>, caller: Caller, Query(place): Query<Place>) -> Result<Json<Customer>, Problem> {
    caller.may("customers:read")?;
    let found = state.store.customer_at(&place.channel, &place.address).await?;
    found.map(Json).ok_or_else(|| Problem::unknown(UNKNOWN, &format!("{} {}", place.channel, place.address)))
}

/// A customer.
#[utoipa::path(get, path = "/v1/customers/{id}", tag = "customers", params(("id" = String, Path)), responses((status = 200, body = Customer), Refused))]
pub async fn one(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Customer>, Problem> {
    caller.may("customers:read")?;
    Ok(Json(load(&state, &id).await?))
}

/// Changes a customer.
#[utoipa::path(patch, path = "/v1/customers/{id}", tag = "customers", params(("id" = String, Path)), request_body = Changes,
    responses((status = 200, body = Customer), Refused))]
pub async fn change(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(Changes(fields)): Body<Changes>,
) -> Result<Json<Customer>, Problem> {
    caller.may("customers:write")?;
    load(&state, &text).await?;
    changed(&state, &text, fields).await
}

/// A customer's addresses.
#[utoipa::path(get, path = "/v1/customers/{id}/identities", tag = "customers", params(("id" = String, Path)),
    responses((status = 200, body = Identities), Refused))]
pub async fn identities(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Identities>, Problem> {
    caller.may("customers:read")?;
    load(&state, &id).await?;
    Ok(Json(Identities { data: state.store.identities(&id).await? }))
}

/// Links an address to a customer; an address of another customer moves.
#[utoipa::path(post, path = "/v1/customers/{id}/identities", tag = "customers", params(("id" = String, Path)), request_body = NewIdentity,
    responses((status = 201, body = Identities), Refused))]
pub async fn link(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(new): Body<NewIdentity>,
) -> Result<(StatusCode, Json<Identities>), Problem> {
    caller.may("customers:write")?;
    load(&state, &text).await?;
    let identity = IdentityId::new(now(), &mut chance());
    let level = new.level.unwrap_or_else(|| "claimed".to_owned());
    let customer = id(UNKNOWN, &text)?;
    state.record(vec![Fact::IdentityLinked { identity, customer, channel: new.channel, address: new.address, level }]).await?;
    Ok((StatusCode::CREATED, Json(Identities { data: state.store.identities(&text).await? })))
}

/// Calls, chats, tickets, messages left, callbacks, surveys and page views of a customer in one order, newest first.
#[utoipa::path(get, path = "/v1/customers/{id}/timeline", tag = "customers", params(("id" = String, Path), Paging),
    responses((status = 200, body = Page<Happening>), Refused))]
pub async fn timeline(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Happening>>, Problem> {
    caller.may("customers:read")?;
    load(&state, &id).await?;
    Ok(Json(state.store.timeline(&id, &paging.into()).await?))
}

/// Puts a tag on a customer.
#[utoipa::path(put, path = "/v1/customers/{id}/tags/{tag}", tag = "customers", params(("id" = String, Path), ("tag" = String, Path)),
    responses((status = 200, body = Customer), Refused))]
pub async fn tag(
    State(state): State<ApiState>,
    caller: Caller,
    Path((id, tag)): Path<(String, String)>,
) -> Result<Json<Customer>, Problem> {
    let put = |tags: &mut Vec<String>| {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    };
    change_tags(&state, &caller, &id, put).await
}

/// Takes a tag off a customer.
#[utoipa::path(delete, path = "/v1/customers/{id}/tags/{tag}", tag = "customers", params(("id" = String, Path), ("tag" = String, Path)),
    responses((status = 200, body = Customer), Refused))]
pub async fn untag(
    State(state): State<ApiState>,
    caller: Caller,
    Path((id, tag)): Path<(String, String)>,
) -> Result<Json<Customer>, Problem> {
    change_tags(&state, &caller, &id, |tags| tags.retain(|own| *own != tag)).await
}

async fn change_tags(
    state: &ApiState,
    caller: &Caller,
    text: &str,
    change: impl FnOnce(&mut Vec<String>),
) -> Result<Json<Customer>, Problem> {
    caller.may("customers:write")?;
    let _turn = state.turns.of(text).await;
    let mut tags = load(state, text).await?.tags;
    change(&mut tags);
    let fields = Map::from_iter([("tags".to_owned(), Value::from(tags))]);
    changed(state, text, fields).await
}

/// Writes changed fields down, and tells the rules: a session that runs knows them from here on.
async fn changed(state: &ApiState, text: &str, fields: Map<String, Value>) -> Result<Json<Customer>, Problem> {
    let customer = id(UNKNOWN, text)?;
    state.record(vec![Fact::CustomerUpdated { customer, fields: fields.clone() }]).await?;
    state.command(AgentCommand::CustomerIs { customer, fields }).await?;
    Ok(Json(load(state, text).await?))
}

/// Notes what a customer did outside of sessions.
#[utoipa::path(post, path = "/v1/customers/{id}/activities", tag = "customers", params(("id" = String, Path)), request_body = NewActivity,
    responses((status = 204), Refused))]
pub async fn activity(
    State(state): State<ApiState>,
    caller: Caller,
    Path(text): Path<String>,
    Body(new): Body<NewActivity>,
) -> Result<StatusCode, Problem> {
    caller.may("customers:write")?;
    load(&state, &text).await?;
    let fact = Fact::ActivitySeen { customer: id(UNKNOWN, &text)?, kind: new.kind, title: new.title, url: new.url };
    state.store.record(&state.journal, events(vec![fact])).await?;
    Ok(StatusCode::NO_CONTENT)
}
