//! Session descriptions (RFC 4566) and offer/answer (RFC 3264).

use std::net::IpAddr;

use bytes::Bytes;

use super::words::media::{Codec, Stream};

/// Our side of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The address in our `c=` line.
    pub address: IpAddr,
    /// Our RTP port.
    pub port: u16,
    /// Codecs, best first.
    pub codecs: Vec<Codec>,
    /// `o=` session id: the same for the leg's whole life.
    pub session: u64,
    /// `o=` version: one more for each changed description.
    pub version: u64,
    /// What we wish.
    pub direction: Direction,
}

/// Who may send (RFC 4566 §6), from the side of the one who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    SendRecv,
    /// Only he who says it sends: he holds the other.
    SendOnly,
    /// Only the other sends.
    RecvOnly,
    /// Nobody.
    Inactive,
}

/// Why a description cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {warning}")]
pub struct Refused {
    /// The SIP status that fits: 400, 415 or 488.
    pub status: u16,
    /// The text of the Warning header (RFC 3261 §20.43).
    pub warning: String,
}

/// Our offer: one audio line with our codecs and telephone-event.
#[must_use]
pub fn offer(_local: &Local) -> Bytes {
    Bytes::new()
}

/// Our answer to an offer, and what was agreed.
///
/// # Errors
/// [`Refused`] when the offer is broken or nothing in it can be accepted.
pub fn answer(_local: &Local, _offer: &[u8]) -> Result<(Bytes, Stream), Refused> {
    Err(Refused { status: 488, warning: "no audio".to_owned() })
}

/// What the peer's answer to our offer agreed.
///
/// # Errors
/// [`Refused`] when the answer is broken or rejects the audio.
pub fn accept(_local: &Local, _answer: &[u8]) -> Result<Stream, Refused> {
    Err(Refused { status: 488, warning: "no audio".to_owned() })
}
