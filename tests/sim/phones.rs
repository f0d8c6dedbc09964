//! Phones: the same endpoint that speaks for the center, with people behind it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hotline::control::random::Random;
use hotline::control::sdp::{self, Direction, Local};
use hotline::control::sip::endpoint::Errand;
use hotline::control::sip::{Endpoint, Happening, Outgoing, Registration, Settings};
use hotline::control::time::Time;
use hotline::control::words::LegId;
use hotline::control::words::directory::Credentials;
use hotline::control::words::media::Codec;
use hotline::control::words::sip::{Flow, ListenerId, Transport};

use super::center::{DOMAIN, PASSWORD, center, listener};

/// A phone, or many callers' phones behind one address.
#[derive(Debug)]
pub struct Phone {
    /// SIP.
    pub endpoint: Endpoint,
    /// Its address.
    pub at: SocketAddr,
    calls: BTreeMap<LegId, Side>,
    next_port: u16,
}

/// Our side of one call.
#[derive(Debug)]
struct Side {
    local: Local,
    offer: Option<Bytes>,
    up: bool,
}

impl Phone {
    /// A phone at an address.
    pub fn new(now: Time, random: &mut Random, at: SocketAddr) -> Phone {
        let settings = Settings::new(vec![listener(at)], DOMAIN, random.bits());
        Phone { endpoint: Endpoint::new(now, random.bits(), settings), at, calls: BTreeMap::new(), next_port: 10_000 }
    }

    /// Dials; answers with the leg and the RTP port.
    pub fn dial(&mut self, now: Time, from: &str, number: &str) -> (LegId, u16) {
        let leg = self.endpoint.new_leg(now);
        let local = self.local();
        let sdp = sdp::offer(&local);
        let port = local.port;
        self.calls.insert(leg, Side { local, offer: None, up: false });
        let outgoing = Outgoing {
            target: to_center().into(),
            request_uri: format!("sip:{number}@{DOMAIN}"),
            from: format!("<sip:{from}@phones.example>"),
            to: format!("<sip:{number}@{DOMAIN}>"),
            headers: Vec::new(),
            sdp,
            credentials: None,
            manner: hotline::control::sip::endpoint::Manner::default(),
        };
        self.endpoint.invite(now, leg, outgoing);
        (leg, port)
    }

    /// Registers as a user, or takes the binding back.
    pub fn register(&mut self, now: Time, user: &str) {
        self.endpoint.register(
            now,
            Registration {
                target: to_center().into(),
                registrar: format!("sip:{DOMAIN}"),
                record: format!("sip:{user}@{DOMAIN}"),
                user: user.to_owned(),
                expires: Duration::from_secs(300),
                errand: Errand::Bind,
                credentials: Some(Credentials { user: user.to_owned(), password: PASSWORD.to_owned() }),
            },
        );
    }

    /// Keeps the book of calls; news of legs that are over are final.
    pub fn note(&mut self, happening: &Happening) {
        match happening {
            Happening::Invited(invited) => {
                let local = self.local();
                self.calls.insert(invited.leg, Side { local, offer: invited.sdp.clone(), up: false });
            }
            Happening::Answered { leg, .. } | Happening::Confirmed { leg, .. } => self.mark_up(*leg),
            Happening::Refused { leg, .. } | Happening::Cancelled { leg } | Happening::HungUp { leg } | Happening::Lost { leg, .. } => {
                self.calls.remove(leg);
            }
            _ => {}
        }
    }

    /// Answers a call that rings here; false when it rings no more.
    pub fn answer(&mut self, now: Time, leg: LegId) -> bool {
        let Some(side) = self.calls.get(&leg) else { return false };
        let description = match &side.offer {
            Some(offer) => sdp::answer(&side.local, offer).map(|(answer, _)| answer).expect("the center offers what phones can"),
            None => sdp::offer(&side.local),
        };
        self.endpoint.answer(now, leg, description);
        true
    }

    /// Early media before the answer.
    pub fn progress(&mut self, now: Time, leg: LegId) {
        let Some(side) = self.calls.get(&leg) else { return };
        let early = side.offer.as_ref().and_then(|offer| sdp::answer(&side.local, offer).ok()).map(|(answer, _)| answer);
        self.endpoint.ring(now, leg, 183, early);
    }

    /// Declines.
    pub fn refuse(&mut self, now: Time, leg: LegId, status: u16) {
        if self.calls.remove(&leg).is_some() {
            self.endpoint.refuse(now, leg, status, &[]);
        }
    }

    /// Ends a call in whatever state it is.
    pub fn hang_up(&mut self, now: Time, leg: LegId) {
        if self.calls.get(&leg).is_some_and(|side| side.up) {
            self.calls.remove(&leg);
        }
        self.endpoint.hang_up(now, leg, &[]);
    }

    /// Holds the other side, or takes it back.
    pub fn hold(&mut self, now: Time, leg: LegId, direction: Direction) {
        let Some(side) = self.calls.get_mut(&leg).filter(|side| side.up) else { return };
        side.local.direction = direction;
        side.local.version += 1;
        let offer = sdp::offer(&side.local);
        self.endpoint.reoffer(now, leg, offer);
    }

    /// The call stands.
    pub fn is_up(&self, leg: LegId) -> bool {
        self.calls.get(&leg).is_some_and(|side| side.up)
    }

    /// Calls that are not over.
    pub fn open(&self) -> usize {
        self.calls.len()
    }

    fn mark_up(&mut self, leg: LegId) {
        if let Some(side) = self.calls.get_mut(&leg) {
            side.up = true;
        }
    }

    fn local(&mut self) -> Local {
        self.next_port = if self.next_port >= 60_000 { 10_000 } else { self.next_port + 2 };
        let plain = Local::plain(self.at.ip(), self.next_port, vec![Codec::Pcmu, Codec::Pcma]);
        Local { session: u64::from(self.next_port), ..plain }
    }
}

fn to_center() -> Flow {
    Flow { listener: ListenerId(0), transport: Transport::Udp, remote: center(), connection: None }
}
