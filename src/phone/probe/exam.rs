//! The questions put to a far end, one after the other, as a state machine: OPTIONS to each host, REGISTER where we register, one
//! call. Pure: inputs and time come in, outputs go out; every message that passes is kept for the findings.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::super::wire::Input;
use super::finding::{self, Call, Host, Registration, Report};
use crate::control::sdp::{self, Local};
use crate::control::sip::Target;
use crate::control::sip::endpoint::{self, Check, Endpoint, Errand, Manner, Outgoing};
use crate::control::sip::happening::Happening;
use crate::control::sip::message::Message;
use crate::control::time::Time;
use crate::control::words::LegId;
use crate::control::words::sip::{Transmit, Transport, Whereabouts};
use crate::control::words::trunk::{Offer, Trunk};

/// Messages that are kept; a far end that sends more has said enough.
const MOST_SEEN: usize = 256;
/// All hosts have answered OPTIONS by then, or have not.
const OPTIONS: Duration = Duration::from_secs(12);
/// A registrar has answered by then.
const REGISTER: Duration = Duration::from_secs(15);
/// A call has rung or failed by then.
const CALL: Duration = Duration::from_secs(20);
/// What is hung up is over by then.
const PARTING: Duration = Duration::from_secs(8);
/// OPTIONS is asked once.
const NEVER: Duration = Duration::from_hours(24);
/// The caller, and the name of our question to the registrar.
const US: &str = "hotline-probe";

/// What is examined.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The trunk as configured.
    pub trunk: Trunk,
    /// The host part of From, where the trunk names none.
    pub domain: String,
    /// Who calls.
    pub caller: String,
    /// The number that is called, as it goes to the far end.
    pub number: String,
    /// Our side of the description.
    pub local: Local,
}

/// What goes out.
#[derive(Debug)]
pub enum Output {
    /// Send it.
    Sip(Transmit),
    /// Ask DNS.
    Locate(Whereabouts),
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Ours.
    Out,
    /// Theirs.
    In,
}

/// A message that passed.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub way: Way,
    pub peer: SocketAddr,
    pub message: Message,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Options,
    Registering,
    Calling(LegId),
    Parting(LegId),
    Done,
}

/// The examination.
#[derive(Debug)]
pub struct Exam {
    subject: Subject,
    endpoint: Endpoint,
    step: Step,
    until: Time,
    hosts: Vec<Host>,
    asked: Time,
    registration: Option<Registration>,
    call: Option<Call>,
    seen: Vec<Seen>,
    outbox: VecDeque<Output>,
}

impl Exam {
    /// Begins with OPTIONS to each host.
    #[must_use]
    pub fn new(now: Time, mut endpoint: Endpoint, subject: Subject) -> Exam {
        for (place, host) in (0..).zip(&subject.trunk.hosts) {
            let uri = format!("sip:{}{}", host.to, host.to.wished().map_or("", Transport::uri_param));
            let from = format!("sip:{US}@{}", subject.domain);
            let (name, target) = (US.to_owned(), Target::Eager(host.to.clone()));
            endpoint.watch(now, Check { name, place, target, uri, from, every: NEVER });
        }
        let hosts =
            subject.trunk.hosts.iter().map(|host| Host { host: host.to.to_string(), asked: false, status: None, ms: None }).collect();
        let (seen, outbox) = (Vec::new(), VecDeque::new());
        let mut exam = Exam {
            subject,
            endpoint,
            step: Step::Options,
            until: now + OPTIONS,
            hosts,
            asked: now,
            registration: None,
            call: None,
            seen,
            outbox,
        };
        exam.settle(now);
        exam
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Time, input: Input) {
        if let Input::Sip(received) = &input {
            self.note(Way::In, received.flow.remote, received.message.clone());
        }
        input.enter(now, &mut self.endpoint);
        self.settle(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.endpoint.handle_timeout(now);
        self.settle(now);
        if self.until <= now {
            self.next(now);
            self.settle(now);
        }
    }

    /// When [`Exam::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Time {
        self.endpoint.poll_timeout().map_or(self.until, |due| due.min(self.until))
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// Nothing is left to ask.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    /// What was found.
    #[must_use]
    pub fn report(&self) -> Report {
        finding::report(&self.subject, (&self.hosts, self.registration.as_ref(), self.call.as_ref()), &self.seen)
    }

    fn settle(&mut self, now: Time) {
        while let Some(happening) = self.endpoint.poll_happening() {
            self.on_happening(now, happening);
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            if let Ok(message) = Message::parse(transmit.bytes.clone()) {
                self.note(Way::Out, transmit.flow.remote, message);
            }
            self.outbox.push_back(Output::Sip(transmit));
        }
        while let Some(question) = self.endpoint.poll_question() {
            self.outbox.push_back(Output::Locate(question));
        }
    }

    fn note(&mut self, way: Way, peer: SocketAddr, message: Message) {
        if self.seen.len() < MOST_SEEN {
            self.seen.push(Seen { way, peer, message });
        }
    }

    fn on_happening(&mut self, now: Time, happening: Happening) {
        match happening {
            Happening::Checked { place, status, .. } => self.on_checked(now, place, status),
            Happening::SignedOn { .. } if self.step == Step::Registering => {
                self.registration = Some(finding::registered(&self.seen));
                self.call(now);
            }
            Happening::SignOnFailed { status, .. } if self.step == Step::Registering => {
                self.registration = Some(Registration { status, places: None, expires_s: None });
                self.call(now);
            }
            Happening::Progress { leg, status, .. } if self.step == Step::Calling(leg) => {
                let call = self.call.get_or_insert_default();
                call.rang = Some(status);
                call.ring_ms = Some(millis(now, self.asked));
                self.part(now, leg);
            }
            Happening::Answered { leg, sdp } => self.on_answered(now, leg, &sdp),
            Happening::Refused { leg, status } if matches!(self.step, Step::Calling(known) | Step::Parting(known) if known == leg) => {
                let call = self.call.get_or_insert_default();
                call.status = Some(status);
                call.final_ms = Some(millis(now, self.asked));
                self.step = Step::Done;
            }
            Happening::HungUp { .. } | Happening::Lost { .. } => self.step = Step::Done,
            Happening::Invited(invited) => self.endpoint.refuse(now, invited.leg, BUSY, &[]),
            _ => {}
        }
    }

    fn on_checked(&mut self, now: Time, place: u16, status: Option<u16>) {
        let ms = millis(now, self.asked);
        if let Some(host) = self.hosts.get_mut(usize::from(place)) {
            (host.asked, host.status, host.ms) = (true, status, status.map(|_| ms));
        }
        if self.step == Step::Options && self.hosts.iter().all(|host| host.asked) {
            self.next(now);
        }
    }

    fn on_answered(&mut self, now: Time, leg: LegId, sdp: &Bytes) {
        let late = self.subject.trunk.habits.offer == Offer::Late;
        let agreed = if late {
            sdp::answer(&self.subject.local, sdp).map(|(answer, stream)| {
                self.endpoint.acknowledge_with(now, leg, answer);
                stream
            })
        } else {
            sdp::accept(&self.subject.local, sdp)
        };
        let call = self.call.get_or_insert_default();
        call.status = Some(OK);
        call.final_ms = Some(millis(now, self.asked));
        match agreed {
            Ok(stream) => call.agreed = Some(finding::Agreed::of(&stream)),
            Err(refused) => call.disagreed = Some(refused.warning),
        }
        self.part(now, leg);
    }

    /// The step that follows, whether or not this one brought anything.
    fn next(&mut self, now: Time) {
        match self.step {
            Step::Options if self.subject.trunk.registers.is_some() => self.register(now),
            Step::Options => self.call(now),
            Step::Registering => {
                self.registration = Some(Registration { status: SILENCE, places: None, expires_s: None });
                self.call(now);
            }
            Step::Calling(leg) => {
                self.call.get_or_insert_default();
                self.part(now, leg);
            }
            Step::Parting(_) | Step::Done => self.step = Step::Done,
        }
    }

    /// The host that answered, else the first.
    fn host(&self) -> Option<Whereabouts> {
        let answered = self.hosts.iter().position(|host| host.status.is_some_and(endpoint::is_there)).unwrap_or(0);
        self.subject.trunk.hosts.get(answered).map(|host| host.to.clone())
    }

    fn register(&mut self, now: Time) {
        let trunk = &self.subject.trunk;
        let (Some(host), Some(registers), Some(credentials)) = (self.host(), trunk.registers.clone(), trunk.credentials.clone()) else {
            return self.call(now);
        };
        (self.step, self.until) = (Step::Registering, now + REGISTER);
        let registration = endpoint::Registration {
            target: Target::Eager(host),
            registrar: format!("sip:{}", registers.domain),
            record: format!("sip:{}@{}", credentials.user, registers.domain),
            user: US.to_owned(),
            expires: registers.expires,
            // A carrier that keeps one place only would lose the running server's to ours.
            errand: Errand::Look,
            credentials: Some(credentials),
        };
        self.endpoint.register(now, registration);
    }

    fn call(&mut self, now: Time) {
        let Some(host) = self.host() else {
            self.step = Step::Done;
            return;
        };
        let Subject { trunk, domain, caller, number, local } = &self.subject;
        let there = trunk.registers.as_ref().map_or_else(|| host.to_string(), |registers| registers.domain.clone());
        let from = trunk.registers.as_ref().map_or(domain, |registers| &registers.domain);
        let params = host.wished().map_or("", Transport::uri_param);
        let sdp = if trunk.habits.offer == Offer::Late { Bytes::new() } else { sdp::offer(local) };
        let outgoing = Outgoing {
            target: Target::Eager(host),
            request_uri: format!("sip:{number}@{there}{params}"),
            from: format!("<sip:{caller}@{from}>"),
            to: format!("<sip:{number}@{there}>"),
            headers: Vec::new(),
            sdp,
            credentials: trunk.credentials.clone(),
            manner: Manner::default(),
        };
        let leg = self.endpoint.new_leg(now);
        (self.step, self.until, self.asked) = (Step::Calling(leg), now + CALL, now);
        self.endpoint.invite(now, leg, outgoing);
    }

    fn part(&mut self, now: Time, leg: LegId) {
        (self.step, self.until) = (Step::Parting(leg), now + PARTING);
        self.endpoint.hang_up(now, leg, &[]);
    }
}

/// 200 OK, 408 Request Timeout, 486 Busy Here.
const OK: u16 = 200;
const SILENCE: u16 = 408;
const BUSY: u16 = 486;

fn millis(now: Time, since: Time) -> u64 {
    u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX)
}
