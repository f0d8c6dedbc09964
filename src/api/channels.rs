//! `/v1/channels`: the adapter contract, and the web chat's own door for visitors.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Caller;
use super::extract::{Body, Query, Raw};
use super::problem::{Problem, Refused};
use super::visitor::{Claims, LIFE};
use crate::clock::now;
use crate::control::dialplan::plan::Plan;
use crate::control::words::agent::Reply;
use crate::control::words::chat::Content;
use crate::control_handle::Line;
use crate::signature;
use crate::store::deliveries::Delivery;
use crate::store::visits::VisitorLine;

/// The longest channel name, external id and address, in bytes.
const NAME_BYTES: usize = 255;
/// Lines given to a visitor at once.
const LINES: i64 = 200;
/// Dead letters given at once.
const DEAD: i64 = 200;
/// The channel that visitors of our own widget use.
const WEB: &str = "web";

/// The shape of [`Content`], for the OpenAPI document.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ContentShape {
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// A picture, voice note or file by URL.
    Media {
        /// Where it is.
        media_url: String,
        /// MIME type.
        media_type: Option<String>,
    },
    /// A place.
    Location {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// What the place is called.
        label: Option<String>,
    },
    /// A channel's own card.
    Card {
        /// As given.
        #[schema(value_type = Object)]
        card: Value,
    },
}

/// A line of a customer, as an adapter gives it.
#[derive(Deserialize, ToSchema)]
pub struct Inbound {
    /// The adapter's own id of the line; the same one again gives the same answer, for ever.
    #[schema(min_length = 1, max_length = 255)]
    pub external_id: String,
    /// The customer's address on the channel.
    #[schema(min_length = 1, max_length = 255)]
    pub address: String,
    /// What was sent: `kind` with `text`, `media_url`, `latitude`+`longitude` or `card`.
    #[serde(flatten)]
    #[schema(value_type = ContentShape)]
    pub content: Content,
    /// What the adapter knows of the sender: `phone`, `name`, `lang`, `plan` …
    #[serde(default)]
    #[schema(value_type = Object)]
    pub profile: Map<String, Value>,
    /// When it was sent, RFC 3339; kept by the adapter, our own time counts.
    pub at: Option<String>,
}

/// The ids a line got.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Taken {
    /// `ses_…`
    pub session_id: String,
    /// `msg_…`
    pub message_id: String,
}

/// A visitor to be let in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVisitor {
    /// His lasting id in the shop.
    #[schema(min_length = 1, max_length = 255)]
    pub address: String,
    /// What the shop knows of him: `phone`, `name`, `lang`, `plan` …
    #[serde(default)]
    #[schema(value_type = Object)]
    pub profile: Map<String, Value>,
}

/// A visitor's token.
#[derive(Serialize, ToSchema)]
pub struct VisitorToken {
    /// Send it as `Authorization: Bearer …` to `/v1/channels/web/messages`.
    pub token: String,
    /// RFC 3339.
    pub expires_at: String,
}

/// A line of a visitor.
#[derive(Deserialize, ToSchema)]
pub struct VisitorMessage {
    /// Made by the page; the same one again gives the same answer.
    #[schema(min_length = 1, max_length = 255)]
    pub client_id: String,
    /// What was sent.
    #[serde(flatten)]
    #[schema(value_type = ContentShape)]
    pub content: Content,
}

/// Which lines.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct After {
    /// Those after this seq.
    pub after_seq: Option<i64>,
}

/// A visitor's chat.
#[derive(Serialize, ToSchema)]
pub struct VisitorLines {
    /// Oldest first, his own and ours.
    pub data: Vec<VisitorLine>,
    /// Ask on with this as `after_seq`.
    pub next_after_seq: i64,
}

/// Messages that could not be delivered.
#[derive(Serialize, ToSchema)]
pub struct DeadLetters {
    /// Newest first.
    pub data: Vec<Delivery>,
}

fn check(name: &str, text: &str) -> Result<(), Problem> {
    if text.is_empty() || text.len() > NAME_BYTES {
        let detail = format!("{name}: 1 to {NAME_BYTES} bytes, not {}", text.len());
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "field_invalid", detail));
    }
    Ok(())
}

/// A channel is known when the configuration or a plan names it; a plan without channels serves any. The post to one with a secret
/// must be signed with it.
fn is_signed(state: &ApiState, channel: &str, headers: &HeaderMap, raw: &Raw) -> Result<(), Problem> {
    let unsigned = |code, detail: String| Problem::new(StatusCode::UNAUTHORIZED, code, detail);
    match state.channels.borrow().get(channel) {
        Some(Some(secret)) => {
            let header = headers.get(signature::HEADER).and_then(|header| header.to_str().ok());
            let header = header.ok_or_else(|| {
                unsigned("signature_missing", format!("the channel '{channel}' has a secret: sign the body in Hotline-Signature with it"))
            })?;
            signature::verify(secret, header, raw.bytes(), now()).map_err(|why| unsigned("signature_invalid", why.to_string()))
        }
        Some(None) => Ok(()),
        None => {
            let serves = |plan: &Plan| plan.channels.is_empty() || plan.channels.iter().any(|own| own == channel);
            let known = channel == WEB || state.directory().plans.values().any(|plan| serves(plan));
            if known { Ok(()) } else { Err(Problem::unknown("channel_unknown", channel)) }
        }
    }
}

/// Hands a line to the rules, once per (channel, external id), for ever.
async fn take(state: &ApiState, line: Line) -> Result<(StatusCode, Json<Taken>), Problem> {
    check("channel", &line.channel)?;
    check("external_id", &line.external_id)?;
    check("address", &line.address)?;
    if let Some(before) = state.store.message_of_channel(&line.channel, &line.external_id).await? {
        return Ok((StatusCode::OK, Json(Taken { session_id: before.session, message_id: before.id })));
    }
    match state.control.chat(line).await? {
        Reply::Message { session, message, replayed } => {
            let status = if replayed { StatusCode::OK } else { StatusCode::ACCEPTED };
            Ok((status, Json(Taken { session_id: session.to_string(), message_id: message.to_string() })))
        }
        other => {
            tracing::error!(?other, "the rules answered a chat line with something else");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "unexpected_reply", "the line was taken, but its ids are not known"))
        }
    }
}

/// A line of a customer. 202 when it is new, 200 when `external_id` came before. A channel with a secret wants the post signed.
#[utoipa::path(post, path = "/v1/channels/{name}/inbound", tag = "channels",
    params(("name" = String, Path), ("Hotline-Signature" = Option<String>, Header, description = "`t=…,v1=…`, when the channel has a secret")),
    request_body = Inbound, responses((status = 202, body = Taken), (status = 200, body = Taken), Refused))]
pub async fn inbound(
    State(state): State<ApiState>,
    caller: Caller,
    Path(channel): Path<String>,
    headers: HeaderMap,
    raw: Raw,
) -> Result<(StatusCode, Json<Taken>), Problem> {
    caller.may("channels:inbound")?;
    is_signed(&state, &channel, &headers, &raw)?;
    let Inbound { external_id, address, content, profile, at: _ } = raw.read()?;
    take(&state, Line { channel, external_id, address, content, profile }).await
}

/// Lets a visitor of the web chat in: the shop's server asks for him. It may as well sign the token itself.
#[utoipa::path(post, path = "/v1/channels/web/visitors", tag = "channels", request_body = NewVisitor,
    responses((status = 201, body = VisitorToken), Refused))]
pub async fn let_in(
    State(state): State<ApiState>,
    caller: Caller,
    Body(new): Body<NewVisitor>,
) -> Result<(StatusCode, Json<VisitorToken>), Problem> {
    caller.may("channels:inbound")?;
    check("address", &new.address)?;
    let until = now() + LIFE;
    let claims = Claims { sub: new.address, channel: WEB.to_owned(), exp: until.millis() / 1_000, profile: new.profile };
    Ok((StatusCode::CREATED, Json(VisitorToken { token: state.visitors.sign(&claims), expires_at: until.rfc3339() })))
}

/// Messages that could not be delivered to an adapter in 72 hours.
#[utoipa::path(get, path = "/v1/channels/dead_letters", tag = "channels", responses((status = 200, body = DeadLetters), Refused))]
pub async fn dead_letters(State(state): State<ApiState>, caller: Caller) -> Result<Json<DeadLetters>, Problem> {
    caller.may("messages:read")?;
    Ok(Json(DeadLetters { data: state.store.dead_deliveries(DEAD).await? }))
}

/// A line of a visitor. 202 when it is new, 200 when `client_id` came before.
#[utoipa::path(post, path = "/v1/channels/web/messages", tag = "channels", request_body = VisitorMessage,
    responses((status = 202, body = Taken), (status = 200, body = Taken), Refused))]
pub async fn write(
    State(state): State<ApiState>,
    Extension(claims): Extension<Claims>,
    Body(new): Body<VisitorMessage>,
) -> Result<(StatusCode, Json<Taken>), Problem> {
    let Claims { sub: address, channel, profile, .. } = claims;
    check("client_id", &new.client_id)?;
    let external_id = format!("{address}/{}", new.client_id);
    take(&state, Line { channel, external_id, address, content: new.content, profile }).await
}

/// A visitor's chat, his own lines and ours, over all his sessions.
#[utoipa::path(get, path = "/v1/channels/web/messages", tag = "channels", params(After),
    responses((status = 200, body = VisitorLines), Refused))]
pub async fn read(
    State(state): State<ApiState>,
    Extension(claims): Extension<Claims>,
    Query(after): Query<After>,
) -> Result<Json<VisitorLines>, Problem> {
    let after = after.after_seq.unwrap_or(0);
    let data = state.store.visitor_lines(&claims.channel, &claims.sub, after, LINES).await?;
    let next_after_seq = data.last().map_or(after, |last| last.seq);
    Ok(Json(VisitorLines { data, next_after_seq }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What the document says of a content; a kind or field that it does not know does not compile.
    fn documented(content: Content) -> ContentShape {
        match content {
            Content::Text { text } => ContentShape::Text { text },
            Content::Media { media_url, media_type } => ContentShape::Media { media_url, media_type },
            Content::Location { latitude, longitude, label } => ContentShape::Location { latitude, longitude, label },
            Content::Card { card } => ContentShape::Card { card },
        }
    }

    #[test]
    fn the_documented_shape_of_content_is_what_is_sent() {
        let all = [
            Content::Text { text: "hello".to_owned() },
            Content::Media { media_url: "https://x/a.jpg".to_owned(), media_type: Some("image/jpeg".to_owned()) },
            Content::Location { latitude: 30.25, longitude: 120.5, label: Some("杭州".to_owned()) },
            Content::Card { card: json!({"title": "tea"}) },
        ];
        for content in all {
            let sent = serde_json::to_value(&content).unwrap();
            assert_eq!(serde_json::to_value(documented(content)).unwrap(), sent);
        }
    }
}
