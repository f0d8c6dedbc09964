//! A phone's registration as the log keeps it, so that it outlives the process.

use std::net::SocketAddr;

use super::sip::Transport;
use crate::control::time::Time;

/// One contact of a user.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct KeptContact {
    /// The contact URI.
    pub uri: String,
    /// Path (RFC 3327): the proxies between him and us, the one next to us first, as written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// Which device it is (`+sip.instance` and `reg-id`, RFC 5626), when it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// How the REGISTER travelled.
    pub transport: Transport,
    /// Over which of our sockets.
    pub listener: u16,
    /// Where it came from.
    pub remote: SocketAddr,
    /// Until when it stands.
    pub until: Time,
    /// Call-ID and CSeq of the REGISTER: an older one must not undo it.
    pub call_id: String,
    /// See `call_id`.
    pub cseq: u32,
}

/// All contacts of a user.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct KeptPhone {
    /// Who.
    pub user: String,
    /// In the order in which they were made.
    pub contacts: Vec<KeptContact>,
}
