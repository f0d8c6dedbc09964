//! What the store remembers and the rules need: a customer behind an address, and what a restart finds open.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::control::time::Time;
use crate::control::words::phone::KeptPhone;
use crate::control::words::ticket::OpenTicket;
use crate::control::words::{AgentId, CallId, ConversationId, CustomerId, IdentityId, Lang, QueueId, SessionId};

/// The answer to [`crate::control::words::lookup::Lookup::Customer`], as the JSON of `Finding::Found`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Known {
    /// Who it is.
    pub customer: CustomerId,
    /// The identity that was asked for.
    pub identity: IdentityId,
    /// The customer's name.
    #[serde(default)]
    pub name: Option<String>,
    /// The language he is served in.
    #[serde(default)]
    pub lang: Option<Lang>,
    /// All addresses he has, for messages to him on another channel.
    #[serde(default)]
    pub addresses: Vec<Address>,
    /// His last conversation, when it is open.
    #[serde(default)]
    pub conversation: Option<OpenConversation>,
    /// The agent who served him last, and when.
    #[serde(default)]
    pub last_agent: Option<LastAgent>,
    /// His tickets that are neither solved nor closed, the youngest first.
    #[serde(default)]
    pub open_tickets: Vec<OpenTicket>,
    /// Everything else a plan may ask for as `customer.*`: `external_id`, `tags`, `region` …
    #[serde(default)]
    pub fields: Map<String, Value>,
}

/// One address on one channel.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Address {
    /// `phone`, `web`, `wechat` …
    pub channel: String,
    /// E.164 for phones, else the channel's own id.
    pub address: String,
}

/// An open conversation and its last sign of life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenConversation {
    /// Which.
    pub id: ConversationId,
    /// The last fact in it.
    pub last: Time,
}

/// Who served a customer last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastAgent {
    /// Who.
    pub agent: AgentId,
    /// When the session with him ended.
    pub at: Time,
}

/// What the store hands over when the server starts.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Restored {
    /// The highest ticket number given so far; 0 = none.
    pub last_ticket: u64,
    /// Sessions that the log shows open: the process ended before they did.
    pub interrupted: Vec<Interrupted>,
    /// Phones that were registered: they need not register again to be reached.
    pub phones: Vec<KeptPhone>,
}

/// A session that an abrupt end of the process left open.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Interrupted {
    /// Which.
    pub session: SessionId,
    /// Its call, when it was one.
    pub call: Option<CallId>,
    /// When it began.
    pub began: Time,
    /// The line it stood in, when it waited: such a customer gets a callback.
    pub queue: Option<QueueId>,
    /// Where he can be called back.
    pub address: String,
}
