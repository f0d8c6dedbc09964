//! One handshake with one source, kept going when records are lost.
//!
//! The library repeats a flight by its own timer, but forgets that timer with every record that comes in, a repeated old one too; then
//! two sides whose flights crossed wait for each other for ever. So old records are kept from it, and a handshake that stands still all
//! the same is begun anew.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_dtls::config::HandshakeConfig;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::state::State;

use super::heard::Heard;

/// The side that begins does it anew when nothing new came for so long: the library gives up after eight flights of 200 ms.
const ANEW: Duration = Duration::from_secs(3);
/// The other side takes a new beginning when nothing new came for so long; less, and a record that was long on its way would be one.
const PATIENCE: Duration = Duration::from_secs(2);
const ALERT: u8 = 21;

/// How far it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Open,
    /// It came to its end.
    Ended,
    /// It gave keys: the certificate was the right one.
    Keyed,
}

/// A handshake with one source.
pub(super) struct Association {
    /// With whom.
    pub peer: SocketAddr,
    endpoint: Endpoint,
    standing: Standing,
    /// Whose beginning it is: with it we began.
    client: Option<Arc<HandshakeConfig>>,
    /// When it last came further.
    moved: Duration,
    /// The highest message number that was given to the library.
    given: Option<u16>,
    /// Up to this number the peer's messages were answered by a flight of ours.
    answered: Option<u16>,
}

/// The moment, as the library and as we count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub instant: Instant,
    pub now: Duration,
}

/// The endpoint keeps its own address for its reports only.
fn endpoint(server: Option<Arc<HandshakeConfig>>) -> Endpoint {
    Endpoint::new(SocketAddr::from(([0, 0, 0, 0], 0)), Default::default(), server)
}

impl Association {
    /// One that the peer begins.
    pub fn awaited(at: Moment, peer: SocketAddr, server: &Arc<HandshakeConfig>) -> Association {
        Association::new(at, peer, endpoint(Some(Arc::clone(server))), None)
    }

    /// One that we begin.
    pub fn begun(at: Moment, peer: SocketAddr, client: &Arc<HandshakeConfig>) -> Association {
        let mut association = Association::new(at, peer, endpoint(None), Some(Arc::clone(client)));
        association.connect(at, client);
        association
    }

    fn new(at: Moment, peer: SocketAddr, endpoint: Endpoint, client: Option<Arc<HandshakeConfig>>) -> Association {
        Association { peer, endpoint, standing: Standing::Open, client, moved: at.now, given: None, answered: None }
    }

    fn connect(&mut self, at: Moment, client: &Arc<HandshakeConfig>) {
        if let Err(why) = self.endpoint.connect(at.instant, self.peer, Arc::clone(client), None) {
            tracing::debug!(%why, "no handshake with a leg's peer");
        }
    }

    /// Repeats what was lost.
    pub fn drive(&mut self, at: Moment) {
        if let Err(why) = self.endpoint.handle_timeout(self.peer, at.instant) {
            tracing::trace!(%why, "a handshake waits");
        }
    }

    /// Begins one of ours anew that stands still.
    pub fn revive(&mut self, at: Moment) {
        if self.standing == Standing::Open
            && at.now.saturating_sub(self.moved) >= ANEW
            && let Some(client) = self.client.clone()
        {
            *self = Association::begun(at, self.peer, &client);
        }
    }

    /// It gave keys.
    pub fn keep(&mut self) {
        self.standing = Standing::Keyed;
    }

    /// Did it give keys?
    pub fn is_kept(&self) -> bool {
        self.standing == Standing::Keyed
    }

    /// Has it stood still for so long that a new beginning of its peer is one, and not an old record?
    pub fn may_begin_anew(&self, now: Duration) -> bool {
        self.client.is_none() && now.saturating_sub(self.moved) >= PATIENCE
    }

    /// Did the peer show that it hears us, by bringing our cookie back (RFC 6347 §4.2.1)?
    pub fn is_reached(&self) -> bool {
        self.answered.is_some_and(|number| number > 0)
    }

    /// Takes records; true when they were the last ones needed. What is to be sent goes into `out`.
    pub fn take(&mut self, at: Moment, datagram: &[u8], heard: &Heard, out: &mut Vec<BytesMut>) -> bool {
        if self.is_of_no_use(heard) {
            return false;
        }
        self.given = self.given.max(heard.highest);
        let read = self.endpoint.read(at.instant, self.peer, None, BytesMut::from(datagram));
        let before = out.len();
        self.next_records(out);
        if out[before..].iter().any(|record| record.first() != Some(&ALERT)) && self.standing == Standing::Open {
            (self.answered, self.moved) = (self.given, at.now);
        }
        match read {
            Ok(events) => {
                let complete = events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete));
                if complete {
                    (self.standing, self.moved) = (Standing::Ended, at.now);
                }
                complete
            }
            Err(why) => {
                tracing::debug!(%why, "a handshake record of a leg's peer cannot be used");
                false
            }
        }
    }

    /// Records that would only make the library forget its timer. A first hello without a cookie is answered each time, for that answer
    /// has no timer; and who ended with the peer's last flight needs nothing more.
    fn is_of_no_use(&self, heard: &Heard) -> bool {
        if self.client.is_some() && self.standing != Standing::Open {
            return true;
        }
        let Some(answered) = self.answered else { return false };
        let waits = self.endpoint.poll_timeout(&self.peer).is_some();
        waits && (self.client.is_some() || self.is_reached()) && heard.is_all_up_to(answered)
    }

    /// What is to be sent now.
    pub fn next_records(&mut self, out: &mut Vec<BytesMut>) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            out.push(transmit.message);
        }
    }

    /// What both sides agreed on.
    pub fn state(&self) -> Option<&State> {
        self.endpoint.get_connection_state(self.peer)
    }
}
