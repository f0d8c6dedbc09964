//! The journal, folded as the API would: what may happen once happens once, what begins ends, nothing comes before its cause.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hotline::control::event::{DomainEvent, Fact, OfferEnd};
use hotline::control::session::identity::PHONE;
use hotline::control::time::Time;
use hotline::control::words::agent::Supervision;
use hotline::control::words::{AgentId, CallId, EventId, LegId, OfferId, RecordingId, SessionId};

/// What the log says so far.
#[derive(Debug, Default)]
pub struct Ledger {
    events: BTreeSet<EventId>,
    sessions: BTreeMap<SessionId, Open>,
    calls: BTreeMap<CallId, Open>,
    legs: BTreeMap<LegId, Open>,
    offers: BTreeMap<OfferId, AgentId>,
    ended_offers: BTreeSet<OfferId>,
    recordings: BTreeMap<RecordingId, Open>,
    in_line: BTreeSet<SessionId>,
    rings_since: BTreeMap<OfferId, Time>,
    callers: BTreeMap<CallId, LegId>,
    /// What the supervisor of a call does, and his leg.
    supervised: BTreeMap<CallId, Supervision>,
    chiefs: BTreeMap<CallId, LegId>,
    linked: BTreeSet<(String, String)>,
    lines: BTreeSet<String>,
    tickets: u64,
    /// How often each ending came.
    pub endings: BTreeMap<String, u64>,
    /// Calls that were bridged.
    pub bridged: u64,
}

/// What the queues allow, and the time a lookup of the customer may hold facts back.
const LONGEST_RING: Duration = Duration::from_secs(13);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Yes,
    No,
}

impl Ledger {
    /// One more fact.
    pub fn write(&mut self, event: &DomainEvent) {
        assert!(self.events.insert(event.id), "J1: the event {} came twice", event.id);
        match &event.fact {
            Fact::SessionCreated { session, .. } => begin(&mut self.sessions, *session, "session"),
            Fact::SessionClosed { session, ending, .. } => {
                *self.endings.entry(ending.clone()).or_default() += 1;
                end(&mut self.sessions, *session, "session");
                assert!(!self.in_line.contains(session), "A2: {session} is closed and stands in a line");
            }
            Fact::SessionState { session, .. } => self.alive(*session),
            Fact::MessageCreated { session, external_id, .. } => {
                self.alive(*session);
                let fresh = external_id.as_ref().is_none_or(|id| self.lines.insert(id.clone()));
                assert!(fresh, "the line {external_id:?} was kept twice");
            }
            Fact::IdentityLinked { channel, address, .. } => {
                let fresh = self.linked.insert((channel.clone(), address.clone()));
                assert!(fresh || channel != PHONE, "{address} was linked to two customers");
            }
            Fact::CallStarted { call, session, .. } => {
                self.alive(*session);
                begin(&mut self.calls, *call, "call");
            }
            Fact::CallEnded { call, .. } => end(&mut self.calls, *call, "call"),
            Fact::CallBridged { .. } => self.bridged += 1,
            Fact::LegOpened { leg, call, role, .. } => {
                begin(&mut self.legs, *leg, "leg");
                if role == "caller" {
                    self.callers.insert(*call, *leg);
                }
                if role == "supervisor" {
                    self.chiefs.insert(*call, *leg);
                }
            }
            Fact::LegClosed { leg, .. } => end(&mut self.legs, *leg, "leg"),
            Fact::RecordingStarted { recording, .. } => begin(&mut self.recordings, *recording, "recording"),
            Fact::RecordingFinished { recording, .. } | Fact::RecordingFailed { recording, .. } => {
                end(&mut self.recordings, *recording, "recording");
            }
            Fact::TicketOpened { number, .. } => {
                self.tickets += 1;
                assert_eq!(*number, self.tickets, "ticket numbers are counted without a gap");
            }
            other => self.write_line(event.at, other),
        }
    }

    fn write_line(&mut self, at: Time, fact: &Fact) {
        match fact {
            Fact::Queued { session, .. } => {
                self.alive(*session);
                assert!(self.in_line.insert(*session), "A2: {session} joined a line while it stood in one");
            }
            Fact::Dequeued { session, .. } => assert!(self.in_line.remove(session), "A2: {session} left a line it was not in"),
            Fact::Offered { offer, session, agent, .. } => {
                self.alive(*session);
                assert!(self.in_line.contains(session), "A4: {session} is offered but stands in no line");
                assert!(self.offers.insert(*offer, *agent).is_none(), "A4: the offer {offer} was made twice");
                self.rings_since.insert(*offer, at);
            }
            Fact::OfferEnded { offer, agent, end, session } => {
                assert_eq!(self.offers.get(offer), Some(agent), "A4: an offer ends that was not made");
                assert!(self.ended_offers.insert(*offer), "A4: the offer {offer} ended twice");
                self.rings_since.remove(offer);
                if *end == OfferEnd::Accepted {
                    self.alive(*session);
                }
            }
            Fact::Supervised { call, mode, state, .. } => match state.as_str() {
                "requested" => assert!(self.supervised.insert(*call, *mode).is_none(), "{call} has two supervisors"),
                "joined" | "changed" => assert!(self.supervised.insert(*call, *mode).is_some(), "{call} is supervised by nobody"),
                "ended" => assert!(self.supervised.remove(call).is_some(), "a supervision of {call} ended twice"),
                _ => {}
            },
            _ => {}
        }
    }

    /// Caller and supervisor of each call whose customer must not hear the supervisor.
    pub fn unheard(&self) -> impl Iterator<Item = (LegId, LegId)> {
        let quiet = self.supervised.iter().filter(|(_, mode)| **mode != Supervision::Barge);
        quiet.filter_map(|(call, _)| Some((*self.callers.get(call)?, *self.chiefs.get(call)?)))
    }

    /// At the end everything that began has ended; `lost` legs are those whose last report was lost on purpose.
    pub fn assert_settled(&self, lost: u64) {
        all_over(&self.sessions, "session", 0);
        all_over(&self.calls, "call", 0);
        all_over(&self.recordings, "recording", 0);
        all_over(&self.legs, "leg", lost);
        assert!(self.supervised.is_empty(), "supervisions never ended: {:?}", self.supervised);
        assert!(self.in_line.is_empty(), "A2: {:?} still stand in lines", self.in_line);
        assert_eq!(self.offers.len(), self.ended_offers.len(), "A4: an offer never ended");
    }

    /// No offer rings longer than its queue lets it.
    pub fn assert_in_time(&self, now: Time) {
        let late: Vec<_> = self.rings_since.iter().filter(|(_, since)| now.since(**since) > LONGEST_RING).collect();
        assert!(late.is_empty(), "A4: offers ring too long: {late:?}");
    }

    /// The caller's leg of a call.
    pub fn caller_of(&self, call: CallId) -> LegId {
        self.callers[&call]
    }

    /// Sessions so far.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Offers so far.
    pub fn offers(&self) -> usize {
        self.offers.len()
    }

    fn alive(&self, session: SessionId) {
        assert_eq!(self.sessions.get(&session), Some(&Open::Yes), "J1: a fact of {session} outside its life");
    }
}

fn begin<K: Ord + std::fmt::Display + Copy>(all: &mut BTreeMap<K, Open>, key: K, what: &str) {
    assert!(all.insert(key, Open::Yes).is_none(), "J1: the {what} {key} began twice");
}

fn end<K: Ord + std::fmt::Display + Copy>(all: &mut BTreeMap<K, Open>, key: K, what: &str) {
    assert_eq!(all.insert(key, Open::No), Some(Open::Yes), "C1: the {what} {key} ended twice or never began");
}

fn all_over<K: Ord + std::fmt::Display + Copy>(all: &BTreeMap<K, Open>, what: &str, but: u64) {
    let open: Vec<String> = all.iter().filter(|(_, open)| **open == Open::Yes).map(|(key, _)| key.to_string()).collect();
    assert!(open.len() as u64 <= but, "C1: {what}s never ended: {open:?}");
}
