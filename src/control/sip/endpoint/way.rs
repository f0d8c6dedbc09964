//! The way of our requests: a name is asked for, several places are tried one after the other, and what is too long for a
//! datagram goes over TCP (RFC 3263 §4.3, RFC 3261 §18.1.1).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::leg::Stage;
use super::{Endpoint, Hop, Target};
use crate::control::sip::dialog::{Dialog, Next, Reach};
use crate::control::sip::happening::Happening;
use crate::control::sip::locate::{Locator, UNREACHABLE, Whither, path};
use crate::control::sip::message::{Address, Message, Method, Name};
use crate::control::sip::transaction::request::toward;
use crate::control::sip::transaction::{Failed, Failure, Key, Purpose};
use crate::control::time::{Deadlines, Time};
use crate::control::words::LegId;
use crate::control::words::sip::{Flow, Located, Transmit, Transport, Whereabouts};

/// A longer request goes over TCP when the far end takes it, for datagrams that are cut in pieces get lost (RFC 3261 §18.1.1).
const LONGEST_DATAGRAM: usize = 1_300;
/// A place that says nothing at all for so long (three repetitions over UDP) is left for the next one. It may still answer:
/// then its call is taken back.
const NEXT_PLACE: Duration = Duration::from_secs(4);
/// The edge answers within this, or the question counts as failed.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
/// Requests that wait for DNS; more fail at once.
const MOST_WAITING: usize = 10_000;

/// A request as it was first written.
#[derive(Debug, Clone)]
struct Draft {
    request: Bytes,
    method: Method,
    purpose: Purpose,
    leaves: Leaves,
}

/// A request under way to the first of several places.
#[derive(Debug)]
struct Trip {
    draft: Draft,
    here: Flow,
    rest: VecDeque<Flow>,
}

/// What makes a request go on to its next place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaves {
    /// Failure, and silence.
    Soon,
    /// Failure only: the peer is there, but his connection may be gone.
    WhenBroken,
    /// Failure, and silence, at the last place too: then the request fails.
    ToTheLast,
}

/// A request that waits for DNS, and the path it takes when DNS fails.
#[derive(Debug)]
struct Waiting {
    draft: Draft,
    otherwise: Option<Flow>,
}

/// All ways.
#[derive(Debug, Default)]
pub(super) struct Ways {
    locator: Locator,
    trips: FxHashMap<Key, Trip>,
    due: Deadlines<Key>,
    waiting: BTreeMap<Whereabouts, Vec<Waiting>>,
    waits: usize,
    /// When a question counts as failed, in order.
    patience: VecDeque<(Time, Whereabouts)>,
}

/// Where a request goes, as far as it is known when it is written.
#[derive(Debug)]
pub(super) struct Way {
    /// It is written for this path.
    pub first: Flow,
    plan: Plan,
    /// Was the path chosen by an address, so that another transport may reach it too?
    reach: Reach,
    leaves: Leaves,
}

#[derive(Debug)]
enum Plan {
    Single,
    Several(VecDeque<Flow>),
    Fallback(Flow),
    Ask(Whereabouts, Option<Flow>),
    Nowhere(u16),
}

/// A request that is written and goes out now.
pub(super) struct Departure {
    pub hop: Hop,
    pub method: Method,
    pub purpose: Purpose,
    pub request: Bytes,
}

impl Trip {
    /// Is a place left that says nothing at all?
    fn leaves_silence(&self) -> bool {
        match self.draft.leaves {
            Leaves::Soon => !self.rest.is_empty(),
            Leaves::WhenBroken => false,
            Leaves::ToTheLast => true,
        }
    }
}

impl Ways {
    pub(super) fn next(&self) -> Option<Time> {
        let asked = self.patience.front().map(|(until, _)| *until);
        [self.due.next(), asked].into_iter().flatten().min()
    }

    fn wait(&mut self, now: Time, question: Whereabouts, waiting: Waiting) {
        self.waits += 1;
        let all = self.waiting.entry(question.clone()).or_default();
        if all.is_empty() {
            self.patience.push_back((now + ANSWERED_WITHIN, question));
        }
        all.push(waiting);
    }

    /// A request of ours met a challenge and went out again: what is left of its way is the new one's.
    pub(super) fn carry_over(&mut self, before: Key, now: Time, after: Key, request: &Bytes) {
        let Some(mut trip) = self.trips.remove(&before) else { return };
        trip.draft.request = request.clone();
        if trip.leaves_silence() {
            self.due.set(after, now + NEXT_PLACE);
        }
        self.trips.insert(after, trip);
    }

    fn forget(&mut self, key: Key) -> Option<Trip> {
        self.due.clear(&key);
        self.trips.remove(&key)
    }
}

impl Endpoint {
    /// The next question of where a request goes; [`Endpoint::located`] must follow, whatever became of it.
    pub fn poll_question(&mut self) -> Option<Whereabouts> {
        self.ways.locator.next_question()
    }

    /// DNS answers: what waited for it goes out or fails.
    pub fn located(&mut self, now: Time, question: Whereabouts, located: Located) {
        self.ways.locator.located(now, question.clone(), located);
        let waiting = self.ways.waiting.remove(&question).unwrap_or_default();
        self.ways.waits -= waiting.len();
        for Waiting { draft, otherwise } in waiting {
            let whither = self.ways.locator.find(now, &question, &self.settings.listeners, &mut self.random);
            match whither {
                Whither::Along(flows) => self.set_out(now, with_last(stay_near(flows, otherwise), otherwise), draft),
                Whither::Asked | Whither::Nowhere(_) if otherwise.is_some() => self.set_out(now, otherwise.into_iter().collect(), draft),
                Whither::Asked => self.cannot_go(now, draft.purpose, draft.method, UNREACHABLE),
                Whither::Nowhere(status) => self.cannot_go(now, draft.purpose, draft.method, nowhere(status, draft.leaves)),
            }
        }
    }

    /// The way to a target of the owner's.
    pub(super) fn way_to(&mut self, now: Time, target: &Target, reach: Reach) -> Way {
        match target {
            Target::Path(flow) => Way { first: *flow, plan: Plan::Single, reach, leaves: Leaves::Soon },
            Target::Named(question) | Target::Eager(question) => {
                let whither = self.ways.locator.find(now, question, &self.settings.listeners, &mut self.random);
                let leaves = if matches!(target, Target::Eager(_)) { Leaves::ToTheLast } else { Leaves::Soon };
                Way { leaves, ..self.way_of(whither, question, None) }
            }
        }
    }

    /// The way of a request within a dialog.
    pub(super) fn way_within(&mut self, now: Time, id: LegId) -> Option<Way> {
        let dialog = &self.calls.legs.get(&id)?.dialog;
        let (flow, reach) = (dialog.flow, dialog.reach);
        Some(match dialog.next() {
            Next::Along(first) => Way { first, plan: Plan::Single, reach, leaves: Leaves::Soon },
            Next::AlongOr(first, second) => Way { first, plan: Plan::Fallback(second), reach, leaves: Leaves::WhenBroken },
            Next::To(question, otherwise) => {
                let whither = self.ways.locator.find(now, &question, &self.settings.listeners, &mut self.random);
                let whither = match whither {
                    Whither::Along(flows) => Whither::Along(stay_near(flows, Some(flow)).into()),
                    other => other,
                };
                self.way_of(whither, &question, Some(otherwise))
            }
        })
    }

    /// The path of a request that cannot wait for DNS, as ACK: what is known, else the path of the peer's messages.
    pub(super) fn path_within(&mut self, now: Time, dialog: &Dialog) -> Flow {
        match dialog.next() {
            Next::Along(flow) | Next::AlongOr(flow, _) => flow,
            Next::To(question, otherwise) => match self.ways.locator.find(now, &question, &self.settings.listeners, &mut self.random) {
                Whither::Along(flows) => stay_near(flows, Some(dialog.flow)).front().copied().unwrap_or(otherwise),
                Whither::Asked | Whither::Nowhere(_) => otherwise,
            },
        }
    }

    fn way_of(&self, whither: Whither, question: &Whereabouts, otherwise: Option<Flow>) -> Way {
        let (reach, leaves) = (Reach::ByAddress, Leaves::Soon);
        // What is written before the answer comes is written once more when it is there.
        let unknown = || Flow {
            listener: self.settings.listeners.first().map_or(super::NO_LISTENER, |listener| listener.id),
            transport: question.usual(),
            remote: ([0, 0, 0, 0], 0).into(),
            connection: None,
        };
        match whither {
            Whither::Along(flows) => {
                let mut rest = with_last(flows.into(), otherwise);
                let first = rest.pop_front().unwrap_or_else(unknown);
                Way { first, plan: Plan::Several(rest), reach, leaves }
            }
            Whither::Asked => Way { first: otherwise.unwrap_or_else(unknown), plan: Plan::Ask(question.clone(), otherwise), reach, leaves },
            Whither::Nowhere(status) => match otherwise {
                Some(first) => Way { first, plan: Plan::Single, reach, leaves },
                None => Way { first: unknown(), plan: Plan::Nowhere(status), reach, leaves },
            },
        }
    }

    /// Sends a request along its way, now or as soon as DNS has answered.
    pub(super) fn depart(&mut self, now: Time, way: Way, departure: Departure) -> Key {
        let Departure { hop, method, purpose, request } = departure;
        let Way { first, plan, reach, leaves } = way;
        let key = self.keys.client(&hop.branch, method);
        let draft = Draft { request, method, purpose, leaves };
        let over_tcp = self.tcp_instead(now, &first, reach, draft.request.len());
        match plan {
            Plan::Nowhere(status) => self.cannot_go(now, purpose, method, nowhere(status, leaves)),
            Plan::Ask(..) if self.ways.waits >= MOST_WAITING => self.cannot_go(now, purpose, method, UNREACHABLE),
            Plan::Ask(question, otherwise) => {
                self.ways.wait(now, question, Waiting { draft, otherwise });
            }
            Plan::Single if over_tcp.is_none() => {
                let request = Transmit { flow: first, bytes: draft.request };
                self.transactions.open_client(now, key, method, request, purpose, &mut self.outbox);
            }
            Plan::Fallback(second) => {
                self.begin_trip(now, key, Trip { draft, here: first, rest: VecDeque::from([second]) });
            }
            Plan::Several(rest) if over_tcp.is_none() => self.begin_trip(now, key, Trip { draft, here: first, rest }),
            Plan::Single => self.set_out(now, over_tcp.into_iter().chain([first]).collect(), draft),
            Plan::Several(rest) => self.set_out(now, over_tcp.into_iter().chain([first]).chain(rest).collect(), draft),
        }
        key
    }

    /// TCP to the same place, for a request that is too long for a datagram, unless it failed there of late.
    fn tcp_instead(&self, now: Time, first: &Flow, reach: Reach, length: usize) -> Option<Flow> {
        let long = first.transport == Transport::Udp && length > LONGEST_DATAGRAM && reach == Reach::ByAddress;
        let tcp = path(&self.settings.listeners, first.remote, Transport::Tcp).filter(|_| long)?;
        (!self.ways.locator.is_unwell(now, &tcp)).then_some(tcp)
    }

    /// A request goes to the first of these places, written for it.
    fn set_out(&mut self, now: Time, mut places: VecDeque<Flow>, draft: Draft) {
        if !self.is_wanted(draft.purpose) {
            return self.cannot_go(now, draft.purpose, draft.method, UNREACHABLE);
        }
        let (Some(here), Ok(request)) = (places.pop_front(), Message::parse(draft.request.clone())) else {
            return self.cannot_go(now, draft.purpose, draft.method, UNREACHABLE);
        };
        let hop = self.hop(&here);
        let towards = request.request_uri();
        let contact = |ours: &Address<'_>| self.contact(ours.uri.user.unwrap_or_default(), &here, towards);
        let bytes = toward(&request, &hop.via, contact);
        let key = self.keys.client(&hop.branch, draft.method);
        self.tell_leg(draft.purpose, key, hop.branch, here);
        self.begin_trip(now, key, Trip { draft: Draft { request: bytes, ..draft }, here, rest: places });
    }

    fn begin_trip(&mut self, now: Time, key: Key, trip: Trip) {
        let Trip { draft: Draft { request, method, purpose, .. }, here, .. } = &trip;
        let (method, purpose, transmit) = (*method, *purpose, Transmit { flow: *here, bytes: request.clone() });
        if trip.leaves_silence() {
            self.ways.due.set(key, now + NEXT_PLACE);
        }
        self.ways.trips.insert(key, trip);
        self.transactions.open_client(now, key, method, transmit, purpose, &mut self.outbox);
    }

    /// A call or registration learns along which path it goes now.
    fn tell_leg(&mut self, purpose: Purpose, key: Key, branch: String, here: Flow) {
        match purpose {
            Purpose::Invite(id) => {
                let Some(leg) = self.calls.legs.get_mut(&id) else { return };
                if let Stage::Calling(calling) = &mut leg.stage {
                    calling.renew(key, branch);
                    leg.dialog.flow = here;
                }
            }
            Purpose::Register(number) => self.enrolments.goes_along(number, here),
            _ => {}
        }
    }

    /// The next place for a request that failed at this one; false when there is none.
    pub(super) fn go_on(&mut self, now: Time, key: Key, rest: Option<Duration>) -> bool {
        let Some(trip) = self.ways.forget(key) else { return false };
        self.ways.locator.failed(now, &trip.here, rest);
        let goes_on = !trip.rest.is_empty() && self.is_current(trip.draft.purpose, key);
        if goes_on {
            self.set_out(now, trip.rest, trip.draft);
        }
        goes_on
    }

    /// An answer came: the place is well, but for one that asks for a rest, whose next place is tried. True when that is so.
    pub(super) fn heard_from(&mut self, now: Time, key: Key, response: &Message) -> bool {
        self.ways.due.clear(&key);
        match (response.status(), self.ways.trips.get(&key)) {
            (503, Some(trip)) if trip.draft.leaves != Leaves::WhenBroken => {
                let rest = response.number(Name::RetryAfter).map(|seconds| Duration::from_secs(u64::from(seconds)));
                self.go_on(now, key, rest)
            }
            (200.., Some(trip)) => {
                let here = trip.here;
                self.ways.locator.well(&here);
                false
            }
            _ => false,
        }
    }

    /// A request has its final answer.
    pub(super) fn arrived(&mut self, key: Key) {
        drop(self.ways.forget(key));
    }

    /// Questions that nobody answered have failed, and places that say nothing are left for the next ones.
    pub(super) fn leave_slow_places(&mut self, now: Time) {
        while let Some((_, question)) = self.ways.patience.pop_front_if(|(until, _)| *until <= now) {
            if self.ways.waiting.contains_key(&question) {
                self.located(now, question, Located::Failed);
            }
        }
        while let Some(key) = self.ways.due.pop_due(now) {
            let Some(Draft { purpose, leaves, .. }) = self.ways.trips.get(&key).map(|trip| trip.draft.clone()) else { continue };
            let invite = matches!(purpose, Purpose::Invite(_));
            let goes_on = self.go_on(now, key, None);
            if !invite && (goes_on || leaves == Leaves::ToTheLast) {
                // What it may still say is nobody's; a call that is answered late must be ended, and keeps its name.
                self.transactions.disown(key);
            }
            if !goes_on && leaves == Leaves::ToTheLast {
                self.give_up(now, key, purpose);
            }
        }
    }

    /// No place has said anything.
    fn give_up(&mut self, now: Time, key: Key, purpose: Purpose) {
        match purpose {
            Purpose::Invite(id) if self.is_calling_by(id, key) => self.cannot_go(now, purpose, Method::Invite, SILENCE),
            Purpose::Invite(_) => {}
            _ => self.on_failed(now, Failed { key, purpose, failure: Failure::Timeout }),
        }
    }

    /// An answer to an INVITE from a place that we had left: it is told to stop.
    pub(super) fn late_answer(&mut self, now: Time, key: Key, invite: &Message, status: u16) {
        let branch = invite.via().and_then(|via| via.branch()).map(|branch| String::from_utf8_lossy(branch).into_owned());
        let cancel = self.keys.client(&branch.unwrap_or_default(), Method::Cancel);
        if status < 200 && !self.transactions.has(cancel) {
            self.transactions.cancel(now, (key, cancel), &[], &mut self.outbox);
        }
    }

    /// Does anybody still want what the request is for?
    fn is_wanted(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Invite(id) => {
                self.calls.legs.get(&id).is_some_and(|leg| leg.leaving.is_none() && matches!(leg.stage, Stage::Calling(_)))
            }
            _ => true,
        }
    }

    fn is_current(&self, purpose: Purpose, key: Key) -> bool {
        match purpose {
            Purpose::Invite(id) => self.is_wanted(purpose) && self.is_calling_by(id, key),
            _ => true,
        }
    }

    /// A request that leads nowhere.
    fn cannot_go(&mut self, now: Time, purpose: Purpose, method: Method, status: u16) {
        match purpose {
            Purpose::Invite(id) => {
                if let Some(leg) = self.forget(id) {
                    let status = if leg.leaving.is_some() { 487 } else { status };
                    self.inbox.push_back(Happening::Refused { leg: id, status });
                }
            }
            // A registrar that is not found now may be found later: 404 would end it for good.
            Purpose::Register(number) => self.on_enrol_failed(now, number, UNREACHABLE),
            Purpose::Check(number) => self.on_checked(now, number, None),
            _ => {
                let key = self.keys.client("", method);
                self.on_failed(now, Failed { key, purpose, failure: Failure::Broken });
            }
        }
    }
}

/// 408 Request Timeout.
const SILENCE: u16 = 408;

/// That a place cannot be found says nothing of the number, to one who has another place.
fn nowhere(status: u16, leaves: Leaves) -> u16 {
    if leaves == Leaves::ToTheLast { UNREACHABLE } else { status }
}

/// These places, and this one as the last resort.
fn with_last(mut places: VecDeque<Flow>, last: Option<Flow>) -> VecDeque<Flow> {
    places.extend(last.filter(|last| !places.contains(last)));
    places
}

/// The same places, with the one where the peer is already spoken with in front: a dialog stays with its server.
fn stay_near(flows: Vec<Flow>, near: Option<Flow>) -> VecDeque<Flow> {
    let same = |flow: &Flow| near.is_some_and(|near| near.transport == flow.transport && near.remote.ip() == flow.remote.ip());
    let (mut here, rest): (VecDeque<Flow>, VecDeque<Flow>) = flows.into_iter().partition(same);
    if let (Some(first), Some(near)) = (here.front_mut(), near.filter(|near| near.transport.is_reliable())) {
        // The connection stands already.
        *first = near;
    }
    here.extend(rest);
    here
}
