//! The endpoint speaks SIP for the center: it owns transactions, dialogs and registrations and tells its owner only what happened.
//!
//! `receive` and the verbs put messages into the outbox ([`Endpoint::poll_transmit`]) and news into the inbox ([`Endpoint::poll_happening`]);
//! the owner drains both after every call. A verb on an unknown or ended leg does nothing.

mod alarms;
mod calling;
mod checks;
mod door;
mod ending;
mod enrolment;
mod inside;
mod lamps;
mod leg;
mod offers;
mod pages;
mod reliable;
mod reply;
mod responses;
mod ringing;
mod settings;
mod telling;
mod transfers;
mod way;

#[cfg(test)]
mod expiry;
#[cfg(test)]
mod forged;
#[cfg(test)]
mod glare;
#[cfg(test)]
mod handovers;
#[cfg(test)]
mod kept_paths;
#[cfg(test)]
mod lamp_tests;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod pair;
#[cfg(test)]
mod provisional;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod way_tests;

pub use checks::{Check, is_there};
pub use pages::Handover;
pub use reply::stateless;
pub use settings::{Accepting, Contact, Counts, Errand, Limits, Manner, Outgoing, Registration, Settings, Target, fixed_address};

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use leg::{Alarm, Leg};
use rustc_hash::FxHashMap;

use super::Received;
use super::auth::Nonces;
use super::dialog::Dialog;
use super::happening::Happening;
use super::message::{Method, Writer, text};
use super::registrar::Registrar;
use super::transaction::{Key, Keys, Purpose, Transactions};
use crate::control::random::Random;
use crate::control::time::{Deadlines, Time};
use crate::control::words::LegId;
use crate::control::words::net::within;
use crate::control::words::phone::{KeptContact, KeptPhone};
use crate::control::words::sip::{Flow, ListenerId, Transmit, Transport};

/// Allow and Supported, with what is not understood everywhere.
macro_rules! abilities {
    ($method:literal, $extension:literal) => {
        concat!(
            "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, UPDATE, INFO, REFER, SUBSCRIBE, NOTIFY, PRACK",
            $method,
            "\r\nSupported: timer",
            $extension,
            ", replaces, norefersub\r\n"
        )
        .as_bytes()
    };
}

/// What we understand, in every INVITE, its 2xx and OPTIONS.
const ABILITIES: &[u8] = abilities!(", MESSAGE", ", 100rel");
/// The same where nobody reads a MESSAGE: in 405 and 501.
const ABILITIES_OUTSIDE: &[u8] = abilities!("", ", 100rel");
/// The same without 100rel: a far end that is to offer may do so in its 200 only.
const LATE_ABILITIES: &[u8] = abilities!(", MESSAGE", "");
/// The one body of calls.
const SDP: &str = "application/sdp";

/// SIP for one user agent: the center, a phone, or a simulated phone.
#[derive(Debug)]
pub struct Endpoint {
    settings: Settings,
    random: Random,
    keys: Keys,
    accepting: Accepting,
    transactions: Transactions,
    calls: Calls,
    registrar: Registrar,
    nonces: Nonces,
    enrolments: enrolment::Enrolments,
    checks: checks::Checks,
    lamps: lamps::Lamps,
    pages: pages::Pages,
    ways: way::Ways,
    outbox: VecDeque<Transmit>,
    /// A 100 Trying that waits in the outbox: its transaction and its place.
    trying: Option<(Key, usize)>,
    inbox: VecDeque<Happening>,
}

/// The legs and the ways to find them.
#[derive(Debug, Default)]
struct Calls {
    legs: BTreeMap<LegId, Leg>,
    /// By our tag: From of what we placed, To of what came in.
    by_tag: FxHashMap<u64, LegId>,
    /// By the INVITE that is not finally answered, for CANCEL.
    by_invite: FxHashMap<Key, LegId>,
    alarms: Deadlines<(LegId, Alarm)>,
    /// Transfers that peers asked for.
    referring: FxHashMap<LegId, transfers::Referring>,
}

/// Stands where no socket is open at all, in tests.
const NO_LISTENER: ListenerId = ListenerId(0);

/// A Via value of ours and the branch in it.
struct Hop {
    via: String,
    branch: String,
}

impl Endpoint {
    /// An endpoint that repeats itself exactly for the same seed and inputs.
    #[must_use]
    pub fn new(_now: Time, seed: u64, settings: Settings) -> Endpoint {
        let mut random = Random::new(seed);
        Endpoint {
            settings,
            keys: Keys::new(random.bits()),
            random,
            accepting: Accepting::All,
            transactions: Transactions::default(),
            calls: Calls::default(),
            registrar: Registrar::default(),
            nonces: Nonces::default(),
            enrolments: enrolment::Enrolments::default(),
            checks: checks::Checks::default(),
            lamps: lamps::Lamps::default(),
            pages: pages::Pages::default(),
            ways: way::Ways::default(),
            outbox: VecDeque::new(),
            trying: None,
            inbox: VecDeque::new(),
        }
    }

    /// Takes new settings; running calls and bindings stay.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// A message from the wire.
    pub fn receive(&mut self, now: Time, received: Received) {
        let Received { flow, message } = received;
        if message.is_request() {
            self.on_request(now, flow, &message);
        } else {
            self.on_response(now, flow, &message);
        }
    }

    /// The stream connection of `flow` broke or could not be made: transactions that wait on it fail (RFC 3261 §17.1.4).
    pub fn broken(&mut self, now: Time, flow: Flow) {
        for failed in self.transactions.broken(now, flow, &mut self.outbox) {
            self.on_failed(now, failed);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(outcome) = self.transactions.timeout(now, &mut self.outbox) {
            if let Some(failed) = outcome {
                self.on_failed(now, failed);
            }
        }
        while let Some((leg, alarm)) = self.calls.alarms.pop_due(now) {
            self.on_alarm(now, leg, alarm);
        }
        while let Some(user) = self.registrar.expire(now) {
            self.tell_bindings(now, user);
        }
        self.enrol_due(now);
        self.check_due(now);
        self.watches_due(now);
        self.pages_due(now);
        self.leave_slow_places(now);
    }

    /// When `handle_timeout` is due next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let all = [
            self.transactions.next(),
            self.calls.alarms.next(),
            self.registrar.next(),
            self.enrolments.next(),
            self.ways.next(),
            self.checks.next(),
            self.lamps.next(),
            self.pages.next(),
        ];
        all.into_iter().flatten().min()
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.trying = None;
        self.outbox.pop_front()
    }

    /// The next news for the owner.
    pub fn poll_happening(&mut self) -> Option<Happening> {
        self.inbox.pop_front()
    }

    /// A fresh leg id, for an outgoing leg whose owner has no generator of his own.
    pub fn new_leg(&mut self, now: Time) -> LegId {
        LegId::new(now, &mut self.random)
    }

    /// Contacts that stand for a user, the freshest first.
    #[must_use]
    pub fn contacts(&self, now: Time, user: &str) -> Vec<Contact> {
        self.registrar.contacts(now, user)
    }

    /// A user's phones as the log keeps them.
    #[must_use]
    pub fn kept(&self, now: Time, user: &str) -> Vec<KeptContact> {
        self.registrar.kept(now, user)
    }

    /// Takes up a user's phones as the log kept them: they need not register again to be called. False when none can be.
    pub fn restore(&mut self, now: Time, phone: KeptPhone) -> bool {
        let known = self.settings.users.contains_key(&phone.user);
        known && self.registrar.restore(now, phone, &self.settings.listeners, &self.settings.limits)
    }

    /// Whether new calls are taken from here on.
    pub fn set_accepting(&mut self, accepting: Accepting) {
        self.accepting = accepting;
    }

    /// What is open now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { transactions: self.transactions.count(), dialogs: self.calls.legs.len(), bindings: self.registrar.count() }
    }

    fn advertised(&self, flow: &Flow) -> SocketAddr {
        let ours = self.settings.listeners.iter().find(|listener| listener.id == flow.listener);
        let ours =
            ours.or(self.settings.listeners.first()).map_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)), |listener| listener.advertised);
        let told = self.settings.told.iter().find(|(peers, _)| peers.contains(flow.remote.ip()));
        told.map_or(ours, |(_, ip)| SocketAddr::new(*ip, ours.port()))
    }

    /// Is this address a trunk's, by the configuration or because we are registered there?
    #[must_use]
    pub fn trusts(&self, now: Time, ip: IpAddr) -> bool {
        within(&self.settings.trusted, ip) || self.registered_with(now, ip).is_some()
    }

    /// As whom are we registered with a registrar at this address?
    #[must_use]
    pub fn registered_with(&self, now: Time, ip: IpAddr) -> Option<&str> {
        self.enrolments.with(now, ip)
    }

    /// A fresh Via of ours for this path.
    fn hop(&mut self, flow: &Flow) -> Hop {
        let branch = format!("z9hG4bK{:016x}", self.random.bits());
        // Whoever we connect to may reach us over the same connection (RFC 5923).
        let alias = if matches!(flow.transport, Transport::Tcp | Transport::Tls) { ";alias" } else { "" };
        Hop { via: format!("SIP/2.0/{} {};rport{alias};branch={branch}", flow.transport.token(), self.advertised(flow)), branch }
    }

    /// Our Contact in a dialog, along a path.
    fn contact_in(&self, dialog: &Dialog, flow: &Flow) -> String {
        self.contact(dialog.local_user(), flow, &dialog.target)
    }

    /// Our Contact on this path, for a peer at `towards`: one who is reached by `sips:` reaches us so, too (RFC 5630 §4).
    fn contact(&self, user: &[u8], flow: &Flow, towards: &[u8]) -> String {
        let at = if user.is_empty() { "" } else { "@" };
        let (user, place) = (text::lossy(user), self.advertised(flow));
        match towards.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"sips:")) {
            true if flow.transport == Transport::Wss => format!("<sips:{user}{at}{place};transport=ws>"),
            true if flow.transport.is_secure() => format!("<sips:{user}{at}{place}>"),
            _ => format!("<sip:{user}{at}{place}{}>", flow.transport.uri_param()),
        }
    }

    fn respond(&mut self, now: Time, key: Key, status: u16, bytes: Bytes) {
        // Nobody need be told to wait for what goes out in the same step (RFC 3261 §17.2.1).
        if let Some((_, at)) = self.trying.take_if(|(of, _)| *of == key) {
            self.outbox.remove(at);
        }
        self.transactions.respond(now, key, status, bytes, &mut self.outbox);
    }

    /// Tells a caller that his INVITE is here, unless something better is said in the same step.
    fn try_call(&mut self, now: Time, reply: &reply::Reply) {
        let at = self.outbox.len();
        self.respond(now, reply.key, 100, reply.begin(100, "").finish());
        self.trying = Some((reply.key, at)).filter(|_| self.outbox.len() > at);
    }

    /// Sends a request within a leg's dialog; `fill` writes its own headers and ends it.
    fn send_within(&mut self, now: Time, id: LegId, method: Method, purpose: Purpose, fill: impl FnOnce(Writer) -> Bytes) {
        let Some(way) = self.way_within(now, id) else { return };
        let hop = self.hop(&way.first);
        let has_contact = matches!(method, Method::Invite | Method::Update | Method::Refer | Method::Notify);
        let contact = self.calls.legs.get(&id).filter(|_| has_contact).map(|leg| self.contact_in(&leg.dialog, &way.first));
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        leg.dialog.local_seq += 1;
        let mut writer = leg.dialog.request(method, leg.dialog.local_seq, &hop.via);
        if let Some(contact) = contact {
            writer.raw("Contact", contact.as_bytes());
        }
        writer.header("User-Agent", &self.settings.user_agent);
        let request = fill(writer);
        self.depart(now, way, way::Departure { hop, method, purpose, request });
    }

    /// Forgets a leg and everything that waits for it.
    fn forget(&mut self, id: LegId) -> Option<Leg> {
        let leg = self.calls.legs.remove(&id)?;
        self.calls.by_tag.remove(&leg.tag);
        self.calls.referring.remove(&id);
        for alarm in Alarm::ALL {
            self.calls.alarms.clear(&(id, alarm));
        }
        if let leg::Stage::Incoming(incoming) = &leg.stage {
            self.calls.by_invite.remove(&incoming.reply.key);
        }
        Some(leg)
    }
}

/// Our tags are numbers in sixteen hex digits.
fn tag_text(tag: u64) -> String {
    format!("{tag:016x}")
}

fn tag_number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() == 16)?;
    u64::from_str_radix(text, 16).ok()
}

/// Header lines from an owner's list, cleaned.
fn put_headers(writer: &mut Writer, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        writer.header(name, value);
    }
}
