//! A phone's side of registration: REGISTER, its challenges, its refreshes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::way::Departure;
use super::{Endpoint, Errand, Registration, tag_text};
use crate::control::sip::auth::{Challenge, Proof};
use crate::control::sip::dialog::Reach;
use crate::control::sip::happening::Happening;
use crate::control::sip::message::{Address, Message, Method, Name, Writer};
use crate::control::sip::transaction::request::{Change, again};
use crate::control::sip::transaction::{MAX_FORWARDS, Purpose};
use crate::control::time::{Deadlines, Time};
use crate::control::words::sip::{Flow, Transmit};

/// How long after a failure the next try comes.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// No Retry-After keeps us away longer.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// Challenges met in a row.
const MAX_TRIES: u8 = 2;

/// All bindings we ask for.
#[derive(Debug, Default)]
pub(super) struct Enrolments {
    all: BTreeMap<u32, Enrolment>,
    due: Deadlines<u32>,
    last: u32,
}

#[derive(Debug)]
struct Enrolment {
    registration: Registration,
    call_id: String,
    tag: u64,
    seq: u32,
    tries: u8,
    expires: Duration,
    wish: Wish,
    /// Along which path the last REGISTER went.
    flow: Option<Flow>,
    /// Until when the binding stands that was granted last.
    until: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Bound,
    Unbound,
    /// Nothing but an answer.
    Told,
}

impl Enrolments {
    pub(super) fn next(&self) -> Option<Time> {
        self.due.next()
    }

    /// The REGISTER goes along this path now.
    pub(super) fn goes_along(&mut self, number: u32, flow: Flow) {
        if let Some(enrolment) = self.all.get_mut(&number) {
            enrolment.flow = Some(flow);
        }
    }

    /// Whom a registrar at this address knows us as.
    pub(super) fn with(&self, now: Time, ip: IpAddr) -> Option<&str> {
        let there = |enrolment: &&Enrolment| {
            enrolment.flow.is_some_and(|flow| flow.remote.ip() == ip) && enrolment.until.is_some_and(|until| until > now)
        };
        self.all.values().find(there).map(|enrolment| enrolment.registration.user.as_str())
    }

    fn is_leaving(&self) -> bool {
        self.all.values().any(|enrolment| enrolment.wish == Wish::Unbound)
    }

    fn find(&self, user: &str) -> Option<u32> {
        self.all.iter().find(|(_, enrolment)| enrolment.registration.user == user).map(|(number, _)| *number)
    }
}

impl Endpoint {
    /// Is a binding being taken back whose registrar has not answered yet?
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.enrolments.is_leaving()
    }

    /// Registers with a registrar and refreshes by itself; `SignedOn` or `SignOnFailed` follows each time.
    pub fn register(&mut self, now: Time, registration: Registration) {
        if let Some(old) = self.enrolments.find(&registration.user) {
            self.drop_enrolment(old);
        }
        self.enrolments.last += 1;
        let number = self.enrolments.last;
        let (call_id, tag, expires) = (self.random.token(), self.random.bits(), registration.expires);
        let wish = if registration.errand == Errand::Look { Wish::Told } else { Wish::Bound };
        self.enrolments
            .all
            .insert(number, Enrolment { registration, call_id, tag, seq: 0, tries: 0, expires, wish, flow: None, until: None });
        self.enrol(now, number);
    }

    /// Takes our binding of this user back.
    pub fn unregister(&mut self, now: Time, user: &str) {
        let Some(number) = self.enrolments.find(user) else { return };
        if let Some(enrolment) = self.enrolments.all.get_mut(&number) {
            enrolment.wish = Wish::Unbound;
            self.enrol(now, number);
        }
    }

    pub(super) fn enrol_due(&mut self, now: Time) {
        while let Some(number) = self.enrolments.due.pop_due(now) {
            self.enrol(now, number);
        }
    }

    fn drop_enrolment(&mut self, number: u32) {
        self.enrolments.all.remove(&number);
        self.enrolments.due.clear(&number);
    }

    fn enrol(&mut self, now: Time, number: u32) {
        self.enrolments.due.clear(&number);
        let Some(target) = self.enrolments.all.get(&number).map(|enrolment| enrolment.registration.target.clone()) else { return };
        let way = self.way_to(now, &target, Reach::ByFlow);
        let hop = self.hop(&way.first);
        let Some(enrolment) = self.enrolments.all.get_mut(&number) else { return };
        enrolment.flow = Some(way.first);
        enrolment.seq += 1;
        enrolment.tries = 0;
        let Enrolment { registration, call_id, tag, seq, .. } = &*enrolment;
        let (wish, expires) = (enrolment.wish, if enrolment.wish == Wish::Bound { enrolment.expires.as_secs() } else { 0 });
        let mut writer = Writer::request(b"REGISTER", registration.registrar.as_bytes());
        writer.raw("Via", hop.via.as_bytes()).number("Max-Forwards", MAX_FORWARDS);
        writer.header("From", &format!("<{}>;tag={}", registration.record, tag_text(*tag)));
        writer.header("To", &format!("<{}>", registration.record)).raw("Call-ID", call_id.as_bytes());
        writer.format("CSeq", format_args!("{seq} REGISTER"));
        let (user, registrar) = (registration.user.clone(), registration.registrar.clone());
        if wish != Wish::Told {
            writer.raw("Expires", expires.to_string().as_bytes());
            writer.header("Contact", &self.contact(user.as_bytes(), &way.first, registrar.as_bytes()));
        }
        writer.header("User-Agent", &self.settings.user_agent);
        let departure = Departure { hop, method: Method::Register, purpose: Purpose::Register(number), request: writer.finish() };
        self.depart(now, way, departure);
    }

    pub(super) fn on_enrolled(&mut self, now: Time, number: u32, request: &Message, response: &Message) {
        let Some(enrolment) = self.enrolments.all.get_mut(&number) else { return };
        if request.cseq().map(|cseq| cseq.number) != Some(enrolment.seq) {
            return;
        }
        match response.status() {
            200..=299 if enrolment.wish == Wish::Unbound => self.drop_enrolment(number),
            200..=299 if enrolment.wish == Wish::Told => {
                let user = enrolment.registration.user.clone();
                self.drop_enrolment(number);
                self.inbox.push_back(Happening::SignedOn { user, expires: Duration::ZERO });
            }
            200..=299 => self.on_bound(now, number, response),
            423 => {
                let least = response.number(Name::MinExpires).map(|seconds| Duration::from_secs(u64::from(seconds)));
                match least.filter(|least| *least > enrolment.expires) {
                    Some(least) => {
                        enrolment.expires = least;
                        self.enrol(now, number);
                    }
                    None => self.on_enrol_failed(now, number, 423),
                }
            }
            status if !self.enrol_with_proof(now, number, request, response) => {
                self.on_enrol_failed(now, number, status);
                self.wait_as_told(now, number, response);
            }
            _ => {}
        }
    }

    fn on_bound(&mut self, now: Time, number: u32, response: &Message) {
        let Some(enrolment) = self.enrolments.all.get(&number) else { return };
        let registration = &enrolment.registration;
        let Some(flow) = enrolment.flow else { return };
        let contact = self.contact(registration.user.as_bytes(), &flow, registration.registrar.as_bytes());
        let ours = |value: &&[u8]| Address::parse(value).is_ok_and(|address| *address.uri.raw == contact.as_bytes()[1..contact.len() - 1]);
        let granted = response.values(Name::Contact).find(ours).and_then(|value| Address::parse(value).ok()?.param("expires").flatten());
        let granted =
            granted.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()).or_else(|| response.number(Name::Expires).map(u64::from));
        let expires = granted.map_or(enrolment.expires, Duration::from_secs).max(Duration::from_secs(2));
        let user = registration.user.clone();
        if let Some(enrolment) = self.enrolments.all.get_mut(&number) {
            enrolment.until = Some(now + expires);
        }
        self.enrolments.due.set(number, now + expires / 2);
        self.inbox.push_back(Happening::SignedOn { user, expires });
    }

    fn enrol_with_proof(&mut self, now: Time, number: u32, request: &Message, response: &Message) -> bool {
        let Some((challenge, header)) = Challenge::of_response(response) else { return false };
        let Some(target) = self.enrolments.all.get(&number).and_then(|enrolment| enrolment.flow) else { return false };
        let hop = self.hop(&target);
        let cnonce = self.random.token();
        let Some(enrolment) = self.enrolments.all.get_mut(&number).filter(|enrolment| enrolment.tries < MAX_TRIES) else { return false };
        let Some(credentials) = &enrolment.registration.credentials else { return false };
        enrolment.tries += 1;
        enrolment.seq += 1;
        let (method, uri) = (request.method_token(), request.request_uri());
        let proof = Proof { user: &credentials.user, password: &credentials.password, method, uri, count: 1, cnonce: &cnonce };
        let value = proof.answer(&challenge);
        let bytes = again(request, &Change { via: &hop.via, cseq: enrolment.seq, headers: &[(header, &value)], body: None });
        let key = self.keys.client(&hop.branch, Method::Register);
        let request = Transmit { flow: target, bytes };
        self.transactions.open_client(now, key, Method::Register, request, Purpose::Register(number), &mut self.outbox);
        true
    }

    /// A registrar that says when it may be asked again is not asked earlier (RFC 3261 §20.33).
    fn wait_as_told(&mut self, now: Time, number: u32, response: &Message) {
        let told = response.number(Name::RetryAfter).map(|seconds| Duration::from_secs(u64::from(seconds)).min(LONGEST_WAIT));
        if let Some(wait) = told.filter(|_| self.enrolments.all.contains_key(&number)) {
            self.enrolments.due.set(number, now + wait.max(Duration::from_secs(1)));
        }
    }

    pub(super) fn on_enrol_failed(&mut self, now: Time, number: u32, status: u16) {
        let Some(enrolment) = self.enrolments.all.get(&number) else { return };
        let user = enrolment.registration.user.clone();
        if enrolment.wish != Wish::Bound || matches!(status, 401 | 403 | 404 | 407) {
            self.drop_enrolment(number);
        } else {
            self.enrolments.due.set(number, now + TRY_AGAIN);
        }
        self.inbox.push_back(Happening::SignOnFailed { user, status });
    }
}
