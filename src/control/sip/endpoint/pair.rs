//! Two endpoints and a wire between them in virtual time: messages are lost, doubled and overtaken as a seed says.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::control::sip::message::Message;
use crate::control::words::directory::{Credentials, Ha1, Listener};
use crate::control::words::sip::ListenerId;

pub(super) const START: Time = Time(1_795_000_000_000_000);
const PLACES: [&str; 2] = ["192.0.2.1:5060", "192.0.2.2:5060"];

/// How bad the wire is, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wire {
    pub loss: u64,
    pub double: u64,
    /// Milliseconds of delay by chance, which lets messages overtake each other.
    pub jitter: u64,
}

/// Two endpoints: 0 and 1.
pub(super) struct Pair {
    pub now: Time,
    pub ends: [Endpoint; 2],
    /// What each was told, in order.
    pub told: [Vec<Happening>; 2],
    /// Every message that was sent: by whom, and the start line.
    pub sent: Vec<(usize, String)>,
    pub transport: Transport,
    wire: Wire,
    random: Random,
    flying: BTreeMap<(Time, u64), (usize, Transmit)>,
    number: u64,
}

pub(super) fn flow_to(place: usize, transport: Transport) -> Flow {
    Flow { listener: ListenerId(0), transport, remote: PLACES[place].parse().unwrap(), connection: None }
}

fn endpoint(place: usize, seed: u64, transport: Transport) -> Endpoint {
    let address = PLACES[place].parse().unwrap();
    let listener = Listener { id: ListenerId(0), transport, bound: address, advertised: address };
    Endpoint::new(START, seed * 2 + place as u64, Settings::new(vec![listener], "center", 7))
}

impl Pair {
    pub(super) fn new(seed: u64, wire: Wire) -> Pair {
        Pair::over(Transport::Udp, seed, wire)
    }

    pub(super) fn over(transport: Transport, seed: u64, wire: Wire) -> Pair {
        Pair {
            now: START,
            ends: [endpoint(0, seed, transport), endpoint(1, seed, transport)],
            told: [Vec::new(), Vec::new()],
            sent: Vec::new(),
            transport,
            wire,
            random: Random::new(seed ^ 0x5EED),
            flying: BTreeMap::new(),
            number: 0,
        }
    }

    /// End 1 knows these users, with the password `secret`.
    pub(super) fn with_users(mut self, users: &[&str]) -> Pair {
        let known = users.iter().map(|user| ((*user).to_owned(), Ha1::of_password(user, "center", "secret"))).collect();
        let settings = Settings { users: std::sync::Arc::new(known), ..self.ends[1].settings.clone() };
        self.ends[1].configure(settings);
        self
    }

    /// End 0 calls end 1.
    pub(super) fn call(&mut self, user: &str, credentials: Option<&str>) -> LegId {
        let leg = self.ends[0].new_leg(self.now);
        let outgoing = Outgoing {
            target: flow_to(1, self.transport).into(),
            request_uri: "sip:4001010@192.0.2.2".to_owned(),
            from: format!("\"A Caller\" <sip:{user}@center>"),
            to: "<sip:4001010@center>".to_owned(),
            headers: vec![("X-Test".to_owned(), "1".to_owned())],
            sdp: Bytes::from_static(b"offer"),
            credentials: credentials.map(|password| Credentials { user: user.to_owned(), password: password.to_owned() }),
            manner: crate::control::sip::endpoint::Manner::default(),
        };
        self.ends[0].invite(self.now, leg, outgoing);
        leg
    }

    /// Sends what waits, and tells `react` what happened at which end.
    fn pump(&mut self, react: &mut impl FnMut(&mut Endpoint, usize, Time, &Happening)) {
        for place in 0..2 {
            while let Some(happening) = self.ends[place].poll_happening() {
                react(&mut self.ends[place], place, self.now, &happening);
                self.told[place].push(happening);
            }
        }
        for place in 0..2 {
            while let Some(transmit) = self.ends[place].poll_transmit() {
                self.fly(place, transmit);
            }
        }
    }

    fn fly(&mut self, from: usize, transmit: Transmit) {
        let line = transmit.bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        self.sent.push((from, String::from_utf8_lossy(line).into_owned()));
        let copies = if self.random.below(100) < self.wire.double { 2 } else { 1 };
        for _ in 0..copies {
            if self.random.below(100) >= self.wire.loss {
                let delay = Duration::from_millis(5 + self.random.below(self.wire.jitter + 1));
                self.number += 1;
                self.flying.insert((self.now + delay, self.number), (from, transmit.clone()));
            }
        }
    }

    /// Runs so long; `react` plays the owners.
    pub(super) fn run(&mut self, span: Duration, mut react: impl FnMut(&mut Endpoint, usize, Time, &Happening)) {
        let end = self.now + span;
        loop {
            self.pump(&mut react);
            let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
            let next = [arrival, self.ends[0].poll_timeout(), self.ends[1].poll_timeout()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = next.max(self.now);
            for end in &mut self.ends {
                if end.poll_timeout().is_some_and(|due| due <= self.now) {
                    end.handle_timeout(self.now);
                }
            }
            if arrival.is_some_and(|at| at <= self.now)
                && let Some((_, (from, transmit))) = self.flying.pop_first()
            {
                self.deliver(from, transmit);
            }
        }
        self.now = end;
    }

    fn deliver(&mut self, from: usize, transmit: Transmit) {
        let Some(to) = PLACES.iter().position(|place| place.parse() == Ok(transmit.flow.remote)) else { return };
        let message = Message::parse(transmit.bytes).expect("endpoints write messages that parse");
        self.ends[to].receive(self.now, Received { flow: flow_to(from, self.transport), message });
    }

    /// Nothing is left open at either end (invariant C2).
    pub(super) fn assert_empty(&self) {
        for end in &self.ends {
            assert_eq!((end.counts().transactions, end.counts().dialogs), (0, 0), "{:?}", self.sent);
            assert!(end.calls.by_tag.is_empty() && end.calls.by_invite.is_empty() && end.calls.alarms.is_empty());
        }
    }

    pub(super) fn lines_of(&self, place: usize) -> Vec<&str> {
        self.sent.iter().filter(|(from, _)| *from == place).map(|(_, line)| line.as_str()).collect()
    }

    /// How often a message that begins so was sent.
    pub(super) fn count(&self, start: &str) -> usize {
        self.sent.iter().filter(|(_, line)| line.starts_with(start)).count()
    }
}

/// The callee's owner: rings, answers, and takes every offer.
pub(super) fn answers(end: &mut Endpoint, _place: usize, now: Time, happening: &Happening) {
    match happening {
        Happening::Invited(invited) => {
            end.ring(now, invited.leg, 180, None);
            end.answer(now, invited.leg, Bytes::from_static(b"answer"));
        }
        Happening::Offered { leg, .. } => end.answer_offer(now, *leg, Bytes::from_static(b"again")),
        _ => {}
    }
}
