//! Session descriptions (RFC 8866) and offer/answer (RFC 3264) for one stream of audio.

mod browser;
mod crypto;
mod describe;
mod dtls;
mod formats;
mod negotiate;
mod rtcp;

pub use negotiate::{accept, accept_again, answer};
use negotiate::{plain, refused};

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use formats::Formats;

use super::words::media::{Codec, Stream};
use super::words::srtp::Protection;
use super::words::trunk::Keys;

/// Our side of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The address in our `c=` line.
    pub address: IpAddr,
    /// Our RTP port.
    pub port: u16,
    /// Other addresses that lead to it; browsers try them all.
    pub others: Arc<[IpAddr]>,
    /// Codecs, best first.
    pub codecs: Vec<Codec>,
    /// `o=` session id: the same for the leg's whole life.
    pub session: u64,
    /// `o=` version: one more for each changed description.
    pub version: u64,
    /// What we wish.
    pub direction: Direction,
    /// How keys travel.
    pub keys: Keys,
    /// How the sound is protected.
    pub protection: Protection,
    /// What the session agreed on before, when this is not its first description.
    pub before: Option<Stream>,
}

impl Local {
    /// The first description of a session both of whose sides send in clear; keys go as telephone-events.
    #[must_use]
    pub fn plain(address: impl Into<IpAddr>, port: u16, codecs: Vec<Codec>) -> Local {
        Local {
            address: address.into(),
            port,
            others: Arc::default(),
            codecs,
            session: 1,
            version: 1,
            direction: Direction::SendRecv,
            keys: Keys::default(),
            protection: Protection::default(),
            before: None,
        }
    }
}

/// Who may send (RFC 8866 §6.7), from the side of the one who says it.
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

impl Direction {
    /// The attribute's name.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The direction of this attribute's name.
    #[must_use]
    pub fn of(token: &str) -> Option<Direction> {
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
            .into_iter()
            .find(|direction| direction.token() == token)
    }

    /// May he who says it send?
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Does he who says it receive?
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// What is left of our wish beside the peer's (RFC 3264 §6.1).
    #[must_use]
    pub fn beside(self, peer: Direction) -> Direction {
        match (self.sends() && peer.receives(), self.receives() && peer.sends()) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }
}

/// Why a description cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {warning}")]
pub struct Refused {
    /// The SIP status that fits: 400 or 488.
    pub status: u16,
    /// A whole Warning header value (RFC 3261 §20.43): `305 hotline "no codec …"`.
    pub warning: String,
}

/// Milliseconds a packet, when nothing else is asked for.
const USUAL_PTIME: u8 = 20;

/// Our offer: one audio line with our codecs and telephone-event.
#[must_use]
pub fn offer(local: &Local) -> Bytes {
    let mut text = describe::session(local);
    put_session(&mut text, local, browser::first_mid());
    let line = Offering { formats: Formats::offered(local, None), profile: crypto::profile(local), mid: browser::first_mid() };
    put_offer(&mut text, local, &line);
    Bytes::from(text)
}

/// A later offer in the same session: every line of our last description keeps its place, rejected ones too (RFC 3264 §8).
#[must_use]
pub fn offer_again(local: &Local, last: &[u8]) -> Bytes {
    let Some(lines) = sdp_types::Session::parse(last).ok().map(|session| session.medias).filter(|lines| !lines.is_empty()) else {
        return offer(local);
    };
    let ours = lines.iter().position(|line| line.media == "audio" && line.port != 0).unwrap_or(0);
    let mut text = describe::session(local);
    let mid = lines.get(ours).map_or(browser::first_mid(), browser::mid_again);
    put_session(&mut text, local, mid);
    for (at, line) in lines.iter().enumerate() {
        if at == ours {
            let formats = Formats::offered(local, Some(line));
            put_offer(&mut text, local, &Offering { formats, profile: crypto::profile_again(local, line), mid });
        } else {
            describe::rejected(&mut text, line);
            if browser::offered(local).is_some() {
                browser::put_mid(&mut text, line);
            }
        }
    }
    Bytes::from(text)
}

fn put_session(text: &mut String, local: &Local, mid: &str) {
    if browser::offered(local).is_some() {
        browser::put_session(text, Some(mid));
    }
}

/// Our audio line.
struct Offering<'a> {
    formats: Formats,
    /// Where nothing else is agreed or required.
    profile: &'static str,
    mid: &'a str,
}

fn put_offer(text: &mut String, local: &Local, line: &Offering<'_>) {
    let ice = browser::offered(local);
    let proto = match (ice, dtls::is_ours(local)) {
        (Some(_), _) => browser::PROFILE,
        (None, Some(_)) => dtls::PROFILE,
        (None, None) => line.profile,
    };
    let audio = describe::Audio { port: local.port, proto, formats: &line.formats, ptime: USUAL_PTIME, direction: local.direction };
    describe::audio(text, &audio);
    text.push_str(rtcp::OFFERED);
    match dtls::is_ours(local) {
        Some(ours) => dtls::put_offer(text, &ours),
        None => crypto::put_offer(text, local),
    }
    if let Some(ice) = ice {
        browser::put_line(text, local, &ice, Some(line.mid));
    }
}

#[cfg(test)]
mod browser_tests;
#[cfg(test)]
mod crypto_tests;
#[cfg(test)]
mod tests;
