//! Chat lines in and out: the channel contract of `POST /v1/channels/{name}/inbound`.

use super::{CommandId, MessageId, SessionId};
use crate::nlu::Meanings;

/// What a message carries.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
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
        card: serde_json::Value,
    },
}

/// A line from a customer on a chat channel.
#[derive(Clone, PartialEq, Debug)]
pub struct Received {
    /// The API request that waits for the ids.
    pub command: CommandId,
    /// The channel's name: `web`, `wechat`, `sms`.
    pub channel: String,
    /// The adapter's own id of the line; de-duplicates for ever.
    pub external_id: String,
    /// The customer's address on the channel (open id, phone number, visitor id).
    pub address: String,
    /// What was sent.
    pub content: Content,
    /// What a sentence model says of a text, where there is one.
    pub meanings: Meanings,
    /// What the adapter knows of the sender: `phone`, `name`, `lang`, `plan` …; a verified phone joins the phone identity.
    pub profile: serde_json::Map<String, serde_json::Value>,
}

/// A line to a customer.
#[derive(Clone, PartialEq, Debug)]
pub struct Send {
    /// The session.
    pub session: SessionId,
    /// The message.
    pub message: MessageId,
    /// Over which channel.
    pub channel: String,
    /// To whom.
    pub address: String,
    /// What.
    pub content: Content,
    /// Buttons (a menu's options), label and what a press sends.
    pub buttons: Vec<(String, String)>,
}
