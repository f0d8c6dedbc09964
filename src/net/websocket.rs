//! SIP in WebSocket messages (RFC 7118): the subprotocol `sip`, one SIP message in each text or binary message.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::control::sip::message::MAX_BYTES;

/// The registered name of SIP within WebSocket.
const SUBPROTOCOL: &str = "sip";

fn limits() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(MAX_BYTES)).max_frame_size(Some(MAX_BYTES))
}

/// The handshake of a client that came in; without the subprotocol it is refused with 400 (RFC 7118 §4.1).
pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> io::Result<WebSocketStream<S>> {
    // The library asks for this very result.
    #[allow(clippy::result_large_err)]
    let agree = |request: &Request, mut response: Response| {
        if !offers_sip(request.headers()) {
            let mut refusal = ErrorResponse::new(Some("This is a SIP server: ask for the WebSocket subprotocol \"sip\".\n".to_owned()));
            *refusal.status_mut() = StatusCode::BAD_REQUEST;
            return Err(refusal);
        }
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        Ok(response)
    };
    tokio_tungstenite::accept_hdr_async_with_config(stream, agree, Some(limits())).await.map_err(broken)
}

/// The handshake with a server that we called `host`, a name or an address with its port.
pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(stream: S, host: &str, scheme: &str) -> io::Result<WebSocketStream<S>> {
    let mut request = format!("{scheme}://{host}/").into_client_request().map_err(broken)?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let (stream, response) = tokio_tungstenite::client_async_with_config(request, stream, Some(limits())).await.map_err(broken)?;
    if !offers_sip(response.headers()) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the WebSocket server does not speak SIP"));
    }
    Ok(stream)
}

fn offers_sip(headers: &HeaderMap) -> bool {
    let named = headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|name| name.trim() == SUBPROTOCOL)
}

/// A SIP message as a WebSocket message: text where it is text, as browsers like it.
pub(super) fn wrapped(bytes: Bytes) -> Message {
    match Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(bytes),
    }
}

/// What is in a WebSocket message, when it may be SIP.
pub(super) fn unwrapped(message: Message) -> Option<Bytes> {
    match message {
        Message::Text(text) => Some(text.into()),
        Message::Binary(bytes) => Some(bytes),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => None,
    }
}

/// A WebSocket's failure as one of its stream.
pub(super) fn broken(why: Error) -> io::Error {
    match why {
        Error::Io(why) => why,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::ConnectionReset.into(),
        why => io::Error::new(io::ErrorKind::InvalidData, why),
    }
}
